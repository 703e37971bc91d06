//! Any schedule, reduced when a metric stops improving.

use crate::constant_rate;
use crate::cycles::cycles_of_inner;
use crate::plateau::{Plateau, PlateauConfig, PlateauState};
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;

/// Any schedule, reduced when a metric stops improving. Made by [`ReduceOnPlateau::init`].
///
/// With s the scale of a [`Plateau`], and x the wrapped schedule's rate:
///
/// ```text
/// η(t) = max(x · s, min(x, floor))
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_core::Goal;
/// use burn_tricks_schedule::{LrSchedulerExt, Patience, PlateauConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let config = PlateauConfig::new(Goal::Minimize).with_patience(Patience::Reached(1));
/// let mut schedule = 0.5.reduced_on_plateau(&config.with_factor(0.5))?; // of a constant rate
/// assert_eq!(schedule.step(), 0.5);
/// assert!(!schedule.observe(2.0));
/// assert!(schedule.observe(2.0), "no improvement");
/// assert_eq!(schedule.step(), 0.25);
/// # Ok(())
/// # }
/// ```
///
/// Behind a warm-up, by an accuracy, never reduced below 1e-5:
///
/// ```
/// use burn_tricks_core::Goal;
/// use burn_tricks_schedule::{LrSchedulerExt, PlateauConfig, WarmupConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = 1e-3
///     .with_warmup(WarmupConfig::new(500))?
///     .reduced_on_plateau(&PlateauConfig::torch(Goal::Maximize).with_floor(1e-5))?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It should be the outermost wrapper, so that you can call `observe`; inside another wrapper, call `inner_mut`
/// first. Inside [`PerEpoch`](crate::PerEpoch) a reduction takes effect at the next epoch.
///
/// # Cost
///
/// Two operations per step. Its state is that of the plateau and that of the wrapped schedule.
///
/// # Differences
///
/// - PyTorch's and Keras's classes set the optimizer's learning rate, so another schedule overwrites that rate or is
///   overwritten. Here the scale multiplies the rate of the schedule.
/// - Their `min_lr` would raise a learning rate that a schedule has brought below it. The floor here only bounds what the
///   scale makes of a rate; the scale itself goes on falling, down to `min_scale`. [`Floor`](crate::Floor) raises a rate.
///
/// # Suggested values
///
/// See [`PlateauConfig`](crate::PlateauConfig).
///
/// # References
///
/// - PyTorch, `ReduceLROnPlateau`; Keras, `callbacks.ReduceLROnPlateau`
#[derive(Debug, Clone, PartialEq)]
pub struct ReduceOnPlateau<S> {
    inner: S,
    plateau: Plateau,
}

impl<S> ReduceOnPlateau<S> {
    /// `inner`, reduced when a metric stops improving.
    ///
    /// # Errors
    ///
    /// As [`PlateauConfig::init`], and if `inner` is a constant rate that is negative or not finite.
    pub fn init(inner: S, config: &PlateauConfig) -> Result<Self, ConfigError>
    where
        S: 'static,
    {
        constant_rate::check(&inner)?;
        Ok(Self {
            inner,
            plateau: config.init()?,
        })
    }

    /// Takes the metric of a check, and returns whether the scale has just become smaller: see
    /// [`Plateau::observe`]. (If the learning rate is at its floor already, it does not fall further.)
    pub fn observe(&mut self, value: impl Into<f64>) -> bool {
        self.plateau.observe(value)
    }

    /// The plateau detector.
    pub fn plateau(&self) -> &Plateau {
        &self.plateau
    }

    /// The plateau detector, mutably: for code that observes the metric elsewhere.
    pub fn plateau_mut(&mut self) -> &mut Plateau {
        &mut self.plateau
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

cycles_of_inner!(ReduceOnPlateau);

impl<S: LrScheduler + Clone + 'static> LrScheduler for ReduceOnPlateau<S> {
    fn step(&mut self) -> LearningRate {
        let rate = self.inner.step();
        let floor = self.plateau.config.floor;
        let reduced = rate * self.plateau.scale();
        // Not `f64::min` and `f64::max`, which would hide a NaN.
        let floor = if rate < floor { rate } else { floor };
        if reduced < floor { floor } else { reduced }
    }

    fn to_record(&self) -> LrSchedulerRecord {
        let state = &self.plateau.state;
        let mut record = LrSchedulerRecord::new()
            .with_scalar("kind.ReduceOnPlateau", true)
            .with_scalar("bad", state.bad as u64)
            .with_scalar("cooldown_left", state.cooldown_left as u64)
            .with_scalar("reductions", state.reductions as u64)
            .with_record("inner", self.inner.to_record());
        if let Some(best) = state.best {
            record = record.with_scalar("best", best);
        }
        record
    }

    /// Resumes the recorded schedule and its plateau. A record of another kind of schedule does not change the
    /// plateau.
    fn load_record(&mut self, record: LrSchedulerRecord) {
        let count = |key| record.scalar::<u64>(key).map(|count| count as usize);
        if let (Some(bad), Some(cooldown_left), Some(reductions)) =
            (count("bad"), count("cooldown_left"), count("reductions"))
        {
            self.plateau.state = PlateauState {
                best: record.scalar("best"),
                bad,
                cooldown_left,
                reductions,
            };
        }
        self.inner.load_record(record.record("inner"));
    }
}
