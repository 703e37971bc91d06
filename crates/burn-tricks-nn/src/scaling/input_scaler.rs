//! Input scaling as a layer: statistics of the training data, kept and recorded with the model.
//!
//! ```text
//! y = (x - shift) / scale          forward
//! x = y * scale + shift            inverse
//!
//! standard   shift = mean                          scale = standard deviation (divided by n)
//! min-max    shift = min - low * scale             scale = (max - min) / (high - low)
//! max-abs    shift = 0                             scale = max |x|
//! robust     shift = median                        scale = 75th - 25th percentile
//! ```
//!
//! A feature that does [not vary](#features-that-do-not-vary) is only shifted.
//!
//! # Example
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_nn::ScalerConfig;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Device::flex();
//! let train = Tensor::<2>::from_data([[1.0, 5.0], [9.0, 5.0]], &device);
//! let scaler = ScalerConfig::min_max(0.0, 1.0).fit(&train)?;
//! let test = Tensor::<2>::from_data([[5.0, 5.0]], &device);
//! assert_eq!(scaler.forward(test).into_data().try_to_vec::<f32>()?, [0.5, 0.0]);
//! # Ok(())
//! # }
//! ```
//!
//! As the first field of a model, images scaled per channel, to load a record into:
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::conv::{Conv2d, Conv2dConfig};
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_nn::{InputScaler, ScalerConfig};
//!
//! #[derive(Module, Debug)]
//! struct Net {
//!     scaler: InputScaler,
//!     conv: Conv2d,
//! }
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex();
//! let net = Net {
//!     scaler: ScalerConfig::standard().init(3, &device)?, // an identity until the record is loaded
//!     conv: Conv2dConfig::new([3, 8], [3, 3]).init(&device),
//! };
//! let image = Tensor::<4>::ones([1, 3, 8, 8], &device);
//! let features = net.conv.forward(net.scaler.forward(image));
//! # let _ = features;
//! # Ok(())
//! # }
//! ```
//!
//! # Features that do not vary
//!
//! They keep their units: their scale is 1 (under min-max, the span of the target range is 1 unit). Nothing
//! is divided by zero, nor by rounding: 0.3 and 0.1 + 0.2 are one number, 6e-17 apart, and dividing by that
//! would make noise as large as a signal. A feature does not vary if its spread (the scale of the table
//! above) is
//!
//! - at most 8 ε times its size (of the mean under standard scaling, of the largest magnitude under min-max,
//!   of the larger of the two percentiles under robust), with ε of the coarsest type of the data: 2e-15 of the
//!   size for `f64`, a millionth for `f32`, 0.8 % for `f16` and 6 % for `bf16`, so fit before data is cast to
//!   half precision;
//! - under standard scaling of n samples, at most n times 2e-16 of the mean, the rounding of the sums;
//! - or less than 1e-38.
//!
//! Around 0 a spread of 1e-12 is a spread. Max-abs divides by a size, which no rounding can pretend: only the
//! last applies. Under robust the two percentiles are one number where one number makes up half of the
//! values and more, in the middle of them (three quarters at either end): whatever the rest, such a feature
//! keeps its units.
//!
//! # Order
//!
//! Before everything else, fitted on the training part of the data alone. Fitting is a type of its own
//! ([`UnfittedScaler`](crate::UnfittedScaler)): a scaler has no method that looks at data. `inverse`
//! serves for targets, with a scaler of their own: train on `forward(target)`, report
//! `inverse(prediction)`.
//!
//! The statistics are Burn's running states: in the model's record, moved with it, without gradients,
//! unknown to every optimizer and its weight decay, and still so after `unfreeze`. As with every
//! running state of Burn, clones share them: `clone().to_device(other)` moves those of the original too
//! (`forward` moves them to its input then).
//!
//! A record knows the axis that the statistics belong to, and a scaler of another axis refuses it. Burn
//! compares shapes when it loads a record, so the axis is recorded as one: `axis` is a tensor of one element
//! for axis 1, of two for axis 2, and of none for [`ScaleBy::Whole`]. "scaler.axis: shape mismatch, expected
//! Shape { dims: \[2\] } but record has Shape { dims: \[1\] }" is a record of axis 1 for a scaler of axis 2. The
//! [kind](crate::ScalerKind) of scaling is not recorded: the shift and the scale say all of it.
//!
//! # Cost
//!
//! Two numbers per feature, and two passes over a batch of inputs.
//!
//! # Precision
//!
//! The statistics are `f32`, on a device of half precision too, or `f64`: where that is the device's
//! float type or the type of the tensor given to [`ScalerConfig::fit`](crate::ScalerConfig::fit), and where
//! [`UnfittedScaler::fitted`](crate::UnfittedScaler::fitted) is asked for it. Inputs are scaled in the wider
//! of their type and the statistics', `f32` at least, and come back as they were. `f32` has seven digits:
//! numbers whose offset exceeds their spread a million times over need `f64` from the data on, and are
//! taken for constant otherwise.
//!
//! Burn loads records in the type in which they were saved; on a device that has no `f64`, load those of an
//! `f64` fit with `DTypePolicy::CastToModule`.
//!
//! # Differences
//!
//! scikit-learn's scalers give the same numbers; they skip NaN while they fit, which is refused here. They
//! know rounding of `f64` only, under standard scaling (`n ε var + (n ε mean)²`), and otherwise a spread
//! below 10 ε: with them the rounding of `f32` data is a spread, and a genuine one of 1e-16 around 0 is none.
//! Keras's `Normalization` divides by max(standard deviation, 1e-7) instead of 1 for constant features.
//!
//! # Suggested values
//!
//! Standard for measurements, min-max to `[0, 1]` for pixels, robust where a few values are far off and
//! most are not the same: on images with dark edges it was [worse than no
//! scaling](crate#what-unscaled-inputs-cost). LeCun et al. scale each input to mean 0 and equal variance.
//!
//! # References
//!
//! - LeCun, Bottou, Orr & Müller, *Efficient BackProp*, 1998, section 4.3
//! - scikit-learn, `sklearn.preprocessing`; Keras, `keras.layers.Normalization`

use crate::scaling::scaler_config::{ScaleBy, ScalerConfig};
use crate::statistics_for_input::constant_beside;
use burn::module::{Module, Param, ParamId, RunningState};
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use burn_tricks_core::{ConfigError, accumulation_dtype};

/// Shifts and scales inputs by statistics of the training data. Made by
/// [`ScalerConfig::fit`](crate::ScalerConfig::fit), [`UnfittedScaler::fitted`](crate::UnfittedScaler::fitted)
/// or, to load a record into, [`ScalerConfig::init`](crate::ScalerConfig::init).
#[derive(Module, Debug)]
pub struct InputScaler {
    shift: RunningState<Tensor<1>>,
    scale: RunningState<Tensor<1>>,
    /// Tells `by` in a record, by its length: Burn compares shapes when it loads one.
    axis: Param<Tensor<1, Int>>,
    #[module(skip)]
    by: ScaleBy,
}

impl ScalerConfig {
    /// A scaler that does nothing yet, with room for the statistics of a record: one pair for each of
    /// `features`, which [`ScaleBy::Whole`] needs to be 1. A record of another axis is refused.
    ///
    /// # Errors
    ///
    /// If the configuration means nothing or `features` is 0.
    pub fn init(&self, features: usize, device: &Device) -> Result<InputScaler, ConfigError> {
        self.check()?;
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
}

impl InputScaler {
    /// Of the shift and the scale of each feature.
    pub(crate) fn new(
        pairs: &[(f64, f64)],
        by: ScaleBy,
        (device, dtype): (&Device, FloatDType),
    ) -> Self {
        let statistic = |values: Vec<f64>| {
            let data = TensorData::new(values, [pairs.len()]);
            RunningState::new(Tensor::from_data(data, (device, DType::from(dtype))))
        };
        let axis = match by {
            ScaleBy::Axis(axis) => axis,
            ScaleBy::Whole => 0,
        };
        Self {
            axis: Param::initialized(ParamId::new(), Tensor::zeros([axis], device)),
            shift: statistic(pairs.iter().map(|pair| pair.0).collect()),
            scale: statistic(pairs.iter().map(|pair| pair.1).collect()),
            by,
        }
    }

    /// `(input - shift) / scale`, in the shape and type of `input`.
    ///
    /// # Panics
    ///
    /// If `input` has another number of features than the scaler.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let dtype = input.dtype();
        let wide = self.dtype_for(dtype);
        let [shift, scale] = self.aligned(&input, wide);
        let input = input.cast(wide);
        ((input - shift) / scale).cast(dtype)
    }

    /// `scaled * scale + shift`: what [`forward`](Self::forward) was given.
    ///
    /// # Panics
    ///
    /// If `scaled` has another number of features than the scaler.
    pub fn inverse<const D: usize>(&self, scaled: Tensor<D>) -> Tensor<D> {
        let dtype = scaled.dtype();
        let wide = self.dtype_for(dtype);
        let [shift, scale] = self.aligned(&scaled, wide);
        let scaled = scaled.cast(wide);
        (scaled * scale + shift).cast(dtype)
    }

    /// What is subtracted, one number for each feature.
    pub fn shift(&self) -> Tensor<1> {
        self.shift.value()
    }

    /// What is divided by, one number for each feature.
    pub fn scale(&self) -> Tensor<1> {
        self.scale.value()
    }

    /// Over what the statistics were taken.
    pub fn by(&self) -> ScaleBy {
        self.by
    }

    /// The type to compute in.
    fn dtype_for(&self, input: DType) -> FloatDType {
        match self.scale.value().dtype() {
            DType::F64 => FloatDType::F64,
            _ => accumulation_dtype(input),
        }
    }

    /// Both statistics on the device of `input`, shaped to broadcast.
    fn aligned<const D: usize>(&self, input: &Tensor<D>, dtype: FloatDType) -> [Tensor<D>; 2] {
        let [features] = self.shift.value().dims();
        let mut shape = [1; D];
        if let ScaleBy::Axis(axis) = self.by {
            let dims = input.dims();
            assert!(
                dims.get(axis) == Some(&features),
                "the scaler has {features} features on axis {axis}, got an input of {dims:?}"
            );
            shape[axis] = features;
        }
        [&self.shift, &self.scale]
            .map(|statistic| constant_beside(statistic, dtype, input).reshape(shape))
    }
}
