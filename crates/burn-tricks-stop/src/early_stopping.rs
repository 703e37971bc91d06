//! Early stopping: end the training when the validation metric has stopped improving.
//!
//! Pure logic over numbers. After each check of the model, tell it the metric; it answers with a
//! [`Verdict`]. The rules, in this order, for the value `x` of a check:
//!
//! ```text
//! x is NaN or infinite            as the policy says: stop, count as no improvement, or ignore
//! check ≤ warmup_checks           nothing else is looked at
//! x improves on the best          best ← x, waited ← 0;  else waited ← waited + 1
//! x is finite, reaches the target stop: TargetReached
//! x beyond the divergence limit   stop: Diverged
//! waited ≥ patience               stop: NoImprovement
//! ```
//!
//! Improvement means better by *more than* `min_delta`, in units of the metric or as a fraction of
//! `|best|`. A value that is not finite is never the best.
//!
//! # Example
//!
//! ```
//! use burn_tricks_stop::{EarlyStoppingConfig, Goal, StopReason};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let mut stop = EarlyStoppingConfig::new(Goal::Minimize).with_patience(2).init()?;
//! for loss in [1.0, 0.6, 0.7] {
//!     assert!(!stop.observe(loss).should_stop());
//! }
//! let verdict = stop.observe(0.65);
//! assert_eq!(verdict.stop, Some(StopReason::NoImprovement { checks: 2 }));
//! assert_eq!((verdict.best, verdict.best_check), (Some(0.6), Some(2)));
//! # Ok(())
//! # }
//! ```
//!
//! On an accuracy, three checks late, content with 99 %:
//!
//! ```
//! use burn_tricks_stop::{EarlyStoppingConfig, Goal, MinDelta, NonFiniteMetric};
//!
//! let stop = EarlyStoppingConfig::new(Goal::Maximize)
//!     .with_patience(10)
//!     .with_min_delta(MinDelta::Absolute(0.001))
//!     .with_warmup_checks(3)
//!     .with_target(Some(0.99))
//!     .with_non_finite(NonFiniteMetric::CountAsNoImprovement)
//!     .init()?;
//! # Ok::<(), burn_tricks_core::ConfigError>(())
//! ```
//!
//! # Where it stands
//!
//! After validation. [`BestWeights`](crate::BestWeights) keeps the model of the best check. In Burn's
//! `Learner` the adapter of `burn-tricks-train` calls it.
//!
//! # Cost
//!
//! A few numbers.
//!
//! # Differences
//!
//! - `patience` counts checks, and stops at that many in a row without improvement, as Lightning does
//!   and Keras for 1 and above (in Keras 0 means the same as 1; here 0 is refused).
//! - Keras takes a NaN at the first epoch for the best value, for ever, and gives back its weights.
//! - Burn's `MetricEarlyStoppingStrategy` has patience and warm-up only, tells neither the best value
//!   nor the reason, and starts afresh when a run resumes.
//! - PyTorch's and optax's relative thresholds are wrong for negative metrics, see [`MinDelta`].
//!
//! [`MinDelta`]: burn_tricks_core::MinDelta
//!
//! # Suggested values
//!
//! Patience 3 (Lightning's default) when a check is an epoch and the learning rate constant; longer than
//! the longest plateau of the schedule when it decays. Prechelt measured the trade of time against error.
//!
//! # References
//!
//! - Prechelt, *Early stopping — but when?*, 1998, <https://doi.org/10.1007/3-540-49430-8_3>
//! - Keras, `callbacks.EarlyStopping`; Lightning, `EarlyStopping`

use burn::config::Config;
use burn_tricks_core::{ConfigError, Goal, Improvement, MinDelta};
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// What to do about a metric that is NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonFiniteMetric {
    /// Stop: [`StopReason::NonFinite`]. Warm-up does not protect from it.
    Stop,
    /// Use up patience, as any value that is no improvement. An infinity may still be worse than the
    /// divergence limit.
    CountAsNoImprovement,
    /// Go on as if there had been no check.
    Ignore,
}

/// Configuration of [`EarlyStopping`].
#[derive(Config, Debug, PartialEq)]
pub struct EarlyStoppingConfig {
    /// Which way the metric should go.
    pub goal: Goal,
    /// Checks in a row without improvement after which to stop, at least 1. Default: 3;
    /// `usize::MAX` never stops for want of improvement.
    #[config(default = 3)]
    pub patience: usize,
    /// How much better counts as an improvement. Default: anything strictly better.
    #[config(default = "MinDelta::Absolute(0.0)")]
    pub min_delta: MinDelta,
    /// Checks at the start whose values are looked at only for being finite: they neither count
    /// against patience nor become the best. Default: 0.
    #[config(default = 0)]
    pub warmup_checks: usize,
    /// A value good enough to stop at, reached when the metric equals or betters it; an infinity
    /// never does. Default: none.
    #[config(default = "None")]
    pub target: Option<f64>,
    /// A value so bad that the run is given up, when the metric is worse than it. Default: none.
    #[config(default = "None")]
    pub divergence_limit: Option<f64>,
    /// What to do about a NaN or an infinity. Default: stop.
    #[config(default = "NonFiniteMetric::Stop")]
    pub non_finite: NonFiniteMetric,
}

impl EarlyStoppingConfig {
    /// Early stopping before its first check.
    ///
    /// # Errors
    ///
    /// If `patience` is 0, `min_delta` negative or not finite, the target or the divergence limit not
    /// finite, or the limit not worse than the target.
    pub fn init(&self) -> Result<EarlyStopping, ConfigError> {
        ConfigError::at_least_one("patience", self.patience)?;
        self.min_delta.validated("min_delta")?;
        if let Some(target) = self.target {
            ConfigError::finite("target", target)?;
        }
        if let Some(limit) = self.divergence_limit {
            ConfigError::finite("divergence_limit", limit)?;
            if self
                .target
                .is_some_and(|target| !self.goal.is_better(target, limit))
            {
                return Err(ConfigError::new(
                    "divergence_limit",
                    "be worse than the target",
                    (limit, self.target),
                ));
            }
        }
        Ok(EarlyStopping {
            config: self.clone(),
            state: EarlyStoppingState::default(),
        })
    }
}

/// Why training should stop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StopReason {
    /// Patience is used up.
    NoImprovement {
        /// The checks in a row without improvement.
        checks: usize,
    },
    /// The metric is as good as was asked for.
    TargetReached {
        /// The target.
        target: f64,
    },
    /// The metric is worse than the limit.
    Diverged {
        /// The limit.
        limit: f64,
    },
    /// The metric is NaN or infinite.
    NonFinite,
}

impl Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoImprovement { checks } => write!(f, "no improvement in {checks} checks"),
            Self::TargetReached { target } => write!(f, "the target {target} is reached"),
            Self::Diverged { limit } => write!(f, "worse than the divergence limit {limit}"),
            Self::NonFinite => write!(f, "the metric is not finite"),
        }
    }
}

/// What one check showed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// The number of this check, from 1.
    pub check: usize,
    /// Whether this check is the best so far.
    pub improved: bool,
    /// The best value so far; none before the first that counts.
    pub best: Option<f64>,
    /// The check of the best value.
    pub best_check: Option<usize>,
    /// Checks in a row without improvement.
    pub waited: usize,
    /// Why to stop; none to go on.
    pub stop: Option<StopReason>,
}

impl Verdict {
    /// Whether training should stop.
    pub fn should_stop(&self) -> bool {
        self.stop.is_some()
    }
}

/// The part of [`EarlyStopping`] that a resumed run needs. Every number in it is finite, so it
/// survives JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EarlyStoppingState {
    checks: usize,
    best: Option<(f64, usize)>,
    waited: usize,
}

/// Watches a metric. Made by [`EarlyStoppingConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyStopping {
    config: EarlyStoppingConfig,
    state: EarlyStoppingState,
}

impl EarlyStopping {
    /// Takes the metric of the next check.
    ///
    /// After a verdict to stop it may be called again: the run that goes on is judged by the same
    /// rules.
    pub fn observe(&mut self, value: f64) -> Verdict {
        self.state.checks += 1;
        let finite = value.is_finite();
        if !finite && self.config.non_finite == NonFiniteMetric::Stop {
            return self.verdict(false, Some(StopReason::NonFinite));
        }
        let skipped = !finite && self.config.non_finite == NonFiniteMetric::Ignore;
        if skipped || self.state.checks <= self.config.warmup_checks {
            return self.verdict(false, None);
        }
        let best = self.state.best.map(|(best, _)| best);
        let rule = Improvement {
            goal: self.config.goal,
            min_delta: self.config.min_delta,
        };
        let improved = rule.improves(value, best);
        if improved {
            self.state.best = Some((value, self.state.checks));
            self.state.waited = 0;
        } else {
            self.state.waited += 1;
        }
        self.verdict(improved, self.reason(value))
    }

    /// What to save with a checkpoint.
    pub fn state(&self) -> &EarlyStoppingState {
        &self.state
    }

    /// Goes on where the saved state was.
    pub fn with_state(mut self, state: EarlyStoppingState) -> Self {
        self.state = state;
        self
    }

    fn reason(&self, value: f64) -> Option<StopReason> {
        let EarlyStoppingConfig {
            goal,
            patience,
            target,
            divergence_limit,
            ..
        } = self.config;
        // An infinity that is counted as no improvement is no success either.
        let reached = |target: &f64| {
            value.is_finite() && (value == *target || goal.is_better(value, *target))
        };
        if let Some(target) = target.filter(reached) {
            return Some(StopReason::TargetReached { target });
        }
        if let Some(limit) = divergence_limit.filter(|limit| goal.is_better(*limit, value)) {
            return Some(StopReason::Diverged { limit });
        }
        let checks = self.state.waited;
        (checks >= patience).then_some(StopReason::NoImprovement { checks })
    }

    fn verdict(&self, improved: bool, stop: Option<StopReason>) -> Verdict {
        Verdict {
            check: self.state.checks,
            improved,
            best: self.state.best.map(|(best, _)| best),
            best_check: self.state.best.map(|(_, check)| check),
            waited: self.state.waited,
            stop,
        }
    }
}
