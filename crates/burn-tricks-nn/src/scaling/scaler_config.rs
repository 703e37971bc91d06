//! Which statistics scale the inputs, and which values share a statistic.

use burn_tricks_core::{Config, ConfigError};
use serde::{Deserialize, Serialize};

/// The statistics of a feature that become its shift and scale in `(x - shift) / scale`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ScalerKind {
    /// Mean and standard deviation (of the population: divided by n). scikit-learn's `StandardScaler`,
    /// Keras's `Normalization`.
    Standard,
    /// The shift and scale that map the smallest value to `low` and the largest to `high`. scikit-learn's
    /// `MinMaxScaler`.
    MinMax {
        /// Where the smallest value goes.
        low: f64,
        /// Where the largest value goes.
        high: f64,
    },
    /// Zero and the largest magnitude: zeros stay zeros. scikit-learn's `MaxAbsScaler`.
    MaxAbs,
    /// Median and distance between two percentiles. scikit-learn's `RobustScaler`.
    Robust {
        /// The lower percentile, in percent.
        lower: f64,
        /// The upper percentile, in percent.
        upper: f64,
    },
}

/// Which values share one shift and one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScaleBy {
    /// One pair for each index of this axis, which is not the first (that counts samples): axis 1 for the
    /// features of `[batch, features]` and for the channels of `[batch, channels, height, width]`, axis 2 for
    /// the features of `[batch, time, features]`.
    Axis(usize),
    /// One pair for everything, as for the pixels of grey images.
    Whole,
}

/// What a NaN in the data means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// A fault: the fit returns an error, and a scaled NaN is NaN.
    Refuse,
    /// A value that was not measured. The fit leaves it out and counts it
    /// ([`UnfittedScaler::missing`](crate::UnfittedScaler::missing)), and `forward` puts the centre of the feature in
    /// its place: the mean under standard scaling, the median under robust, `(low + high) / 2` under min-max (also for
    /// a feature that does not vary, whose other values become `low`), and 0 under max-abs. An infinite value stays an
    /// error of the fit.
    Impute,
}

/// Configuration of an [`InputScaler`](crate::InputScaler). Start from [`standard`](Self::standard),
/// [`min_max`](Self::min_max), [`max_abs`](Self::max_abs) or [`robust`](Self::robust).
#[derive(Config, Debug, PartialEq)]
pub struct ScalerConfig {
    /// Which statistics.
    pub kind: ScalerKind,
    /// Which values share a statistic. Default: those with one index on axis 1, a feature or a channel.
    #[config(default = "ScaleBy::Axis(1)")]
    pub by: ScaleBy,
    /// The least and the largest scaled value: what `forward` would return outside becomes the nearer of the two, so
    /// that an outlier at inference is no larger than what the model has been trained on. `inverse` does not clip.
    /// Default: no bounds.
    #[config(default = "None")]
    pub clip: Option<[f64; 2]>,
    /// What a NaN means. Default: a fault.
    #[config(default = "Missing::Refuse")]
    pub missing: Missing,
}

impl ScalerConfig {
    /// Scales to mean 0 and standard deviation 1.
    pub fn standard() -> Self {
        Self::new(ScalerKind::Standard)
    }

    /// Scales to `[low, high]`: usually `[0, 1]` or `[-1, 1]`.
    pub fn min_max(low: f64, high: f64) -> Self {
        Self::new(ScalerKind::MinMax { low, high })
    }

    /// Scales to `[-1, 1]`; 0 stays 0.
    pub fn max_abs() -> Self {
        Self::new(ScalerKind::MaxAbs)
    }

    /// Scales to median 0 and an interquartile range of 1.
    pub fn robust() -> Self {
        Self::new(ScalerKind::Robust {
            lower: 25.0,
            upper: 75.0,
        })
    }

    /// The scaled value that takes the place of a NaN, if one does.
    pub(crate) fn imputed(&self) -> Option<f64> {
        match (self.missing, self.kind) {
            (Missing::Refuse, _) => None,
            (Missing::Impute, ScalerKind::MinMax { low, high }) => Some((low + high) / 2.0),
            (Missing::Impute, _) => Some(0.0),
        }
    }

    /// Whether the configuration is valid.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match self.kind {
            ScalerKind::MinMax { low, high } => {
                ConfigError::finite("low", low)?;
                ConfigError::finite("high", high)?;
                if low >= high {
                    return Err(ConfigError::new("low", "be less than `high`", (low, high)));
                }
            }
            ScalerKind::Robust { lower, upper } => {
                if !(0.0 <= lower && lower < upper && upper <= 100.0) {
                    return Err(ConfigError::new(
                        "lower",
                        "be less than `upper`, both between 0 and 100 percent",
                        (lower, upper),
                    ));
                }
            }
            ScalerKind::Standard | ScalerKind::MaxAbs => {}
        }
        if let Some([low, high]) = self.clip {
            ConfigError::finite("clip", low)?;
            ConfigError::finite("clip", high)?;
            if low >= high {
                let requirement = "be the least scaled value and the largest, in this order";
                return Err(ConfigError::new("clip", requirement, [low, high]));
            }
        }
        match self.by {
            ScaleBy::Axis(0) => Err(ConfigError::new(
                "by",
                "name an axis after the first, which counts samples",
                self.by,
            )),
            ScaleBy::Axis(_) | ScaleBy::Whole => Ok(()),
        }
    }
}
