//! A scaler that is being fitted to data that comes in batches.

use crate::scaling::feature_statistics::FeatureStatistics;
use crate::scaling::input_scaler::InputScaler;
use crate::scaling::scaler_config::{Missing, ScaleBy, ScalerConfig};
use crate::scaling::scaler_error::ScalerError;
use burn::tensor::{DType, Tensor, TensorCreationOptions, TensorData};
use burn_tricks_core::{ConfigError, accumulation_dtype, epsilon};

/// A scaler that is being fitted to training data that comes in batches. [`ScalerConfig::unfitted`] makes it, and
/// [`fitted`](Self::fitted) turns it into an [`InputScaler`].
///
/// An `UnfittedScaler` learns from data but cannot scale; the scaler made from it scales but cannot learn from more
/// data.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::ScalerConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex();
/// let loader = [[1.0, 2.0], [4.0, 9.0]]; // batches of two samples with one feature
/// let mut fit = ScalerConfig::standard().unfitted()?;
/// for batch in loader {
///     fit.update(&Tensor::<1>::from_data(batch, &device).reshape([2, 1]))?;
/// }
/// let scaler = fit.fitted(&device)?; // `fit` is gone: nothing more can leak in
/// assert_eq!(scaler.shift().into_scalar::<f32>(), 4.0);
/// # Ok(())
/// # }
/// ```
///
/// A program that gives test data to a finished fit does not compile:
///
/// ```compile_fail,E0382
/// # use burn::tensor::{Device, Tensor};
/// # use burn_tricks_nn::{ScalerConfig, ScalerError};
/// # fn leak(train: Tensor<2>, test: Tensor<2>) -> Result<(), ScalerError> {
/// let mut fit = ScalerConfig::standard().unfitted()?;
/// fit.update(&train)?;
/// let scaler = fit.fitted(&Device::flex())?;
/// fit.update(&test)?; // `fit` has moved
/// # Ok(())
/// # }
/// ```
///
/// # Exactness
///
/// Statistics are gathered on the host in `f64`, value after value in the order of the stream (Welford, 1962):
/// any cut of a stream into batches gives the same scaler, to the last bit. [`merge`](UnfittedScaler::merge)
/// combines fits that ran in parallel (Chan, Golub & LeVeque, 1983). The result equals one fit up to the
/// rounding of `f64`, and exactly for minima and maxima.
///
/// # Cost
///
/// Standard scaling keeps three numbers per feature, min-max and max-abs two, and each a count of missing values,
/// whatever the length of the stream. Robust has to keep every value, 8 bytes each: exact quantiles of a stream need
/// all its values, and an approximate median would depend on how the stream is cut into batches. Each batch is read
/// from its device.
///
/// Measured (`examples/10_input_scaling`, on one of two shared x86-64 cores, bytes counted at the allocator):
/// 10,000,000 rows of 8 features in batches of 1,000 leave 0 bytes behind and take at most 96 kB on the way,
/// which is mostly a copy of a batch, 8,000 numbers, as `f64`. The fit takes about a second in an optimised
/// build, and half a minute in an unoptimised one.
#[derive(Debug, Clone, PartialEq)]
pub struct UnfittedScaler {
    config: ScalerConfig,
    /// One for each feature, once a batch has told how many there are.
    columns: Vec<FeatureStatistics>,
    /// The missing values of each feature.
    missing: Vec<u64>,
    samples: u64,
    /// ε of the coarsest of the batches' types: a spread that is only its rounding does not count.
    epsilon: f64,
}

impl ScalerConfig {
    /// A fit that has seen no data yet: give it the training data batch by batch.
    ///
    /// # Errors
    ///
    /// If the configuration is invalid: a range or percentiles that do not ascend, or axis 0.
    pub fn unfitted(&self) -> Result<UnfittedScaler, ConfigError> {
        self.check()?;
        Ok(UnfittedScaler {
            config: self.clone(),
            columns: Vec::new(),
            missing: Vec::new(),
            samples: 0,
            epsilon: 0.0,
        })
    }

    /// The scaler fitted to all training data at once, on the data's device; its statistics are `f64` if that
    /// is the type of the data or of the device.
    ///
    /// # Errors
    ///
    /// If the configuration is invalid, or the data has no sample, no such axis, a value that is not finite, or
    /// statistics that their type cannot hold.
    pub fn fit<const D: usize>(&self, train: &Tensor<D>) -> Result<InputScaler, ScalerError> {
        let mut fit = self.unfitted()?;
        fit.update(train)?;
        match train.dtype() {
            DType::F64 => fit.fitted((&train.device(), DType::F64)),
            _ => fit.fitted(&train.device()),
        }
    }

    /// The scaler fitted to training data on the host, sample by sample; for a data set,
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
}

impl UnfittedScaler {
    /// Takes in a batch of training data, of any size. Reads it from its device.
    ///
    /// # Errors
    ///
    /// If the batch has no axis at all or not the one configured, another number of features than the last
    /// one, or a value that is not finite. The fit is then as it was.
    pub fn update<const D: usize>(&mut self, batch: &Tensor<D>) -> Result<(), ScalerError> {
        #[allow(clippy::disallowed_methods)] // fitting precedes training
        self.update_data(&batch.to_data())
    }

    /// [`update`](Self::update) with data that is on the host already.
    ///
    /// # Errors
    ///
    /// Those of [`update`](Self::update).
    pub fn update_data(&mut self, batch: &TensorData) -> Result<(), ScalerError> {
        let shape: Vec<usize> = batch.shape().to_vec();
        let Some(&samples) = shape.first() else {
            return Err(ScalerError::Scalar);
        };
        let (features, inner) = match self.config.by {
            ScaleBy::Whole => (1, shape.iter().skip(1).product::<usize>()),
            ScaleBy::Axis(axis) if axis < shape.len() => {
                (shape[axis], shape[axis + 1..].iter().product())
            }
            ScaleBy::Axis(axis) => return Err(ScalerError::Axis { axis, shape }),
        };
        if !self.columns.is_empty() && self.columns.len() != features {
            return Err(ScalerError::Features {
                expected: self.columns.len(),
                got: features,
            });
        }
        let imputes = self.config.missing == Missing::Impute;
        let values = to_f64(batch);
        let runs = || values.chunks(inner.max(1)).enumerate();
        for (run, values) in runs() {
            let is_fine = |value: f64| value.is_finite() || (imputes && value.is_nan());
            if let Some(value) = values.iter().find(|value| !is_fine(**value)) {
                return Err(ScalerError::NonFinite {
                    feature: run % features,
                    value: *value,
                });
            }
        }
        self.columns
            .resize(features, FeatureStatistics::new(self.config.kind));
        self.missing.resize(features, 0);
        for (run, values) in runs() {
            let (column, missing) = (
                &mut self.columns[run % features],
                &mut self.missing[run % features],
            );
            let count = values.iter().filter(|value| value.is_nan()).count();
            if count == 0 {
                column.extend(values);
            } else {
                let present = values.iter().copied().filter(|value| !value.is_nan());
                column.extend(&present.collect::<Vec<_>>());
                *missing += count as u64;
            }
        }
        if !values.is_empty() {
            self.samples += samples as u64;
            self.epsilon = self.epsilon.max(epsilon(batch.dtype()));
        }
        Ok(())
    }

    /// Adds the data that another fit has seen, for example on another thread.
    ///
    /// # Errors
    ///
    /// If the two have different configurations or numbers of features. The fit is then as it was.
    pub fn merge(&mut self, other: &Self) -> Result<(), ScalerError> {
        if self.config != other.config {
            return Err(ScalerError::Merge {
                config: Box::new(self.config.clone()),
                other: Box::new(other.config.clone()),
            });
        }
        if other.columns.is_empty() {
            return Ok(());
        }
        if self.columns.is_empty() {
            self.columns = vec![FeatureStatistics::new(self.config.kind); other.columns.len()];
            self.missing = vec![0; other.columns.len()];
        }
        if self.columns.len() != other.columns.len() {
            return Err(ScalerError::Features {
                expected: self.columns.len(),
                got: other.columns.len(),
            });
        }
        for (column, other) in self.columns.iter_mut().zip(&other.columns) {
            column.merge(other);
        }
        for (missing, other) in self.missing.iter_mut().zip(&other.missing) {
            *missing += other;
        }
        self.samples += other.samples;
        self.epsilon = self.epsilon.max(other.epsilon);
        Ok(())
    }

    /// The number of samples seen.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The number of missing values of each feature that were left out so far, with [`Missing::Impute`].
    pub fn missing(&self) -> &[u64] {
        &self.missing
    }

    /// The scaler fitted to the data seen so far, on a device. Its statistics are `f64` for `(&device,
    /// DType::F64)` and where that is the device's float type, and `f32` otherwise.
    ///
    /// # Errors
    ///
    /// If nothing has been seen, every value of a feature is missing, or that type cannot hold the shift and the scale
    /// of a feature.
    pub fn fitted(
        self,
        options: impl Into<TensorCreationOptions>,
    ) -> Result<InputScaler, ScalerError> {
        let TensorCreationOptions { device, dtype } = options.into();
        let dtype = dtype.unwrap_or_else(|| device.settings().float_dtype.into());
        let dtype = accumulation_dtype(dtype);
        if self.samples == 0 || self.columns.is_empty() {
            return Err(ScalerError::Empty);
        }
        let mut pairs = Vec::with_capacity(self.columns.len());
        for (feature, column) in self.columns.into_iter().enumerate() {
            if column.is_empty() {
                return Err(ScalerError::AllMissing { feature });
            }
            let (shift, scale) = column.shift_and_scale(self.config.kind, self.epsilon);
            ScalerError::check_range(feature, (shift, scale), dtype)?;
            pairs.push((shift, scale));
        }
        Ok(InputScaler::new(&pairs, &self.config, (&device, dtype)))
    }
}

fn to_f64(data: &TensorData) -> Vec<f64> {
    match data.dtype() {
        // Without a call per element, which the iterator costs.
        DType::F32 => match data.as_slice::<f32>() {
            Ok(values) => values.iter().copied().map(f64::from).collect(),
            Err(_) => data.iter::<f64>().collect(),
        },
        _ => data.iter::<f64>().collect(),
    }
}
