//! Warm-up in front of any schedule.
//!
//! For the first W steps the rate rises from a start to the wrapped schedule's rate x, along a line or
//! half a cosine, w(p) of the way at time p = t/W; then the wrapped schedule alone speaks:
//!
//! ```text
//! η(t) = start + (x − start) · w(t/W)    t < W
//! ```
//!
//! By default x is the wrapped schedule's first rate and that schedule begins after the warm-up. With
//! [`WarmupMode::Over`] it runs from the first step on, underneath, and x is its present rate.
//!
//! # Example
//!
//! ```
//! use burn::lr_scheduler::LrScheduler;
//! use burn_tricks_schedule::{CosineConfig, LrSchedulerExt};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let mut schedule = CosineConfig::new(1.0, 100).init()?.with_warmup(4)?;
//! let rates: Vec<f64> = (0..5).map(|_| schedule.step()).collect();
//! assert_eq!(rates, [0.0, 0.25, 0.5, 0.75, 1.0]);
//! # Ok(())
//! # }
//! ```
//!
//! Half a cosine from 1e-6, over the first steps of a schedule whose length must not change:
//!
//! ```
//! use burn_tricks_schedule::{
//!     Anneal, CosineConfig, LrSchedulerExt, WarmupConfig, WarmupMode, WarmupStart,
//! };
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let warmup = WarmupConfig::new(500)
//!     .with_start(WarmupStart::Rate(1e-6))
//!     .with_shape(Anneal::Cosine)
//!     .with_mode(WarmupMode::Over);
//! let schedule = CosineConfig::new(0.1, 10_000).init()?.with_warmup(warmup)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! Around any `LrScheduler`, and around what Burn's `init()` gives
//! ([`ModuleLrSchedulerExt`](crate::ModuleLrSchedulerExt)). Outside
//! [`PerEpoch`](crate::PerEpoch) it counts steps, inside epochs. A plateau outside it is not warmed up
//! again; a floor outside it lifts the warm-up too.
//!
//! # Cost
//!
//! During the warm-up a clone of the wrapped schedule per step, with which it looks ahead: the clone must
//! not share its place with the schedule, as a counter behind an `Arc` would. Its state is the number of steps
//! taken and the wrapped schedule's.
//!
//! # Differences
//!
//! - optax's `warmup_cosine_decay_schedule` and Hugging Face's schedules count the warm-up into the length:
//!   give the wrapped schedule the rest of the run.
//! - timm's `warmup_prefix=False` is `Over`, but rises to the first rate, and so jumps where the wrapped
//!   schedule has fallen meanwhile; `pytorch_warmup` multiplies, as here with a factor.
//! - Where papers write (t + 1)/n for n steps: `WarmupConfig::new(n - 1)` from `Factor(1.0 / n)`.
//!
//! # Suggested values
//!
//! 5 epochs (Goyal et al.); 2/(1 − β₂) steps for Adam (Ma and Yarats), 2000 with the usual β₂.
//!
//! # References
//!
//! - Goyal et al., *Accurate, large minibatch SGD*, 2017, <https://arxiv.org/abs/1706.02677>
//! - Ma, Yarats, *On the adequacy of untuned warmup for adaptive optimization*, 2021,
//!   <https://arxiv.org/abs/1910.04209>

use crate::{Anneal, Curve, Cycles};
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};
use serde::{Deserialize, Serialize};

/// Where a warm-up starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum WarmupStart {
    /// At this fraction, in `[0, 1]`, of the rate it rises to. With 1 there is no warm-up.
    Factor(f64),
    /// At this rate, ≥ 0.
    Rate(f64),
}

/// What the wrapped schedule does during a warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WarmupMode {
    /// It waits: its first step comes after the warm-up.
    Before,
    /// It runs underneath: its first step is the first of all.
    Over,
}

/// Configuration of [`Warmup`].
#[derive(Config, Debug, PartialEq)]
pub struct WarmupConfig {
    /// W, in optimizer steps. 0: none.
    pub steps: usize,
    /// The rate of the first step. Default: 0, as optax, Keras and Hugging Face have it.
    #[config(default = "WarmupStart::Factor(0.0)")]
    pub start: WarmupStart,
    /// The way up. Default: [`Anneal::Linear`].
    #[config(default = "Anneal::Linear")]
    pub shape: Anneal,
    /// What the wrapped schedule does meanwhile. Default: [`WarmupMode::Before`].
    #[config(default = "WarmupMode::Before")]
    pub mode: WarmupMode,
}

/// A warm-up of so many steps, from 0 along a line.
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
    /// If the start is a factor not in `[0, 1]`, or a rate that is negative or not finite.
    pub fn init<S: LrScheduler + Clone>(&self, inner: S) -> Result<Warmup<S>, ConfigError> {
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

    /// The rate of step `step` of the warm-up to `target`.
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

    /// The wrapped schedule, to change.
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
            .with_scalar("steps", self.steps)
            .with_record("inner", self.inner.to_record())
    }

    /// Goes on where the recorded warm-up and its schedule were. What the record lacks stays as it is.
    ///
    /// The record must be a warm-up's: a record of the wrapped schedule alone, many of which count
    /// `steps` too, moves the warm-up and leaves the schedule where it is. For that, load it into
    /// [`inner_mut`](Self::inner_mut).
    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(steps) = record.scalar("steps") {
            self.steps = steps;
        }
        self.inner.load_record(record.record("inner"));
    }
}
