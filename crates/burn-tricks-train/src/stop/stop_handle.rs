//! A criterion of a training, shared by the training and the caller.

use crate::lock::lock;
use crate::metric::split_metric::{MissingMetric, Needs};
use burn_tricks_checkpoint::{PartError, to_json};
use burn_tricks_core::Goal;
use burn_tricks_core::StateError;
use burn_tricks_stop::{Decision, EarlyStopping, Observation, StopCriterion, StopReason};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};

/// A criterion, and its decision on each epoch of a training. Clones share both.
///
/// Pass it by reference to [`stop_early`](crate::SupervisedTrainingExt::stop_early) of a training without a session.
/// During and after the training, the handle tells what the criterion saw.
#[derive(Debug)]
pub struct StopHandle<C = EarlyStopping>(Arc<Mutex<Progress<C>>>);

impl<C> Clone for StopHandle<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A criterion, and what it has observed so far.
#[derive(Debug)]
struct Progress<C> {
    stop: C,
    /// The last epoch observed, and the decision on it.
    last: Option<(usize, Result<Decision, MissingMetric>)>,
    /// The last epoch that was the best.
    best_epoch: Option<usize>,
    /// The epochs that counted, with their values, the best first.
    ranking: Vec<(usize, f64)>,
    /// The last decision of the run that this one resumes.
    before: Option<Decision>,
}

impl<C: StopCriterion> Progress<C> {
    /// Ranks an epoch whose value counts: that is finite, no divergence, refused by no criterion of errors, and not of a
    /// warm-up, during which there is no best.
    fn rank(&mut self, epoch: usize, value: f64, decision: &Decision) {
        let refused = matches!(
            decision.stop,
            Some(StopReason::NegativeError { .. } | StopReason::NoTrainingError)
        );
        let counts = decision.best.is_some() && decision.divergence.is_none() && !refused;
        let (Some(goal), true) = (self.stop.goal(), counts && value.is_finite()) else {
            return;
        };
        let better = |other: f64| match goal {
            Goal::Minimize => other <= value,
            Goal::Maximize => other >= value,
        };
        let at = self.ranking.partition_point(|(_, other)| better(*other));
        self.ranking.insert(at, (epoch, value));
    }
}

/// The part of a [`StopHandle`] that a resumed run needs.
#[derive(Serialize, Deserialize)]
struct SavedProgress<S> {
    stop: S,
    best_epoch: Option<usize>,
    ranking: Vec<(usize, f64)>,
    last: Option<Decision>,
}

impl<C: StopCriterion> StopHandle<C> {
    /// A criterion that has seen no epoch.
    pub fn new(stop: C) -> Self {
        Self(Arc::new(Mutex::new(Progress {
            stop,
            last: None,
            best_epoch: None,
            ranking: Vec::new(),
            before: None,
        })))
    }

    /// The decision on the last epoch: the reason to stop, if there is one, the best value and its check (which is
    /// the epoch, if the training was not resumed). In a session that resumes a run, the decision is that of the
    /// whole run. `None` before the first epoch.
    ///
    /// # Errors
    ///
    /// If the metric had no value, which also ended the training.
    pub fn decision(&self) -> Result<Option<Decision>, MissingMetric> {
        let progress = lock(&self.0);
        match &progress.last {
            Some((_, decision)) => decision.clone().map(Some),
            None => Ok(progress.before),
        }
    }

    /// The epoch of the best check, also in a resumed training. None if the criterion ignores the metric, or if no
    /// epoch has counted so far (see `Decision::is_best`).
    pub fn best_epoch(&self) -> Option<usize> {
        lock(&self.0).best_epoch
    }

    /// The criterion with its present state, which a resumed run needs.
    pub fn criterion(&self) -> C
    where
        C: Clone,
    {
        lock(&self.0).stop.clone()
    }

    /// The epochs that counted: first the best one, by what the criterion looks at, which may be a smoothed metric; then
    /// the others by the metric itself, among equal epochs the earliest first.
    pub(crate) fn ranking(&self) -> Vec<usize> {
        let progress = lock(&self.0);
        let best = progress.best_epoch;
        let others = progress.ranking.iter().map(|(epoch, _)| *epoch);
        let others = others.filter(|epoch| Some(*epoch) != best);
        best.into_iter().chain(others).collect()
    }

    /// Forgets the rank of every epoch of which `is_kept` is false.
    pub(crate) fn keep_ranked(&self, is_kept: &dyn Fn(usize) -> bool) {
        let ranking = &mut lock(&self.0).ranking;
        ranking.retain(|(epoch, _)| is_kept(*epoch));
    }

    pub(crate) fn needs_standard_error(&self) -> bool {
        lock(&self.0).stop.needs_standard_error()
    }

    /// The run begins, or is resumed.
    pub(crate) fn start(&self) {
        lock(&self.0).stop.start();
    }

    /// Observes each epoch once, however often it is called. `value` is called with what an observation must have.
    pub(crate) fn observe(
        &self,
        epoch: usize,
        value: impl FnOnce(Needs) -> Result<Observation, MissingMetric>,
    ) -> Result<Decision, MissingMetric> {
        let mut progress = lock(&self.0);
        if let Some((last, decision)) = &progress.last
            && *last == epoch
        {
            return decision.clone();
        }
        let observed = value(Needs {
            standard_error: progress.stop.needs_standard_error(),
            training: progress.stop.needs_training(),
        });
        let decision = observed.map(|observed| {
            let decision = progress.stop.observe(observed);
            progress.rank(epoch, observed.value, &decision);
            decision
        });
        if decision.as_ref().is_ok_and(|decision| decision.is_best) {
            progress.best_epoch = Some(epoch);
        }
        progress.last = Some((epoch, decision.clone()));
        decision
    }

    /// Why it stopped the run, now or before the run was saved.
    pub(crate) fn stopped(&self) -> Option<StopReason> {
        self.decision().ok().flatten()?.stop
    }

    /// The run continues from other weights than those that were judged: patience counts anew. A divergence does not
    /// stop the run any more. If `obeyed`, this criterion caused the roll-back, and none of its reasons stops the
    /// run but a limit.
    pub(crate) fn rolled_back(&self, obeyed: bool) {
        let mut progress = lock(&self.0);
        progress.stop.reset_waiting();
        if let Some((_, Ok(decision))) = &mut progress.last {
            let stands = |stop: &StopReason| stop.is_limit() || !(obeyed || stop.is_divergence());
            decision.stop = decision.stop.filter(stands).or(decision.limit);
        }
    }

    /// Forgets that the criterion stopped the run before: it judges the next epoch. With `keep_limit`, a criterion that had
    /// reached a limit keeps its reason: the run stays ended, and a divergence is not hidden by the limit.
    pub(crate) fn reconsider(&self, keep_limit: bool) {
        if let Some(decision) = &mut lock(&self.0).before
            && !(keep_limit && decision.limit.is_some())
        {
            decision.stop = None;
        }
    }

    /// The state that a resumed run needs, as JSON, which tells the state of another criterion from its own.
    ///
    /// # Errors
    ///
    /// If the state of the criterion holds a number that is not finite.
    pub(crate) fn state(&self) -> Result<Vec<u8>, PartError> {
        let last = self.decision().ok().flatten();
        let progress = lock(&self.0);
        let state = SavedProgress {
            stop: progress.stop.state(),
            best_epoch: progress.best_epoch,
            ranking: progress.ranking.clone(),
            last,
        };
        to_json(&state).map(String::into_bytes)
    }

    pub(crate) fn load_state(&self, state: &[u8]) -> Result<(), StateError>
    where
        C: Clone,
    {
        let state: SavedProgress<C::State> = serde_json::from_slice(state)
            .map_err(|error| StateError::Unreadable(Box::new(error)))?;
        let mut progress = lock(&self.0);
        progress.stop = progress.stop.clone().with_state(state.stop);
        progress.best_epoch = state.best_epoch;
        progress.ranking = state.ranking;
        progress.before = state.last;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_tricks_stop::GeneralizationLossConfig;

    #[test]
    fn a_value_that_is_no_error_has_no_rank() {
        let handle = StopHandle::new(GeneralizationLossConfig::new(5.0).init().unwrap());
        for (epoch, value) in [(1, 0.5), (2, 0.4), (3, -0.1)] {
            handle.observe(epoch, |_| Ok(value.into())).unwrap();
        }
        let reason = StopReason::NegativeError { value: -0.1 };
        assert_eq!(handle.stopped(), Some(reason));
        assert_eq!(handle.ranking(), [2, 1]);
    }
}
