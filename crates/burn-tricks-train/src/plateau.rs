//! A learning rate reduced on a plateau of a validation metric, in Burn's `Learner`.

use crate::lock::lock;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;
use burn_tricks_schedule::{Cycles, LrSchedulerExt as _, Plateau, PlateauConfig, ReduceOnPlateau};
use std::sync::{Arc, Mutex};

/// `with_shared_plateau` for every schedule.
pub trait SharedPlateauExt: LrScheduler + Clone + Sized + 'static {
    /// This schedule, reduced on a plateau of the metric that a [`Session`](crate::Session::reduce_on_plateau) passes
    /// to it.
    ///
    /// # Errors
    ///
    /// The errors of [`ReduceOnPlateau`]: if a value of `config` is not allowed.
    fn with_shared_plateau(
        self,
        config: &PlateauConfig,
    ) -> Result<SharedPlateau<Self>, ConfigError> {
        Ok(SharedPlateau::new(self.reduced_on_plateau(config)?))
    }
}

impl<S: LrScheduler + Clone + 'static> SharedPlateauExt for S {}

/// A learning rate reduced on a plateau of a validation metric, in Burn's `Learner`.
///
/// Clones share the state of the plateau, and so the scale of the learning rate. They do not share the wrapped
/// schedule: each clone has a step of its own, like the clone of any schedule, so that a wrapper may look ahead with
/// a clone, and two groups of parameters may have one clone each. To restore an earlier state of the plateau, keep
/// the record, since a clone does not keep it.
///
/// The `Learner` steps the schedule, and the [`Session`](crate::Session) passes the metric to its plateau: both share
/// the plateau's state, which is saved in Burn's checkpoint of the schedule.
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_core::Goal;
/// use burn_tricks_schedule::{CosineConfig, PlateauConfig};
/// use burn_tricks_train::SharedPlateauExt as _;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let cosine = CosineConfig::new(0.1, 10_000).init()?;
/// let mut schedule = cosine.with_shared_plateau(&PlateauConfig::new(Goal::Minimize))?;
/// // `session.reduce_on_plateau(SampleLossMetric::new(), &schedule)`, `Learner::new(model, optim, schedule)`
/// assert_eq!(schedule.scale(), 1.0);
/// assert_eq!(schedule.step(), 0.1);
/// # Ok(())
/// # }
/// ```
///
/// With a warm-up around the plateau, pass the plateau to the session and the whole schedule to the `Learner`:
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_core::Goal;
/// use burn_tricks_schedule::{LrSchedulerExt as _, PlateauConfig, WarmupConfig};
/// use burn_tricks_train::SharedPlateauExt as _;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let plateau = 0.1.with_shared_plateau(&PlateauConfig::new(Goal::Minimize))?;
/// let mut schedule = plateau.clone().with_warmup(WarmupConfig::new(2))?;
/// // `session.reduce_on_plateau(SampleLossMetric::new(), &plateau)`, `Learner::new(model, optim, schedule)`
/// assert_eq!([schedule.step(), schedule.step(), schedule.step()], [0.0, 0.05, 0.1]);
/// # Ok(())
/// # }
/// ```
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

    /// The plateau with what it has observed so far.
    pub(crate) fn observed(&self) -> Arc<Mutex<Plateau>> {
        self.observed.clone()
    }

    /// The product of all reductions so far.
    pub fn scale(&self) -> f64 {
        lock(&self.observed).scale()
    }

    /// Takes the metric of the next check, and returns whether the scale has just become smaller.
    pub fn observe(&self, value: impl Into<f64>) -> bool {
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

    /// Continues from the position of the recorded schedule. After this, every clone has the recorded scale.
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
