//! Patience for a noisy metric.

use crate::criterion::{Observation, StopCriterion};
use crate::decision::{Decision, StopReason};
use crate::non_finite_metric::NonFiniteMetric;
use burn_tricks_core::{Config, ConfigError, Goal};
use serde::{Deserialize, Serialize};

/// Configuration of [`NoiseAware`], patience for a noisy metric: a change within the metric's own standard error
/// does not count.
///
/// The value `x` of a check, with standard error `s`, is compared with the value `r` of the last improvement, with
/// standard error `s_r`:
///
/// ```text
/// gain  = r − x  (minimise),  x − r  (maximise)
/// noise = z √(s² + s_r²)                 z standard errors of a difference of two independent values
///
/// gain > noise              improvement:  r, s_r ← x, s;  waited ← 0, undecided ← 0
/// −noise < gain ≤ noise     undecided:    undecided ← undecided + 1;  waited stays
/// gain ≤ −noise             worse:        waited ← waited + 1
///
/// waited ≥ patience                  stop: NoImprovement
/// else undecided ≥ max_undecided     stop: Undecided
/// ```
///
/// An undecided check neither uses up patience nor gives it back, so `waited` counts the checks since the last
/// improvement that were worse than chance explains, in a row or not. An undecided value does not become the new `r`
/// either. If every lucky value became `r`, then `r` would soon be the luckiest of many values and better than the
/// model really is, and a slow improvement would never be seen. As it is, a slow improvement adds up until it exceeds
/// the noise around an old `r`.
///
/// The noise plays no part in which check is the best: the best check is the one with the best value,
/// [`Decision::is_best`], and [`BestWeights`](crate::BestWeights) keeps its weights. Among models that cannot be told
/// apart, the one with the best value is most likely the best, though its value is an optimistic estimate.
///
/// # Example
///
/// ```
/// use burn_tricks_stop::{Goal, NoiseAwareConfig, Observation, StopCriterion, StopReason};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let config = NoiseAwareConfig::new(Goal::Minimize).with_patience(2).with_standard_errors(1.0);
/// let mut stop = config.init()?;
/// let noisy = |loss: f64| Observation::from(loss).with_standard_error(0.1);
/// assert!(stop.observe(noisy(1.0)).improved);
/// for loss in [1.05, 0.9, 1.1, 0.95, 1.1, 1.13] {
///     let decision = stop.observe(noisy(loss));
///     assert!(!decision.improved && !decision.should_stop()); // all within 0.141 of 1.0
///     assert_eq!(decision.is_best, loss == 0.9);
/// }
/// assert_eq!((stop.undecided(), stop.observe(noisy(1.2)).waited), (6, 1));
/// let decision = stop.observe(noisy(1.3));
/// assert_eq!(decision.stop, Some(StopReason::NoImprovement { checks: 2 }));
/// assert_eq!((decision.best, decision.best_check), (Some(0.9), Some(3)));
/// # Ok(())
/// # }
/// ```
///
/// The standard error is computed from the validation samples; for an accuracy, these are zeros and ones. This
/// criterion also stops after 20 checks on a plateau:
///
/// ```
/// use burn_tricks_stop::{Goal, NoiseAwareConfig, Observation, StopCriterion};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut stop = NoiseAwareConfig::new(Goal::Maximize)
///     .with_max_undecided(Some(20))
///     .init()?;
/// let right = [1.0, 1.0, 0.0, 1.0];
/// stop.observe(Observation::of_samples(&right));
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Use it in place of [`EarlyStopping`](crate::EarlyStopping). For a target or a divergence limit, combine it in
/// [`Any`](crate::Any) with an `EarlyStopping` whose patience is `usize::MAX`.
///
/// An observation without a standard error, or with one that is negative or not finite, is taken as exact: `s = 0`.
/// If all observations are exact, or if `z = 0`, the rule is that of plain early stopping.
///
/// # Cost
///
/// A few numbers. The standard error needs the metric of each validation sample.
///
/// # Differences
///
/// Early stopping in Keras and Lightning ignores the noise. Its `min_delta` is a constant that the user must know,
/// and it requires *more* improvement per check, so it stops a slow improvement sooner, not later.
///
/// The formula assumes that the two values are independent. Two values on the same validation set share its samples,
/// and their difference has less noise than the formula says: the rule then waits longer than it needs to.
///
/// # Suggested values
///
/// `z = 2`, the default: if only chance separates two values, one difference in twenty exceeds the noise. With
/// `z = 1` it is one in three, and three such checks come soon. The table has the results of 1000 runs of 100 checks,
/// with a patience of 3 unless the row says otherwise and normal noise of one standard error. A "slow" run improves
/// by 0.1 standard errors per check to the end; a "turning" run does so for 30 checks, and then worsens by 0.2 per
/// check:
///
/// | | slow: stopped early | turning: mean check of the stop |
/// | --- | --- | --- |
/// | plain, patience 3 | 100 % | 7 |
/// | plain, patience 9 | 99 % | 26 |
/// | `z = 1` | 100 % | 17 |
/// | `z = 2` | 30 % | 42 |
///
/// The price is time on a plateau: there, 45 % of the runs with `z = 2` had not stopped by check 100, while all runs
/// of the other three rows had. `max_undecided` bounds this time.
/// (`cargo test --workspace --test suite -- --nocapture noise_stops_fewer`.)
///
/// # References
///
/// - Breiman, Friedman, Olshen, Stone, *Classification and Regression Trees*, 1984, section 3.4.3: of
///   models within one standard error of the best, the simplest. To keep the earliest of models that cannot
///   be told apart, keep where [`Decision::improved`] instead
#[derive(Config, Debug, PartialEq)]
pub struct NoiseAwareConfig {
    /// Whether the metric should fall or rise.
    pub goal: Goal,
    /// Stop after this many checks since the last improvement that are worse by more than the noise, at least 1.
    /// Default: 3; `usize::MAX` never stops for this reason.
    #[config(default = 3)]
    pub patience: usize,
    /// How many standard errors of the difference count as noise: `z`. Default: 2; with 0 every value is taken as
    /// exact.
    #[config(default = 2.0)]
    pub standard_errors: f64,
    /// Stop after this many checks since the last improvement that differ by no more than the noise, at least 1.
    /// Default: none, which never stops for this reason.
    #[config(default = "None")]
    pub max_undecided: Option<usize>,
    /// What to do about a NaN or an infinity. Default: stop.
    #[config(default = "NonFiniteMetric::Stop")]
    pub non_finite: NonFiniteMetric,
}

impl NoiseAwareConfig {
    /// The criterion before its first check.
    ///
    /// # Errors
    ///
    /// If `patience` or `max_undecided` is 0, or `standard_errors` negative or not finite.
    pub fn init(&self) -> Result<NoiseAware, ConfigError> {
        ConfigError::at_least_one("patience", self.patience)?;
        ConfigError::non_negative("standard_errors", self.standard_errors)?;
        if let Some(checks) = self.max_undecided {
            ConfigError::at_least_one("max_undecided", checks)?;
        }
        Ok(NoiseAware {
            config: self.clone(),
            state: NoiseAwareState::default(),
        })
    }
}

/// The part of [`NoiseAware`] that a resumed run needs. Every number in it is finite, so it survives
/// JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NoiseAwareState {
    checks: usize,
    /// The best value and its check.
    best: Option<(f64, usize)>,
    reference: Option<Reference>,
    waited: usize,
    undecided: usize,
}

/// The last improvement, which changes are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Reference {
    value: f64,
    standard_error: f64,
}

/// Watches a noisy metric. Made by [`NoiseAwareConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseAware {
    config: NoiseAwareConfig,
    state: NoiseAwareState,
}

enum Change {
    Improvement,
    Undecided,
    Worse,
}

impl NoiseAware {
    /// The checks since the last improvement whose change was within the noise.
    pub fn undecided(&self) -> usize {
        self.state.undecided
    }

    fn change(&self, value: f64, standard_error: f64) -> Change {
        let Some(reference) = self.state.reference else {
            return Change::Improvement;
        };
        let gain = match self.config.goal {
            Goal::Minimize => reference.value - value,
            Goal::Maximize => value - reference.value,
        };
        // √(s² + s_r²), without a square that overflows.
        let noise = self.config.standard_errors * standard_error.hypot(reference.standard_error);
        if gain > noise {
            Change::Improvement
        } else if gain > -noise {
            Change::Undecided
        } else {
            Change::Worse
        }
    }

    /// What is used up since the last improvement, whatever the last check was. After an improvement nothing is.
    fn out_of_patience(&self) -> Option<StopReason> {
        let (waited, undecided) = (self.state.waited, self.state.undecided);
        let limit = self.config.max_undecided;
        if waited >= self.config.patience {
            Some(StopReason::NoImprovement { checks: waited })
        } else if limit.is_some_and(|limit| undecided >= limit) {
            Some(StopReason::Undecided { checks: undecided })
        } else {
            None
        }
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

impl StopCriterion for NoiseAware {
    type State = NoiseAwareState;

    fn goal(&self) -> Option<Goal> {
        Some(self.config.goal)
    }

    fn best(&self) -> Option<f64> {
        self.state.best.map(|(best, _)| best)
    }

    /// True, unless every value counts as exact.
    fn needs_standard_error(&self) -> bool {
        self.config.standard_errors > 0.0
    }

    fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
        let Observation {
            value,
            standard_error,
            ..
        } = observation.into();
        let standard_error = standard_error
            .filter(|error| error.is_finite() && *error >= 0.0)
            .unwrap_or(0.0);
        self.state.checks += 1;
        let change = match self.config.non_finite {
            _ if value.is_finite() => self.change(value, standard_error),
            NonFiniteMetric::Stop => {
                return self.decision(false, false, Some(StopReason::NonFinite));
            }
            NonFiniteMetric::Ignore => return self.decision(false, false, None),
            NonFiniteMetric::CountAsNoImprovement => Change::Worse,
        };
        let best = self.state.best.map(|(best, _)| best);
        let is_best = self.config.goal.is_new_best(value, best);
        if is_best {
            self.state.best = Some((value, self.state.checks));
        }
        match change {
            Change::Improvement => {
                self.state.reference = Some(Reference {
                    value,
                    standard_error,
                });
                self.state.waited = 0;
                self.state.undecided = 0;
            }
            Change::Undecided => self.state.undecided += 1,
            Change::Worse => self.state.waited += 1,
        }
        let improved = matches!(change, Change::Improvement);
        self.decision(is_best, improved, self.out_of_patience())
    }

    fn state(&self) -> NoiseAwareState {
        self.state.clone()
    }

    fn with_state(mut self, state: NoiseAwareState) -> Self {
        self.state = state;
        self
    }

    /// The checks worse and undecided, both.
    fn reset_waiting(&mut self) {
        self.state.waited = 0;
        self.state.undecided = 0;
    }
}
