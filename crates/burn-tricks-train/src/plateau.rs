//! A learning rate reduced on a plateau of a validation metric, in Burn's `Learner`.
//!
//! The `Learner` takes the schedule, the [`Session`](crate::Session) tells it the metric: both hold one
//! [`SharedPlateau`]. Its state is in Burn's checkpoint of the schedule.
//!
//! # Example
//!
//! ```
//! use burn::lr_scheduler::LrScheduler;
//! use burn_tricks_core::Goal;
//! use burn_tricks_schedule::{CosineConfig, LrSchedulerExt as _, PlateauConfig};
//! use burn_tricks_train::SharedPlateau;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let schedule = CosineConfig::new(0.1, 10_000)
//!     .init()?
//!     .reduced_on_plateau(&PlateauConfig::new(Goal::Minimize))?;
//! let plateau = SharedPlateau::new(schedule);
//! // `Learner::new(model, optim, plateau.clone())`, `session.reduce_on_plateau(LossMetric::new(), &plateau)`
//! assert_eq!(plateau.scale(), 1.0);
//! assert_eq!(plateau.clone().step(), 0.1);
//! # Ok(())
//! # }
//! ```

use crate::StateError;
use crate::epoch_end::EpochHook;
use crate::stop_early::MissingMetric;
use crate::stop_handle::value_of;
use crate::tricked::lock;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn::train::metric::MetricName;
use burn::train::metric::store::EventStoreClient;
use burn_tricks_schedule::ReduceOnPlateau;
use burn_tricks_stop::StopReason;
use std::sync::{Arc, Mutex};

/// A schedule that is stepped in one place and told of a metric in another. Clones are one schedule.
#[derive(Debug)]
pub struct SharedPlateau<S>(Arc<Mutex<ReduceOnPlateau<S>>>);

impl<S> Clone for SharedPlateau<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> SharedPlateau<S> {
    /// Of a schedule that is reduced on a plateau.
    pub fn new(schedule: ReduceOnPlateau<S>) -> Self {
        Self(Arc::new(Mutex::new(schedule)))
    }

    /// What the reductions so far come to.
    pub fn scale(&self) -> f64
    where
        S: Clone,
    {
        lock(&self.0).plateau().scale()
    }

    /// Takes the metric of the next check, and says whether the scale has just become smaller.
    pub fn observe(&self, value: f64) -> bool {
        lock(&self.0).observe(value)
    }
}

impl<S: LrScheduler + Clone + 'static> LrScheduler for SharedPlateau<S> {
    fn step(&mut self) -> LearningRate {
        lock(&self.0).step()
    }

    fn to_record(&self) -> LrSchedulerRecord {
        lock(&self.0).to_record()
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        lock(&self.0).load_record(record);
    }
}

/// Tells a plateau of a metric.
pub(crate) struct Watching<S> {
    pub(crate) metric: MetricName,
    pub(crate) plateau: SharedPlateau<S>,
}

impl<S: Send> EpochHook for Watching<S> {
    fn end_of_epoch(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Result<Option<StopReason>, MissingMetric> {
        let value = value_of(&self.metric, epoch, store)?;
        self.plateau.observe(value);
        Ok(None)
    }

    fn load_state(&mut self, _state: &[u8]) -> Result<(), StateError> {
        // Its own is in the schedule's record.
        Err("a state was saved where there is a plateau now: are stopping and plateau in another order?"
            .into())
    }
}
