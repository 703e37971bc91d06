//! What can be wrong with the data that a scaler is fitted on.

use crate::scaling::scaler_config::ScalerConfig;
use burn::tensor::FloatDType;
use burn_tricks_core::ConfigError;
use std::fmt::Display;

/// Data that no scaler can be fitted on, or an invalid configuration.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum ScalerError {
    /// A setting is outside its range.
    Config(ConfigError),
    /// The fit has seen no data.
    Empty,
    /// A batch is a single number, without an axis that counts samples.
    Scalar,
    /// The configured axis does not exist in the batch, or is the first, which counts samples.
    Axis {
        /// The axis that the configuration names.
        axis: usize,
        /// The dimensions of the batch.
        shape: Vec<usize>,
    },
    /// A batch has another number of features than the one before it.
    Features {
        /// The number so far.
        expected: usize,
        /// The number in the batch.
        got: usize,
    },
    /// A value is NaN or infinite. Nothing of its batch has been counted.
    NonFinite {
        /// The feature it belongs to, counted from 0.
        feature: usize,
        /// The value.
        value: f64,
    },
    /// Every value of a feature is missing.
    AllMissing {
        /// The feature, counted from 0.
        feature: usize,
    },
    /// The shift or the scale of a feature is too large for the type of the statistics, or the scale too
    /// small to divide by.
    Range {
        /// The feature, counted from 0.
        feature: usize,
        /// What would be subtracted.
        shift: f64,
        /// What would be divided by.
        scale: f64,
        /// The type of the statistics.
        dtype: FloatDType,
    },
    /// Two fits of different configurations cannot be merged.
    Merge {
        /// The configuration of the one.
        config: Box<ScalerConfig>,
        /// The configuration of the other.
        other: Box<ScalerConfig>,
    },
}

impl ScalerError {
    /// The error of a shift and a scale that are not finite in `dtype`, or of a scale that cannot be divided by.
    pub(crate) fn check_range(
        feature: usize,
        (shift, scale): (f64, f64),
        dtype: FloatDType,
    ) -> Result<(), Self> {
        if holds(dtype, shift, scale) {
            return Ok(());
        }
        Err(Self::Range {
            feature,
            shift,
            scale,
            dtype,
        })
    }
}

/// Whether both are finite in `dtype`, and the scale a number to divide by: a device may take one below
/// the smallest normal number for zero.
fn holds(dtype: FloatDType, shift: f64, scale: f64) -> bool {
    let (largest, smallest) = match dtype {
        FloatDType::F64 => (f64::MAX, f64::MIN_POSITIVE),
        _ => (f64::from(f32::MAX), f64::from(f32::MIN_POSITIVE)),
    };
    shift.abs() <= largest && (smallest..=largest).contains(&scale)
}

impl Display for ScalerError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Empty => write!(f, "a scaler is fitted on at least one sample, got none"),
            Self::Scalar => write!(
                f,
                "a batch must have a first axis, which counts samples, got a single number"
            ),
            Self::Axis { axis, shape } => write!(
                f,
                "features lie along axis {axis}, which must be one of a batch after its first, \
                 got a batch of {shape:?}"
            ),
            Self::Features { expected, got } => {
                write!(f, "the batches so far have {expected} features, got {got}")
            }
            Self::NonFinite { feature, value } => {
                write!(f, "feature {feature} must be finite, got {value}")
            }
            Self::AllMissing { feature } => {
                write!(f, "feature {feature} must have a value that is not missing")
            }
            Self::Range {
                feature,
                shift,
                scale,
                dtype,
            } => write!(
                f,
                "the statistics of feature {feature} must be numbers that {dtype:?} can hold and divide \
                 by, got shift {shift:e} and scale {scale:e}"
            ),
            Self::Merge { config, other } => write!(
                f,
                "fits to be merged must have one configuration, got {config:?} and {other:?}"
            ),
        }
    }
}

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for ScalerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ScalerError {}

impl From<ConfigError> for ScalerError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
