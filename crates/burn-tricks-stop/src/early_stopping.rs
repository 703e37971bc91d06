//! Early stopping.

use crate::counting::Counting;
use crate::criterion::{Observation, StopCriterion};
use crate::decision::{Decision, StopReason};
use crate::non_finite_metric::NonFiniteMetric;
use burn_tricks_core::{Config, ConfigError, Goal, Improvement, MinDelta};
use serde::{Deserialize, Serialize};

/// Configuration of [`EarlyStopping`]: end the training when the validation metric has stopped improving.
///
/// [`EarlyStopping`] is pure logic over numbers. After each check of the model, call `observe` with the metric; it
/// returns a [`Decision`]. These rules apply, in this order, to the value `x` of a check:
///
/// ```text
/// x is NaN or infinite            as the policy says: stop, count as no improvement, or ignore
/// check ≤ warmup_checks           nothing else is looked at
/// x is better than the best       best ← x, the check whose weights are to be kept
/// x improves on the reference r   r ← x
/// ... and on the baseline         waited ← 0;  else waited ← waited + 1
/// x is finite, reaches the target stop: TargetReached
/// x beyond the divergence limit   stop: Diverged
/// waited ≥ patience               stop: NoImprovement, or BaselineNotBeaten if that is so
/// ```
///
/// The best check is the one with the best value, by however little. An *improvement* matters for patience alone: it
/// is a value that is better than the reference by *more than* `min_delta`, in units of the metric or as a fraction
/// of `|r|`. The reference `r` is the last value that was an improvement, or the first value that counts. So several
/// small gains in a row add up to an improvement. A value that is not finite, or beyond the divergence limit, is
/// neither the best nor an improvement.
///
/// # Example
///
/// ```
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal, StopReason};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut stop = EarlyStoppingConfig::new(Goal::Minimize).with_patience(2).init()?;
/// for loss in [1.0, 0.6, 0.7] {
///     assert!(!stop.observe(loss).should_stop());
/// }
/// let decision = stop.observe(0.65);
/// assert_eq!(decision.stop, Some(StopReason::NoImprovement { checks: 2 }));
/// assert_eq!((decision.best, decision.best_check), (Some(0.6), Some(2)));
/// # Ok(())
/// # }
/// ```
///
/// With `min_delta`: the value 0.495 uses up patience, but is the best value.
///
/// ```
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal, MinDelta, StopReason};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let config = EarlyStoppingConfig::new(Goal::Minimize).with_patience(2);
/// let mut stop = config.with_min_delta(MinDelta::Absolute(0.01)).init()?;
/// stop.observe(0.500);
/// let decision = stop.observe(0.495);
/// assert!(decision.is_best && !decision.improved);
/// let decision = stop.observe(0.7);
/// assert_eq!(decision.stop, Some(StopReason::NoImprovement { checks: 2 }));
/// assert_eq!(decision.best_check, Some(2));
/// # Ok(())
/// # }
/// ```
///
/// For an accuracy, with a warm-up of three checks and a target of 99 %:
///
/// ```
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal, MinDelta, NonFiniteMetric};
///
/// let stop = EarlyStoppingConfig::new(Goal::Maximize)
///     .with_patience(10)
///     .with_min_delta(MinDelta::Absolute(0.001))
///     .with_warmup_checks(3)
///     .with_target(Some(0.99))
///     .with_non_finite(NonFiniteMetric::CountAsNoImprovement)
///     .init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// With Keras's rules of counting (see [`Counting`]):
///
/// ```
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal, StopReason};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let keras = EarlyStoppingConfig::keras(Goal::Minimize).with_patience(2).with_baseline(Some(0.5));
/// let ours = keras.clone().with_counting(Default::default());
/// let (mut keras, mut ours) = (keras.init()?, ours.init()?);
/// for loss in [1.0, 0.9] {
///     assert_eq!(keras.observe(loss).stop, None); // it improves, though short of the baseline
///     ours.observe(loss);
/// }
/// let reason = StopReason::BaselineNotBeaten { baseline: 0.5, checks: 3 };
/// assert_eq!(ours.observe(0.8).stop, Some(reason));
/// assert_eq!(keras.observe(0.8).stop, None);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `observe` after validation. [`BestWeights`](crate::BestWeights) keeps the model of the best check. In Burn's
/// `Learner`, `burn-tricks-train` calls `observe`.
///
/// # Cost
///
/// A few numbers.
///
/// # Differences
///
/// - Training stops after `patience` checks in a row without improvement, as in Lightning, and as in Keras for a
///   patience of 1 and above. In both libraries 0 means the same as 1; here 0 is refused. [`Counting`] has the other
///   rules by which Keras and Lightning count.
/// - Keras's `EarlyStopping(restore_best_weights=True)` gives back the weights of the last improvement by
///   more than `min_delta`, here those of check 1 in the example with a least improvement. Its
///   `ModelCheckpoint(save_best_only=True)` and Lightning's `ModelCheckpoint` know no `min_delta` and keep
///   the best value, as here.
/// - Keras takes a NaN or an infinity at the first epoch as the best value (a NaN remains the best), and gives back
///   the weights of that epoch. No rule of [`Counting`] does that.
/// - Lightning's best score does not include a value that reaches the threshold. Here that value is the best, with
///   every rule of counting, so its weights are kept.
/// - Burn's `MetricEarlyStoppingStrategy` has patience and warm-up only, reports neither the best value nor the
///   reason, and starts afresh when a run resumes.
/// - PyTorch's and optax's relative thresholds are wrong for negative metrics, see [`MinDelta`].
///
/// [`MinDelta`]: burn_tricks_core::MinDelta
///
/// # Suggested values
///
/// Patience 3 (Lightning's default) if a check is an epoch and the learning rate is constant; if the schedule decays,
/// a patience longer than its longest plateau. Prechelt measured the trade-off between time and error.
///
/// # References
///
/// - Prechelt, *Early stopping — but when?*, 1998, <https://doi.org/10.1007/3-540-49430-8_3>
/// - Keras, `callbacks.EarlyStopping`; Lightning, `EarlyStopping`
#[derive(Config, Debug, PartialEq)]
pub struct EarlyStoppingConfig {
    /// Which way the metric should go.
    pub goal: Goal,
    /// Checks in a row without improvement after which to stop, at least 1, or 0 where [`counting`](Self::counting)
    /// gives it a meaning. Default: 3; `usize::MAX` never stops for lack of improvement.
    #[config(default = 3)]
    pub patience: usize,
    /// By how much a value must be better than the last improvement to count as an improvement, for patience. The
    /// best check is the one with the best value, whatever `min_delta` is. Default: anything strictly better.
    #[config(default = "MinDelta::Absolute(0.0)")]
    pub min_delta: MinDelta,
    /// Checks at the start whose values are looked at only for being finite: they neither count
    /// against patience nor become the best. Default: 0.
    #[config(default = 0)]
    pub warmup_checks: usize,
    /// A value that must be beaten by more than `min_delta` for an improvement to count: until then each check uses
    /// up patience. Default: none.
    #[config(default = "None")]
    pub baseline: Option<f64>,
    /// A value that is good enough to stop. It is reached when the metric equals it or is better; an infinity never
    /// reaches it. Default: none.
    #[config(default = "None")]
    pub target: Option<f64>,
    /// The run stops as diverged when the metric is worse than this value. Default: none.
    #[config(default = "None")]
    pub divergence_limit: Option<f64>,
    /// What to do about a NaN or an infinity. Default: stop.
    #[config(default = "NonFiniteMetric::Stop")]
    pub non_finite: NonFiniteMetric,
    /// Which library's rules of counting to follow. Default: [`Counting::Documented`].
    #[config(default = "Counting::Documented")]
    pub counting: Counting,
}

impl EarlyStoppingConfig {
    /// The defaults of Keras's `EarlyStopping` and its counting: patience 0, which means 1, and a NaN is
    /// no improvement. `warmup_checks` is its `start_from_epoch`.
    pub fn keras(goal: Goal) -> Self {
        Self::new(goal)
            .with_patience(0)
            .with_non_finite(NonFiniteMetric::CountAsNoImprovement)
            .with_counting(Counting::Keras)
    }

    /// The defaults of Lightning's `EarlyStopping` and its counting: patience 3, and a value that is not
    /// finite stops. `target` is its `stopping_threshold`, `divergence_limit` its
    /// `divergence_threshold`, and [`NonFiniteMetric::CountAsNoImprovement`] its `check_finite=False`.
    pub fn lightning(goal: Goal) -> Self {
        Self::new(goal)
            .with_patience(3)
            .with_counting(Counting::Lightning)
    }

    /// The criterion before its first check.
    ///
    /// # Errors
    ///
    /// If `patience` is 0 in [`Counting::Documented`], `min_delta` negative or not finite, the baseline,
    /// the target or the divergence limit not finite, or the limit not worse than the target.
    pub fn init(&self) -> Result<EarlyStopping, ConfigError> {
        if self.counting == Counting::Documented {
            ConfigError::at_least_one("patience", self.patience)?;
        }
        self.min_delta.validated("min_delta")?;
        if let Some(baseline) = self.baseline {
            ConfigError::finite("baseline", baseline)?;
        }
        if let Some(target) = self.target {
            ConfigError::finite("target", target)?;
        }
        if let Some(limit) = self.divergence_limit {
            ConfigError::finite("divergence_limit", limit)?;
            let target = self.target;
            if let Some(target) = target.filter(|target| !self.goal.is_better(*target, limit)) {
                let requirement = format!("be worse than `target`, {target:?}");
                return Err(ConfigError::new("divergence_limit", requirement, limit));
            }
        }
        Ok(EarlyStopping {
            config: self.clone(),
            state: EarlyStoppingState::default(),
        })
    }
}

/// The part of [`EarlyStopping`] that a resumed run needs. Every number in it is finite, so it
/// survives JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EarlyStoppingState {
    checks: usize,
    /// The best value and its check.
    best: Option<(f64, usize)>,
    /// The value of the last improvement, which the next one is measured against.
    reference: Option<f64>,
    waited: usize,
}

/// Watches a metric. Made by [`EarlyStoppingConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyStopping {
    config: EarlyStoppingConfig,
    state: EarlyStoppingState,
}

impl EarlyStopping {
    /// The best value so far; none before the first value that counts.
    pub fn best(&self) -> Option<f64> {
        self.state.best.map(|(best, _)| best)
    }

    /// Takes the metric of the next check, for example an `f32` or `f64`.
    ///
    /// This may be called again after a decision to stop: a run that continues is judged by the same rules.
    pub fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
        let value = observation.into().value;
        self.state.checks += 1;
        let finite = value.is_finite();
        if !finite && self.config.non_finite == NonFiniteMetric::Stop {
            return self.decision(false, false, Some(StopReason::NonFinite));
        }
        let skipped = !finite && self.config.non_finite == NonFiniteMetric::Ignore;
        if skipped || self.state.checks <= self.config.warmup_checks {
            return self.decision(false, false, None);
        }
        let extreme = self.extreme(value);
        let diverged = matches!(extreme, Some(StopReason::Diverged { .. }));
        let best = self.state.best.map(|(best, _)| best);
        let is_best = !diverged && self.config.goal.is_new_best(value, best);
        if is_best {
            self.state.best = Some((value, self.state.checks));
        }
        let improved = !diverged && self.rule().improves(value, self.state.reference);
        if extreme.is_none() || self.config.counting != Counting::Lightning {
            if improved {
                self.state.reference = Some(value);
            }
            let progress = improved && self.beats_baseline(value);
            self.state.waited = if progress { 0 } else { self.state.waited + 1 };
        }
        let stop = extreme.or_else(|| self.out_of_patience(improved));
        self.decision(is_best, improved, stop)
    }

    /// What to save with a checkpoint.
    pub fn state(&self) -> &EarlyStoppingState {
        &self.state
    }

    /// The criterion with a saved state, from which it continues.
    #[must_use]
    pub fn with_state(mut self, state: EarlyStoppingState) -> Self {
        self.state = state;
        self
    }

    /// Starts counting patience anew, with the same best value and reference. This is for a run that continues from
    /// its best weights: see [`RollBack`](crate::RollBack).
    pub fn reset_waiting(&mut self) {
        self.state.waited = 0;
    }

    fn rule(&self) -> Improvement {
        Improvement {
            goal: self.config.goal,
            min_delta: self.config.min_delta,
        }
    }

    fn beats_baseline(&self, value: f64) -> bool {
        let baseline = self.config.baseline;
        baseline.is_none() || self.rule().improves(value, baseline)
    }

    /// What the value alone is a reason for.
    fn extreme(&self, value: f64) -> Option<StopReason> {
        let EarlyStoppingConfig {
            goal,
            target,
            divergence_limit,
            counting,
            ..
        } = self.config;
        // An infinity that is counted as no improvement is no success either.
        let reached = |target: &f64| {
            let equal = value == *target && counting != Counting::Lightning;
            value.is_finite() && (equal || goal.is_better(value, *target))
        };
        if let Some(target) = target.filter(reached) {
            return Some(StopReason::TargetReached { target });
        }
        divergence_limit
            .filter(|limit| goal.is_better(*limit, value))
            .map(|limit| StopReason::Diverged { limit })
    }

    fn out_of_patience(&self, improved: bool) -> Option<StopReason> {
        let keras = self.config.counting == Counting::Keras;
        let spared = keras && (improved || self.state.checks == 1);
        let checks = self.state.waited;
        // Patience 0, where it is allowed, means 1.
        if spared || checks < self.config.patience.max(1) {
            return None;
        }
        let beaten = |(best, _)| self.beats_baseline(best);
        Some(match self.config.baseline {
            Some(baseline) if !self.state.best.is_some_and(beaten) => {
                StopReason::BaselineNotBeaten { baseline, checks }
            }
            _ => StopReason::NoImprovement { checks },
        })
    }

    fn decision(&self, is_best: bool, improved: bool, stop: Option<StopReason>) -> Decision {
        Decision {
            check: self.state.checks,
            is_best,
            improved,
            best: self.state.best.map(|(best, _)| best),
            best_check: self.state.best.map(|(_, check)| check),
            waited: self.state.waited,
            divergence: stop.filter(|reason| reason.is_divergence()),
            limit: None,
            stop,
        }
    }
}

impl StopCriterion for EarlyStopping {
    type State = EarlyStoppingState;

    fn goal(&self) -> Option<Goal> {
        Some(self.config.goal)
    }

    fn best(&self) -> Option<f64> {
        Self::best(self)
    }

    /// Looks at the value alone.
    fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
        Self::observe(self, observation)
    }

    fn state(&self) -> EarlyStoppingState {
        self.state.clone()
    }

    fn with_state(self, state: EarlyStoppingState) -> Self {
        Self::with_state(self, state)
    }

    fn reset_waiting(&mut self) {
        Self::reset_waiting(self);
    }
}
