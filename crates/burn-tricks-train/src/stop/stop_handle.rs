//! A criterion that watches a metric of a training, shared by whoever asks.

use crate::lock::lock;
use crate::session::epoch_end::EpochHook;
use crate::stop::stop_early::MissingMetric;
use burn::train::EarlyStoppingStrategy;
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::metric::{Metric, MetricName};
use burn_tricks_core::StateError;
use burn_tricks_stop::{Decision, EarlyStopping, StopCriterion, StopReason};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

/// What a criterion saw of a training: its metric, and the decision on each epoch.
///
/// It is one of Burn's early-stopping strategies. On its own, registered with
/// `SupervisedTraining::early_stopping`, it does not see to it that its metric is: without, the run ends
/// after its first epoch, and [`decision`](Self::decision) is an error that names the metric. In a directory
/// that an earlier run logged that metric to, Burn's file logger gives it the values of that run.
#[derive(Debug)]
pub struct StopHandle<C = EarlyStopping> {
    metric: MetricName,
    watch: Arc<Mutex<Watch<C>>>,
}

impl<C> Clone for StopHandle<C> {
    fn clone(&self) -> Self {
        Self {
            metric: self.metric.clone(),
            watch: self.watch.clone(),
        }
    }
}

#[derive(Debug)]
struct Watch<C> {
    stop: C,
    /// The last epoch observed, and what came of it.
    last: Option<(usize, Result<Decision, MissingMetric>)>,
    /// The last epoch that was the best.
    best_epoch: Option<usize>,
    /// Why a run before this one was stopped.
    stopped_before: Option<StopReason>,
}

/// The part of a [`StopHandle`] that a resumed run needs.
#[derive(Serialize, Deserialize)]
struct WatchState<S> {
    stop: S,
    best_epoch: Option<usize>,
    stopped: Option<StopReason>,
}

impl<C: StopCriterion> StopHandle<C> {
    /// Watches the epoch's mean of `metric` in validation.
    pub fn new(metric: &impl Metric, stop: C) -> Self {
        Self {
            metric: metric.name(),
            watch: Arc::new(Mutex::new(Watch {
                stop,
                last: None,
                best_epoch: None,
                stopped_before: None,
            })),
        }
    }

    /// The decision on the last epoch: its reason to stop, if it was one, the best value and the check
    /// that had it (the epoch, in a training that was not resumed). `None` before the first.
    ///
    /// # Errors
    ///
    /// If the metric had no value, which ends the training.
    pub fn decision(&self) -> Result<Option<Decision>, MissingMetric> {
        lock(&self.watch)
            .last
            .clone()
            .map(|(_, decision)| decision)
            .transpose()
    }

    /// The epoch of the best check, in a training that was resumed too. None if it is not known: if the
    /// criterion looks at no metric, or if no epoch counted so far (see `Decision::is_best`).
    pub fn best_epoch(&self) -> Option<usize> {
        lock(&self.watch).best_epoch
    }

    /// The criterion as it stands, whose state a resumed run needs.
    pub fn criterion(&self) -> C
    where
        C: Clone,
    {
        lock(&self.watch).stop.clone()
    }

    /// One observation per epoch, whoever asks and however often.
    pub(crate) fn observe(
        &self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Result<Decision, MissingMetric> {
        let mut watch = lock(&self.watch);
        if let Some((last, decision)) = &watch.last
            && *last == epoch
        {
            return decision.clone();
        }
        let decision = value_of(&self.metric, epoch, store).map(|value| watch.stop.observe(value));
        if decision.as_ref().is_ok_and(|decision| decision.is_best) {
            watch.best_epoch = Some(epoch);
        }
        watch.last = Some((epoch, decision.clone()));
        decision
    }
}

/// The mean of a metric over an epoch's validation.
pub(crate) fn value_of(
    metric: &MetricName,
    epoch: usize,
    store: &EventStoreClient,
) -> Result<f64, MissingMetric> {
    store
        .find_metric(metric, epoch, Aggregate::Mean, &Split::Valid)
        .ok_or_else(|| MissingMetric {
            metric: metric.to_string(),
            epoch,
        })
}

impl<C: StopCriterion + Send> EarlyStoppingStrategy for StopHandle<C> {
    fn should_stop(&mut self, epoch: usize, store: &EventStoreClient) -> bool {
        match self.observe(epoch, store) {
            Ok(decision) => decision.should_stop(),
            Err(_) => true,
        }
    }
}

impl<C: StopCriterion + Clone + Debug + Send> EpochHook for StopHandle<C> {
    fn name(&self) -> String {
        format!("criterion on `{}`", self.metric)
    }

    fn describe(&self) -> String {
        format!("{:?}", lock(&self.watch).stop)
    }

    fn start(&mut self) {
        lock(&self.watch).stop.start();
    }

    fn end_of_epoch(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Result<Option<StopReason>, MissingMetric> {
        Ok(self.observe(epoch, store)?.stop)
    }

    fn stopped(&self) -> Option<StopReason> {
        let watch = lock(&self.watch);
        match &watch.last {
            Some((_, decision)) => decision.as_ref().ok()?.stop,
            None => watch.stopped_before,
        }
    }

    fn watched(&self) -> Option<MetricName> {
        let watches = lock(&self.watch).stop.watches_metric();
        watches.then(|| self.metric.clone())
    }

    fn best_epoch(&self) -> Option<usize> {
        lock(&self.watch).best_epoch
    }

    fn state(&self) -> Option<Vec<u8>> {
        let stopped = self.stopped();
        let watch = lock(&self.watch);
        let state = WatchState {
            stop: watch.stop.state(),
            best_epoch: watch.best_epoch,
            stopped,
        };
        Some(serde_json::to_vec(&state).expect("a criterion's state survives JSON"))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let state: WatchState<C::State> =
            serde_json::from_slice(state).map_err(|error| error.to_string())?;
        let mut watch = lock(&self.watch);
        watch.stop = watch.stop.clone().with_state(state.stop);
        watch.best_epoch = state.best_epoch;
        watch.stopped_before = state.stopped;
        Ok(())
    }
}
