//! Which statistics scale the inputs, and over what they are taken.

use crate::scaling::input_scaler::InputScaler;
use crate::scaling::scaler_error::ScalerError;
use crate::scaling::unfitted_scaler::UnfittedScaler;
use burn::tensor::{DType, Device, Tensor, TensorCreationOptions, TensorData};
use burn_tricks_core::{Config, ConfigError, accumulation_dtype};
use serde::{Deserialize, Serialize};

/// The statistics of a feature that become its shift and scale in `(x - shift) / scale`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ScalerKind {
    /// Mean and standard deviation (of the population: divided by n). scikit-learn's `StandardScaler`,
    /// Keras's `Normalization`.
    Standard,
    /// What maps the smallest value to `low` and the largest to `high`. scikit-learn's `MinMaxScaler`.
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

/// Over what one shift and one scale are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScaleBy {
    /// One pair for each index of an axis after the first, which counts samples: 1 for the features of
    /// `[batch, features]` and for the channels of `[batch, channels, height, width]`, 2 for the
    /// features of `[batch, time, features]`.
    Axis(usize),
    /// One pair for everything, as for the pixels of grey images.
    Whole,
}

/// Configuration of an [`InputScaler`]. Start from [`standard`](Self::standard),
/// [`min_max`](Self::min_max), [`max_abs`](Self::max_abs) or [`robust`](Self::robust).
#[derive(Config, Debug, PartialEq)]
pub struct ScalerConfig {
    /// Which statistics.
    pub kind: ScalerKind,
    /// Over what they are taken. Default: per index of axis 1, a feature or a channel.
    #[config(default = "ScaleBy::Axis(1)")]
    pub by: ScaleBy,
}

impl ScalerConfig {
    /// To mean 0 and standard deviation 1.
    pub fn standard() -> Self {
        Self::new(ScalerKind::Standard)
    }

    /// To `[low, high]`: `[0, 1]` or `[-1, 1]`, usually.
    pub fn min_max(low: f64, high: f64) -> Self {
        Self::new(ScalerKind::MinMax { low, high })
    }

    /// To `[-1, 1]`, with zero where it is.
    pub fn max_abs() -> Self {
        Self::new(ScalerKind::MaxAbs)
    }

    /// To median 0 and an interquartile range of 1.
    pub fn robust() -> Self {
        Self::new(ScalerKind::Robust {
            lower: 25.0,
            upper: 75.0,
        })
    }

    /// A scaler that does nothing yet, with room for the statistics of a record: one pair for each of
    /// `features`, which [`ScaleBy::Whole`] needs to be 1. A record of another axis is refused.
    ///
    /// # Errors
    ///
    /// If the configuration means nothing or `features` is 0.
    pub fn init(&self, features: usize, device: &Device) -> Result<InputScaler, ConfigError> {
        self.validated()?;
        ConfigError::at_least_one("features", features)?;
        if self.by == ScaleBy::Whole && features != 1 {
            return Err(ConfigError::new(
                "features",
                "be 1 for `ScaleBy::Whole`",
                features,
            ));
        }
        let pairs = vec![(0.0, 1.0); features];
        let dtype = accumulation_dtype(device.settings().float_dtype.into());
        Ok(InputScaler::new(&pairs, self.by, (device, dtype)))
    }

    /// A fit that has seen nothing, to be streamed over the training data.
    ///
    /// # Errors
    ///
    /// If the configuration means nothing: a range or percentiles that do not ascend, or axis 0.
    pub fn unfitted(&self) -> Result<UnfittedScaler, ConfigError> {
        self.validated()?;
        Ok(UnfittedScaler::new(self.clone()))
    }

    /// The scaler of the whole training data at once, on its device; in `f64` if that is the type of the
    /// data or of the device.
    ///
    /// # Errors
    ///
    /// If the configuration means nothing, or the data has no sample, no such axis, a value that is not
    /// finite, or statistics that their type cannot hold.
    pub fn fit<const D: usize>(&self, train: &Tensor<D>) -> Result<InputScaler, ScalerError> {
        let mut fit = self.unfitted()?;
        fit.update(train)?;
        match train.dtype() {
            DType::F64 => fit.fitted((&train.device(), DType::F64)),
            _ => fit.fitted(&train.device()),
        }
    }

    /// The scaler of training data that is on the host, sample by sample: of a data set, say,
    /// `fit_samples(data.iter().map(|item| item.features), &device)`. Each sample is a row of features.
    ///
    /// # Errors
    ///
    /// Those of [`fit`](Self::fit), and if two samples have different numbers of features.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use burn_tricks_nn::ScalerConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_nn::ScalerError> {
    /// let houses = [[3.0, 120.0], [5.0, 180.0]]; // rooms, square metres
    /// let scaler = ScalerConfig::standard().fit_samples(houses, &Device::flex())?;
    /// # let _ = scaler;
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_samples<S: AsRef<[f32]>>(
        &self,
        samples: impl IntoIterator<Item = S>,
        options: impl Into<TensorCreationOptions>,
    ) -> Result<InputScaler, ScalerError> {
        let mut fit = self.unfitted()?;
        for sample in samples {
            let features = sample.as_ref();
            fit.update_data(&TensorData::new(features.to_vec(), [1, features.len()]))?;
        }
        fit.fitted(options)
    }

    fn validated(&self) -> Result<(), ConfigError> {
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
