//! The decision of a criterion after a check, and the reasons to stop.

use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// Why training should stop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StopReason {
    /// Patience is used up.
    NoImprovement {
        /// The checks without improvement, as the criterion counts them.
        checks: usize,
    },
    /// Patience is used up, and no value has beaten the baseline yet.
    BaselineNotBeaten {
        /// The baseline.
        baseline: f64,
        /// The checks that counted against patience. Those of a warm-up do not, nor do those before the
        /// last time that counting began anew.
        checks: usize,
    },
    /// The metric has reached the target.
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
    /// Too many checks differed from the last improvement by no more than their noise.
    Undecided {
        /// Those checks, since the last improvement.
        checks: usize,
    },
    /// The error exceeds its minimum by more than a percentage, see
    /// [`GeneralizationLoss`](crate::GeneralizationLoss).
    GeneralizationLoss {
        /// The percentage.
        percent: f64,
    },
    /// The validation error has risen, and the training error falls too slowly, see
    /// [`ProgressQuotient`](crate::ProgressQuotient).
    LittleProgress {
        /// The limit of the quotient of the two.
        quotient: f64,
    },
    /// The error has risen from strip to strip, see [`RisingStrips`](crate::RisingStrips).
    RisingStrips {
        /// How many times in a row.
        strips: usize,
    },
    /// A criterion that compares errors by their ratio got a negative one.
    NegativeError {
        /// The value.
        value: f64,
    },
    /// A criterion that needs the training error got an observation without one.
    NoTrainingError,
    /// The time is used up.
    TimeLimit {
        /// The limit in seconds.
        seconds: f64,
    },
    /// The checks are used up.
    CheckLimit {
        /// The limit.
        checks: usize,
    },
    /// Each of several criteria asks to stop, none for a divergence, and several of them for another reason than a limit, see
    /// [`All`](crate::All).
    All {
        /// How many they are.
        criteria: usize,
    },
}

impl StopReason {
    /// Whether the training diverged, so that [`RollBack`](crate::RollBack) goes back: true for
    /// [`Diverged`](Self::Diverged) and [`NonFinite`](Self::NonFinite).
    pub fn is_divergence(self) -> bool {
        matches!(self, Self::Diverged { .. } | Self::NonFinite)
    }

    /// Whether a limit is reached, whatever the metric is: true for [`TimeLimit`](Self::TimeLimit) and
    /// [`CheckLimit`](Self::CheckLimit).
    pub fn is_limit(self) -> bool {
        matches!(self, Self::TimeLimit { .. } | Self::CheckLimit { .. })
    }
}

impl Display for StopReason {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoImprovement { checks } => write!(f, "no improvement in {checks} checks"),
            Self::BaselineNotBeaten { baseline, checks } => {
                write!(
                    f,
                    "the baseline {baseline} is not beaten in {checks} checks"
                )
            }
            Self::TargetReached { target } => write!(f, "the target {target} is reached"),
            Self::Diverged { limit } => write!(f, "worse than the divergence limit {limit}"),
            Self::NonFinite => write!(f, "the metric is not finite"),
            Self::Undecided { checks } => {
                write!(f, "{checks} checks within the noise of the best one")
            }
            Self::GeneralizationLoss { percent } => {
                write!(f, "more than {percent} % above the lowest error")
            }
            Self::LittleProgress { quotient } => write!(
                f,
                "the validation error has risen by more than {quotient} times the progress of the training error"
            ),
            Self::RisingStrips { strips } => {
                write!(f, "the error has risen in {strips} strips in a row")
            }
            Self::NegativeError { value } => write!(
                f,
                "the criterion needs an error of at least 0, and the metric is {value}"
            ),
            Self::NoTrainingError => write!(
                f,
                "the criterion needs the training error, which the observation does not have"
            ),
            Self::TimeLimit { seconds } => write!(f, "the limit of {seconds} s is reached"),
            Self::CheckLimit { checks } => write!(f, "the limit of {checks} checks is reached"),
            Self::All { criteria } => write!(f, "all {criteria} criteria ask to stop"),
        }
    }
}

/// What a criterion decides after one check.
///
/// [`is_best`](Self::is_best) and [`improved`](Self::improved) differ. `is_best` says that this is the best value so
/// far, by however little, so that its weights are to be kept. `improved` says that the value is enough of an
/// improvement for patience to begin anew.
///
/// ```
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal, MinDelta};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let config = EarlyStoppingConfig::new(Goal::Minimize).with_min_delta(MinDelta::Absolute(0.01));
/// let mut stop = config.init()?;
/// stop.observe(0.500);
/// let decision = stop.observe(0.495);
/// assert!(decision.is_best && !decision.improved);
/// assert_eq!((decision.best, decision.waited), (Some(0.495), 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decision {
    /// The number of this check, from 1.
    pub check: usize,
    /// Whether the value of this check is strictly better than every earlier value that counted, or the first value
    /// that counts: the weights of this check are those to keep. A value that is NaN, infinite or beyond the
    /// divergence limit, or that falls into a warm-up, does not count.
    pub is_best: bool,
    /// Whether this check is enough of an improvement for patience to begin anew: by more than `min_delta` for
    /// [`EarlyStopping`](crate::EarlyStopping), by more than the noise for [`NoiseAware`](crate::NoiseAware).
    pub improved: bool,
    /// The best value so far, that of the last check that was [`is_best`](Self::is_best); none before the first value
    /// that counts, and always none if no criterion looks at the metric.
    pub best: Option<f64>,
    /// The check of the best value.
    pub best_check: Option<usize>,
    /// Checks without improvement that count against patience.
    pub waited: usize,
    /// The divergence that a criterion saw at this check, [`StopReason::Diverged`] or
    /// [`StopReason::NonFinite`], even where [`stop`](Self::stop) is none or another reason because several
    /// criteria decide together.
    pub divergence: Option<StopReason>,
    /// The limit of time or of checks that ends the training at this check, even where [`stop`](Self::stop) is another
    /// reason because several criteria decide together.
    #[serde(default)] // it was not saved before
    pub limit: Option<StopReason>,
    /// Why to stop; none to continue.
    pub stop: Option<StopReason>,
}

impl Decision {
    /// Whether training should stop.
    pub fn should_stop(&self) -> bool {
        self.stop.is_some()
    }

    /// The decision of a criterion that ignores the metric: no check is the best.
    pub fn without_metric(check: usize, stop: Option<StopReason>) -> Self {
        Self {
            check,
            is_best: false,
            improved: false,
            best: None,
            best_check: None,
            waited: 0,
            divergence: None,
            limit: stop.filter(|reason| reason.is_limit()),
            stop,
        }
    }
}
