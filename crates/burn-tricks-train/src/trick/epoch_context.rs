//! The epoch that has ended, and its metrics.

use crate::metric::standard_error::standard_error_name;
use crate::trick::trick_error::TrickError;
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn_tricks_stop::{Decision, StopReason};
use std::fmt::Debug;

/// The end of an epoch, at which [`Trick::epoch_end`](crate::Trick::epoch_end) is called.
///
/// ```
/// use burn::train::metric::store::Split;
/// use burn_tricks_train::EpochContext;
///
/// # fn main() -> Result<(), burn_tricks_train::TrickError> {
/// # let model = ();
/// // To call a trick by hand: the third epoch, after which `model` was validated.
/// let epoch = EpochContext::new(3, &model).with_metric("Loss", Split::Valid, 0.25);
/// assert_eq!(epoch.metric("Loss", &Split::Valid)?, 0.25);
/// let error = epoch.metric("Accuracy", &Split::Valid).unwrap_err();
/// assert!(error.to_string().contains("`Accuracy`"));
/// # Ok(())
/// # }
/// ```
pub struct EpochContext<'a, M> {
    epoch: usize,
    validated: &'a M,
    store: Option<&'a EventStoreClient>,
    given: Vec<(String, Split, f64)>,
    decision: Option<Decision>,
    stop: Option<StopReason>,
    keeps: bool,
    rolled_back: bool,
    used_up: bool,
}

impl<M> Debug for EpochContext<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EpochContext")
            .field("epoch", &self.epoch)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

impl<'a, M> EpochContext<'a, M> {
    /// The end of the epoch with this number, counted from 1, after which `validated` was validated. This value has
    /// no metrics yet.
    pub fn new(epoch: usize, validated: &'a M) -> Self {
        Self {
            epoch,
            validated,
            store: None,
            given: Vec::new(),
            decision: None,
            stop: None,
            keeps: false,
            rolled_back: false,
            used_up: false,
        }
    }

    /// Adds the mean of a metric over the epoch, for a trick that is called by hand.
    #[must_use]
    pub fn with_metric(mut self, name: &str, split: Split, mean: f64) -> Self {
        self.given.push((name.to_owned(), split, mean));
        self
    }

    /// Adds a criterion's decision on the epoch, for a trick that is called by hand.
    #[must_use]
    pub fn with_decision(mut self, decision: Decision) -> Self {
        self.decision = Some(decision);
        self
    }

    pub(crate) fn with_store(mut self, store: &'a EventStoreClient) -> Self {
        self.store = Some(store);
        self
    }

    /// The number of the epoch, from 1. A resumed run continues the count.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The model as it was validated, for prediction: the average, if a trick has one, else the trained weights.
    pub fn validated(&self) -> &'a M {
        self.validated
    }

    /// The mean of a metric over the epoch.
    ///
    /// # Errors
    ///
    /// If the metric has no value for that split: it was not registered.
    pub fn metric(&self, name: &str, split: &Split) -> Result<f64, TrickError> {
        self.find(name, split)
            .ok_or_else(|| self.missing(name, split))
    }

    /// The standard error of the mean of a metric over the epoch.
    ///
    /// # Errors
    ///
    /// If the standard error is unknown: a [`StandardErrorMetric`](crate::StandardErrorMetric) of the metric was not
    /// registered, or the epoch had fewer than two batches.
    pub fn standard_error(&self, name: &str, split: &Split) -> Result<f64, TrickError> {
        let name = standard_error_name(name);
        let error = self.find(&name, split).filter(|error| error.is_finite());
        error.ok_or_else(|| self.missing(&name, split))
    }

    /// The decision on this epoch of the criterion that determines the best epoch: the first criterion of
    /// [`stop_early`](crate::Session::stop_early) that looks at its metric.
    ///
    /// # Errors
    ///
    /// If the session has no such criterion.
    pub fn decision(&self) -> Result<Decision, TrickError> {
        self.decision.ok_or_else(|| {
            TrickError::from(
                "the best epoch is unknown, since the session has no criterion that looks at a metric: call \
                 `stop_early` with one, such as `EarlyStopping`",
            )
        })
    }

    /// Ends the training with this epoch. If this is called several times, the first reason counts; a
    /// [divergence](StopReason::is_divergence) counts only if there is no other reason, since it does not end the training
    /// if a trick [goes back](Self::roll_back) at the end of the same epoch.
    pub fn stop(&mut self, reason: StopReason) {
        let counts = match self.stop {
            Some(first) => first.is_divergence() && !reason.is_divergence(),
            None => true,
        };
        if counts {
            self.stop = Some(reason);
        }
    }

    /// The reason why a trick ends the training with this epoch, if one does.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.stop
    }

    /// Tells the session that a later [`roll_back`](Self::roll_back) goes back to the end of this epoch: it keeps
    /// [`Trick::roll_back_state`](crate::Trick::roll_back_state) of every trick.
    pub fn keep(&mut self) {
        self.keeps = true;
    }

    /// Whether a trick has called [`keep`](Self::keep).
    pub fn is_kept(&self) -> bool {
        self.keeps
    }

    /// Tells the session that this trick returns a model with other weights than the trained ones. Then
    /// every trick goes back to the state of the last epoch that was [kept](Self::keep),
    /// [`Trick::rolled_back`](crate::Trick::rolled_back) of every trick is called, and averages begin anew. The
    /// session continues, even if its criteria saw a divergence, a trick [stopped](Self::stop) the training for a
    /// divergence, or the [`decision`](Self::decision) was to stop, and patience counts anew; a limit of time or of checks,
    /// or another reason of a trick, still ends the training.
    pub fn roll_back(&mut self) {
        self.rolled_back = true;
    }

    /// Whether a trick has called [`roll_back`](Self::roll_back).
    pub fn is_rolled_back(&self) -> bool {
        self.rolled_back
    }

    /// Notes that a trick would go back if it had not done so as often as it may.
    pub(crate) fn note_used_up(&mut self) {
        self.used_up = true;
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.used_up
    }

    fn find(&self, name: &str, split: &Split) -> Option<f64> {
        let mut given = self.given.iter().rev();
        let given = given.find(|(other, at, _)| other == name && at == split);
        given.map(|(_, _, mean)| *mean).or_else(|| {
            self.store?
                .find_metric(name, self.epoch, Aggregate::Mean, split)
        })
    }

    fn missing(&self, name: &str, split: &Split) -> TrickError {
        TrickError::from(format!(
            "the metric `{name}` has no value for the split `{split}` of epoch {}: register it with `metrics` of \
             the session",
            self.epoch
        ))
    }
}
