//! A learning rate reduced on a plateau of a validation metric, in Burn's `Learner`.
//!
//! The `Learner` takes the schedule, the [`Session`](crate::Session) tells it the metric: both hold a clone of
//! one [`SharedPlateau`]. Its state is in Burn's checkpoint of the schedule.
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
//! // `Learner::new(model, optim, plateau.clone())`, `session.reduce_on_plateau(SampleLossMetric::new(), &plateau)`
//! assert_eq!(plateau.scale(), 1.0);
//! assert_eq!(plateau.clone().step(), 0.1);
//! # Ok(())
//! # }
//! ```
//!
//! Behind a warm-up. The session is given `plateau` itself:
//!
//! ```
//! use burn::lr_scheduler::LrScheduler;
//! use burn_tricks_core::Goal;
//! use burn_tricks_schedule::{LrSchedulerExt as _, PlateauConfig, WarmupConfig};
//! use burn_tricks_train::SharedPlateau;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let plateau = SharedPlateau::new(0.1.reduced_on_plateau(&PlateauConfig::new(Goal::Minimize))?);
//! let mut schedule = plateau.clone().with_warmup(WarmupConfig::new(2))?;
//! // `Learner::new(model, optim, schedule)`, `session.reduce_on_plateau(SampleLossMetric::new(), &plateau)`
//! assert_eq!([schedule.step(), schedule.step(), schedule.step()], [0.0, 0.05, 0.1]);
//! # Ok(())
//! # }
//! ```

use crate::lock::lock;
use crate::session::epoch_end::EpochHook;
use crate::stop::stop_early::MissingMetric;
use crate::stop::stop_handle::value_of;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn::train::metric::MetricName;
use burn::train::metric::store::EventStoreClient;
use burn_tricks_schedule::{Cycles, Plateau, ReduceOnPlateau};
use burn_tricks_stop::StopReason;
use std::sync::{Arc, Mutex};

/// A schedule that is stepped in one place and told of a metric in another.
///
/// Clones share what has been observed, and so the scale. The wrapped schedule is not shared: each clone is
/// at a step of its own, as any schedule's clone is, so that a wrapper may look ahead with a clone, and two
/// groups of parameters may have one each. To go back to what was observed earlier, keep the record: a clone
/// does not.
#[derive(Debug)]
pub struct SharedPlateau<S> {
    /// Its plateau is that of `observed`, as it was when last looked at.
    schedule: ReduceOnPlateau<S>,
    observed: Arc<Mutex<Plateau>>,
}

impl<S: Clone> Clone for SharedPlateau<S> {
    fn clone(&self) -> Self {
        Self {
            schedule: self.schedule.clone(),
            observed: self.observed.clone(),
        }
    }
}

impl<S> SharedPlateau<S> {
    /// Of a schedule that is reduced on a plateau.
    pub fn new(schedule: ReduceOnPlateau<S>) -> Self {
        Self {
            observed: Arc::new(Mutex::new(schedule.plateau().clone())),
            schedule,
        }
    }

    /// What the reductions so far come to.
    pub fn scale(&self) -> f64 {
        lock(&self.observed).scale()
    }

    /// Takes the metric of the next check, and says whether the scale has just become smaller.
    pub fn observe(&self, value: f64) -> bool {
        lock(&self.observed).observe(value)
    }
}

impl<S: LrScheduler + Clone + 'static> LrScheduler for SharedPlateau<S> {
    fn step(&mut self) -> LearningRate {
        *self.schedule.plateau_mut() = lock(&self.observed).clone();
        self.schedule.step()
    }

    fn to_record(&self) -> LrSchedulerRecord {
        let mut schedule = self.schedule.clone();
        *schedule.plateau_mut() = lock(&self.observed).clone();
        schedule.to_record()
    }

    /// Goes on where the recorded schedule was; every clone has the recorded scale then.
    fn load_record(&mut self, record: LrSchedulerRecord) {
        // A record of another kind of schedule leaves the plateau as it is: as it is now.
        let mut observed = lock(&self.observed);
        *self.schedule.plateau_mut() = observed.clone();
        self.schedule.load_record(record);
        *observed = self.schedule.plateau().clone();
    }
}

/// Those of the wrapped schedule.
impl<S: Cycles> Cycles for SharedPlateau<S> {
    fn is_cycle_end(&self, step: u64) -> bool {
        self.schedule.is_cycle_end(step)
    }

    fn is_trough(&self, step: u64) -> bool {
        self.schedule.is_trough(step)
    }
}

/// Tells a plateau of a metric.
pub(crate) struct Watching<S> {
    pub(crate) metric: MetricName,
    pub(crate) plateau: SharedPlateau<S>,
}

impl<S: Send> EpochHook for Watching<S> {
    fn holders(&self) -> Option<(MetricName, usize)> {
        let holders = Arc::strong_count(&self.plateau.observed);
        Some((self.metric.clone(), holders))
    }

    fn undo(&self) -> Box<dyn FnOnce()> {
        let observed = self.plateau.observed.clone();
        let before = lock(&observed).clone();
        Box::new(move || *lock(&observed) = before)
    }

    fn name(&self) -> String {
        format!("plateau on `{}`", self.metric)
    }

    fn describe(&self) -> String {
        format!("{:?}", lock(&self.plateau.observed))
    }

    fn end_of_epoch(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Result<Option<StopReason>, MissingMetric> {
        let value = value_of(&self.metric, epoch, store)?;
        self.plateau.observe(value);
        Ok(None)
    }
}
