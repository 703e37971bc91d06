//! Warm-up in front of any schedule.

use crate::anneal::Anneal;
use crate::constant_rate;
use crate::curve::Curve;
use crate::cycles::Cycles;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};
use serde::{Deserialize, Serialize};

/// Where a warm-up starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum WarmupStart {
    /// At this fraction, in `[0, 1]`, of the learning rate to which it rises. With 1 there is no warm-up.
    Factor(f64),
    /// At this learning rate, ≥ 0.
    Rate(f64),
}

/// What the wrapped schedule does during a warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WarmupMode {
    /// It waits: its first step comes after the warm-up.
    Before,
    /// It runs during the warm-up: its first step is the first step of the run.
    Over,
}

/// Configuration of [`Warmup`]: a warm-up in front of any schedule.
///
/// For the first W steps the learning rate rises from a start rate to the wrapped schedule's rate x. The curve w from
/// 0 to 1 is a line or half a cosine. After the warm-up, the rate is that of the wrapped schedule:
///
/// ```text
/// η(t) = start + (x − start) · w(t/W)    t < W
/// ```
///
/// By default x is the first learning rate of the wrapped schedule, which begins after the warm-up: give that schedule the
/// steps of the run less those of the warm-up, or the run ends before the schedule does. With [`WarmupMode::Over`] the
/// wrapped schedule runs from the first step on, and x is its present rate: give it the steps of the whole run.
///
/// # Example
///
/// A run of 100 steps, four of them for the warm-up:
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::{CosineConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = CosineConfig::new(1.0, 100 - 4).init()?.with_warmup(4)?;
/// let rates: Vec<f64> = (0..5).map(|_| schedule.step()).collect();
/// assert_eq!(rates, [0.0, 0.25, 0.5, 0.75, 1.0]);
/// # Ok(())
/// # }
/// ```
///
/// A warm-up along half a cosine from 1e-6, over the first steps of a schedule whose total length must not
/// change:
///
/// ```
/// use burn_tricks_schedule::{
///     Anneal, CosineConfig, LrSchedulerExt, WarmupConfig, WarmupMode, WarmupStart,
/// };
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let warmup = WarmupConfig::new(500)
///     .with_start(WarmupStart::Rate(1e-6))
///     .with_shape(Anneal::Cosine)
///     .with_mode(WarmupMode::Over);
/// let schedule = CosineConfig::new(0.1, 10_000).init()?.with_warmup(warmup)?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It goes around any `LrScheduler`, and around the schedulers that the `init()` of Burn's configurations
/// returns ([`ModuleLrSchedulerExt`](crate::ModuleLrSchedulerExt)). Outside of [`PerEpoch`](crate::PerEpoch) it
/// counts steps, inside it counts epochs. Inside, give it a start above 0, as the last item of the
/// [differences](#differences) does: from 0, the learning rate of the whole first epoch is 0. A reduction by a
/// [`ReduceOnPlateau`](crate::ReduceOnPlateau) around it does not start another warm-up; a floor around it also raises
/// the learning rates of the warm-up.
///
/// # Cost
///
/// At each step of the warm-up, the wrapped schedule is cloned to find its next learning rate. So a clone must not
/// share its position with the original, as it would with a counter behind an `Arc`. The state of a warm-up is the
/// number of steps taken and the state of the wrapped schedule.
///
/// # Differences
///
/// - optax's `warmup_cosine_decay_schedule` and Hugging Face's schedules include the warm-up in their length.
///   The length of the wrapped schedule does not.
/// - timm's `warmup_prefix=False` is like `Over`, but rises to the wrapped schedule's first learning rate, so the
///   rate jumps at the end of the warm-up if that schedule has fallen meanwhile. `pytorch_warmup` multiplies the
///   rate, like [`WarmupStart::Factor`] here.
/// - A warm-up by (t + 1)/n for n steps, as many papers write it, is `WarmupConfig::new(n - 1)` with the start
///   `Factor(1.0 / n)`.
///
/// # Suggested values
///
/// 5 epochs (Goyal et al.); 2/(1 − β₂) steps for Adam (Ma and Yarats), which is 2000 with β₂ = 0.999.
///
/// # References
///
/// - Goyal et al., *Accurate, large minibatch SGD*, 2017, <https://arxiv.org/abs/1706.02677>
/// - Ma, Yarats, *On the adequacy of untuned warmup for adaptive optimization*, 2021,
///   <https://arxiv.org/abs/1910.04209>
#[derive(Config, Debug, PartialEq)]
pub struct WarmupConfig {
    /// W, the length in optimizer steps. With 0 there is no warm-up.
    pub steps: usize,
    /// The learning rate of the first step. Default: 0, as in optax, Keras and Hugging Face.
    #[config(default = "WarmupStart::Factor(0.0)")]
    pub start: WarmupStart,
    /// The curve of the rise. Default: [`Anneal::Linear`].
    #[config(default = "Anneal::Linear")]
    pub shape: Anneal,
    /// What the wrapped schedule does during the warm-up. Default: [`WarmupMode::Before`].
    #[config(default = "WarmupMode::Before")]
    pub mode: WarmupMode,
}

/// A warm-up of this number of steps, from 0 along a line.
impl From<usize> for WarmupConfig {
    fn from(steps: usize) -> Self {
        Self::new(steps)
    }
}

impl WarmupConfig {
    /// The warm-up in front of `inner`, before its first step.
    ///
    /// # Errors
    ///
    /// If the start is a factor outside of `[0, 1]`, or a learning rate that is negative or not finite, or if `inner` is such a
    /// rate.
    pub fn init<S: LrScheduler + Clone + 'static>(
        &self,
        inner: S,
    ) -> Result<Warmup<S>, ConfigError> {
        constant_rate::check(&inner)?;
        match self.start {
            WarmupStart::Factor(factor) => ConfigError::within("start", factor, 0.0..=1.0)?,
            WarmupStart::Rate(rate) => ConfigError::non_negative("start", rate)?,
        };
        Ok(Warmup {
            inner,
            config: self.clone(),
            steps: 0,
        })
    }

    /// The learning rate of step `step` of the warm-up to `target`.
    fn rise(&self, step: u64, target: LearningRate) -> LearningRate {
        let start = match self.start {
            WarmupStart::Factor(factor) => factor * target,
            WarmupStart::Rate(rate) => rate,
        };
        self.shape
            .between(start, target, step as f64 / self.steps as f64)
    }
}

/// A schedule behind a warm-up. Made by [`WarmupConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Warmup<S> {
    inner: S,
    config: WarmupConfig,
    /// Steps taken.
    steps: u64,
}

impl<S> Warmup<S> {
    /// The wrapped schedule.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The wrapped schedule, mutably.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

impl<S: Curve> Curve for Warmup<S> {
    fn at(&self, step: u64) -> LearningRate {
        let rate = self.inner.at(self.inner_step(step).unwrap_or(0));
        if step < self.config.steps as u64 {
            self.config.rise(step, rate)
        } else {
            rate
        }
    }
}

impl<S> Warmup<S> {
    /// The step of the wrapped schedule at step `step`, if it has begun.
    fn inner_step(&self, step: u64) -> Option<u64> {
        match self.config.mode {
            WarmupMode::Before => step.checked_sub(self.config.steps as u64),
            WarmupMode::Over => Some(step),
        }
    }
}

impl<S: Cycles> Cycles for Warmup<S> {
    fn is_cycle_end(&self, step: u64) -> bool {
        let step = self.inner_step(step);
        step.is_some_and(|step| self.inner.is_cycle_end(step))
    }

    fn is_trough(&self, step: u64) -> bool {
        let step = self.inner_step(step);
        step.is_some_and(|step| self.inner.is_trough(step))
    }
}

impl<S: LrScheduler + Clone + 'static> LrScheduler for Warmup<S> {
    fn step(&mut self) -> LearningRate {
        let step = self.steps;
        self.steps = step.saturating_add(1);
        if step >= self.config.steps as u64 {
            return self.inner.step();
        }
        // A clone looks ahead: what a schedule will say first, only a step can tell.
        let target = match self.config.mode {
            WarmupMode::Before => self.inner.clone().step(),
            WarmupMode::Over => self.inner.step(),
        };
        self.config.rise(step, target)
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new()
            .with_scalar("kind.Warmup", true)
            .with_scalar("steps", self.steps)
            .with_record("inner", self.inner.to_record())
    }

    /// Resumes the recorded warm-up and its schedule. State that the record does not hold stays as it is.
    ///
    /// The record must be that of a warm-up. Many records of a schedule alone hold `steps` too: loaded here,
    /// such a record changes the position of the warm-up and not that of the schedule. Load it into
    /// [`inner_mut`](Self::inner_mut) instead.
    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(steps) = record.scalar("steps") {
            self.steps = steps;
        }
        self.inner.load_record(record.record("inner"));
    }
}
