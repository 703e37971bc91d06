//! A schedule that counts epochs.

use crate::constant_rate;
use crate::curve::Curve;
use crate::cycles::Cycles;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;

/// A schedule that counts epochs. Made by [`PerEpoch::init`].
///
/// The wrapped schedule is stepped once per epoch of n optimizer steps, and its learning rate is constant in
/// between: every length in its configuration counts epochs.
///
/// ```text
/// η(t) = inner(⌊t / n⌋)
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::{LrSchedulerExt, MultiStepConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let milestones_in_epochs = vec![1, 2];
/// let mut schedule = MultiStepConfig::new(1.0, milestones_in_epochs)
///     .with_gamma(0.5)
///     .init()?
///     .per_epoch(2)?;
/// let rates: Vec<f64> = (0..6).map(|_| schedule.step()).collect();
/// assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
/// # Ok(())
/// # }
/// ```
///
/// A warm-up by steps in front of a cosine by epochs:
///
/// ```
/// use burn_tricks_schedule::{CosineConfig, LrSchedulerExt, WarmupConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = CosineConfig::new(0.1, 30)
///     .init()?
///     .per_epoch(391)?
///     .with_warmup(WarmupConfig::new(500))?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It goes around any `LrScheduler`. A warm-up inside it that starts at 0 gives the whole first epoch the learning rate 0:
/// start it above 0, here over five epochs at 1/5, 2/5 and so on of the full rate:
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::{CosineConfig, LrSchedulerExt, WarmupConfig, WarmupStart};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let warmup = WarmupConfig::new(4).with_start(WarmupStart::Factor(1.0 / 5.0));
/// let mut schedule = CosineConfig::new(0.1, 26).init()?.with_warmup(warmup)?.per_epoch(391)?;
/// assert!((schedule.step() - 0.02).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
///
/// A [`ReduceOnPlateau`](crate::ReduceOnPlateau) inside it changes the learning
/// rate at the next epoch; one outside changes it at once.
///
/// # Cost
///
/// Its state is the number of steps taken, the present learning rate, and the state of the wrapped schedule.
///
/// # Differences
///
/// - PyTorch's schedules count epochs when their `step` is called once per epoch; timm's do with
///   `t_in_epochs=True`.
///
/// # Suggested values
///
/// n is the number of optimizer steps in an epoch, [`Run::steps_per_epoch`](crate::Run::steps_per_epoch).
///
/// # References
///
/// - timm, `scheduler.Scheduler`
#[derive(Debug, Clone, PartialEq)]
pub struct PerEpoch<S> {
    inner: S,
    steps_per_epoch: u64,
    /// Steps taken.
    steps: u64,
    /// The learning rate of the present epoch; not valid before the first step.
    rate: LearningRate,
}

impl<S> PerEpoch<S> {
    /// `inner`, stepped once per `steps_per_epoch` optimizer steps. With 1 it is `inner` itself.
    ///
    /// # Errors
    ///
    /// If `steps_per_epoch` is 0, or `inner` is a constant rate that is negative or not finite.
    pub fn init(inner: S, steps_per_epoch: usize) -> Result<Self, ConfigError>
    where
        S: 'static,
    {
        constant_rate::check(&inner)?;
        ConfigError::at_least_one("steps_per_epoch", steps_per_epoch)?;
        Ok(Self {
            inner,
            steps_per_epoch: steps_per_epoch as u64,
            steps: 0,
            rate: 0.0,
        })
    }

    /// The wrapped schedule.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The wrapped schedule, mutably.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

impl<S: Curve> Curve for PerEpoch<S> {
    fn at(&self, step: u64) -> LearningRate {
        self.inner.at(step / self.steps_per_epoch)
    }
}

impl<S> PerEpoch<S> {
    /// The epoch whose last step is `step`, if it is one.
    fn epoch_ended_by(&self, step: u64) -> Option<u64> {
        let last = self.steps_per_epoch - 1;
        (step % self.steps_per_epoch == last).then_some(step / self.steps_per_epoch)
    }
}

impl<S: Cycles> Cycles for PerEpoch<S> {
    fn is_cycle_end(&self, step: u64) -> bool {
        let epoch = self.epoch_ended_by(step);
        epoch.is_some_and(|epoch| self.inner.is_cycle_end(epoch))
    }

    fn is_trough(&self, step: u64) -> bool {
        let epoch = self.epoch_ended_by(step);
        epoch.is_some_and(|epoch| self.inner.is_trough(epoch))
    }
}

impl<S: LrScheduler + Clone + 'static> LrScheduler for PerEpoch<S> {
    fn step(&mut self) -> LearningRate {
        if self.steps.is_multiple_of(self.steps_per_epoch) {
            self.rate = self.inner.step();
        }
        self.steps = self.steps.saturating_add(1);
        self.rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new()
            .with_scalar("kind.PerEpoch", true)
            .with_scalar("steps", self.steps)
            .with_scalar("rate", self.rate)
            .with_record("inner", self.inner.to_record())
    }

    /// Resumes the recorded schedule, also in the middle of an epoch. A record of another kind of schedule does
    /// not change the position in the epoch.
    ///
    /// The record must be that of a `PerEpoch`. The record of a schedule without wrappers counts optimizer steps, which are no
    /// epochs: loaded here, it changes nothing, and the schedule begins anew in a resumed run. If that schedule was stepped
    /// once per epoch, load its record into [`inner_mut`](Self::inner_mut) instead.
    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let (Some(steps), Some(rate)) = (record.scalar("steps"), record.scalar("rate")) {
            self.steps = steps;
            self.rate = rate;
        }
        self.inner.load_record(record.record("inner"));
    }
}
