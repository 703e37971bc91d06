//! Input scaling as a layer.

use crate::scaling::scaler_config::{ScaleBy, ScalerConfig};
use crate::statistics_for_input::constant_beside;
use burn::module::{Param, ParamId, RunningState};
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use burn_tricks_core::{ConfigError, InlineModule, accumulation_dtype};

/// Input scaling as a layer: statistics of the training data, kept and recorded with the model. Made by
/// [`ScalerConfig::fit`](crate::ScalerConfig::fit), [`UnfittedScaler::fitted`](crate::UnfittedScaler::fitted) or,
/// to load a record into, [`ScalerConfig::init`](crate::ScalerConfig::init).
///
/// ```text
/// y = (x - shift) / scale          forward
/// x = y * scale + shift            inverse
///
/// standard   shift = mean                          scale = standard deviation (divided by n)
/// min-max    shift = min - low * scale             scale = (max - min) / (high - low)
/// max-abs    shift = 0                             scale = max |x|
/// robust     shift = median                        scale = 75th - 25th percentile
/// ```
///
/// A feature that does [not vary](#features-that-do-not-vary) is only shifted.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::ScalerConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex();
/// let train = Tensor::<2>::from_data([[1.0, 5.0], [9.0, 5.0]], &device);
/// let scaler = ScalerConfig::min_max(0.0, 1.0).fit(&train)?;
/// let test = Tensor::<2>::from_data([[5.0, 5.0]], &device);
/// assert_eq!(scaler.forward(test).into_data().try_to_vec::<f32>()?, [0.5, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// A model that scales its images per channel, made in order to load a record into it:
///
/// ```
/// use burn::module::Module;
/// use burn::nn::conv::{Conv2d, Conv2dConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::{InputScaler, ScalerConfig};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     scaler: InputScaler,
///     conv: Conv2d,
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let net = Net {
///     scaler: ScalerConfig::standard().init(3, &device)?, // an identity until the record is loaded
///     conv: Conv2dConfig::new([3, 8], [3, 3]).init(&device),
/// };
/// let image = Tensor::<4>::ones([1, 3, 8, 8], &device);
/// let features = net.conv.forward(net.scaler.forward(image));
/// # let _ = features;
/// # Ok(())
/// # }
/// ```
///
/// # Features that do not vary
///
/// A feature that does not vary keeps its units: its scale is 1 (under min-max it is 1 / (high - low), so that
/// one unit of the feature spans the target range). So no value is divided by zero, nor by a difference that is
/// only rounding: 0.3 and 0.1 + 0.2 differ by 6e-17, and division by that would turn rounding noise into a
/// signal of size 1. A feature does not vary if its spread (the scale of the table above) is
///
/// - at most 8 ε times its size. The size is the magnitude of the mean under standard scaling, the largest
///   magnitude under min-max, and the magnitude of the larger percentile under robust. ε belongs to the coarsest
///   type of the data. The limit is therefore 2e-15 of the size for `f64`, a millionth for `f32`, 0.8 % for `f16`
///   and 6 % for `bf16`: fit before data is cast to half precision;
/// - under standard scaling of n samples, at most n times 2e-16 of the mean, the rounding of the sums;
/// - or less than 1e-38.
///
/// So a feature with values around 0 varies even if its spread is 1e-12. Max-abs divides by a size and not by a
/// difference, so only the last condition applies to it. Under robust, the two percentiles are equal where one
/// number makes up at least half of the values and lies in the middle of them (three quarters, if it is the
/// lowest or the highest number). Such a feature keeps its units, whatever its other values are.
///
/// # Order
///
/// The scaler comes before all other layers, and is fitted on the training part of the data alone. A type of
/// its own does the fitting ([`UnfittedScaler`](crate::UnfittedScaler)): a scaler has no method that learns
/// from data.
///
/// # Targets of a regression
///
/// The targets get a scaler of their own, fitted on the training targets alone: train on `forward(target)`, and invert
/// the prediction, so that metrics are in the units of the target. Unscaled targets of a large mean or spread
/// keep a network from learning whatever other tricks there are: see `examples/28_regression_targets.rs`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::{ScaleBy, ScalerConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex();
/// let prices = Tensor::<1>::from_data([180_000.0, 220_000.0, 260_000.0], &device); // of the training part
/// let scaler = ScalerConfig::standard().with_by(ScaleBy::Whole).fit(&prices)?;
/// let targets = scaler.forward(prices.clone()); // mean 0, variance 1: for the loss
/// # let output = targets.clone(); // the model's
/// let predicted = scaler.inverse(output);
/// let rmse = (predicted - prices).square().mean().sqrt(); // in the units of the prices
/// assert!(rmse.into_scalar::<f32>() < 0.1);
/// # Ok(())
/// # }
/// ```
///
/// # Missing values and outliers
///
/// With [`Missing::Impute`](crate::Missing), NaN is a value that was not measured: the fit leaves it out, and `forward`
/// puts the centre of the feature in its place. [`ScalerConfig::clip`] bounds the scaled values.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::{Missing, ScalerConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = ScalerConfig::standard().with_missing(Missing::Impute).with_clip(Some([-3.0, 3.0]));
/// let train = Tensor::<2>::from_data([[1.0], [3.0], [f32::NAN]], &Device::flex());
/// let mut fit = config.unfitted()?;
/// fit.update(&train)?;
/// assert_eq!(fit.missing(), [1]);
/// let scaler = fit.fitted(&Device::flex())?; // mean 2, standard deviation 1
/// let test = Tensor::<2>::from_data([[1.5], [f32::NAN], [99.0]], &Device::flex());
/// assert_eq!(scaler.forward(test).into_data().try_to_vec::<f32>()?, [-0.5, 0.0, 3.0]);
/// # Ok(())
/// # }
/// ```
///
/// # Given constants
///
/// [`ScalerConfig::init_constants`] makes a scaler of a shift and a scale that are known, and
/// [`ImageStatistics`](crate::ImageStatistics) has those of ImageNet, CIFAR and MNIST.
///
/// # Records
///
/// The statistics are running states of Burn: the model's record holds them, they move with the model, and they
/// have no gradients. No optimizer and no weight decay changes them, not even after `unfreeze`. As with every
/// running state of Burn, clones share them: `clone().to_device(other)` moves those of the original too
/// (`forward` then uses a copy on the device of its input).
///
/// A record holds the axis that the statistics belong to, and a scaler for another axis refuses the record.
/// Burn compares shapes when it loads a record, so the axis is recorded as a shape: `axis` is a tensor of one
/// element for axis 1, of two for axis 2, and of none for [`ScaleBy::Whole`]. "scaler.axis: shape mismatch,
/// expected Shape { dims: \[2\] } but record has Shape { dims: \[1\] }" means that a record of axis 1 was
/// loaded into a scaler of axis 2.
///
/// In the same way a record holds whether values are clipped and whether missing ones are imputed, and a scaler with other
/// settings refuses it, since a NaN would pass through unnoticed: `clip` is a tensor of two elements with
/// [`ScalerConfig::clip`] and of none without, `missing` of one element with [`Missing::Impute`](crate::Missing) and of
/// none without. The bounds of the clip and the imputed value are those of the configuration. The
/// [kind](crate::ScalerKind) of scaling is not recorded: the shift and the scale are all that `forward` and `inverse`
/// need.
///
/// # Cost
///
/// Two numbers per feature, and two passes over a batch of inputs.
///
/// # Precision
///
/// The statistics are `f32`, also on a device of half precision. They are `f64` where that is the device's
/// float type or the type of the tensor given to [`ScalerConfig::fit`](crate::ScalerConfig::fit), and where
/// [`UnfittedScaler::fitted`](crate::UnfittedScaler::fitted) is asked for `f64`. Inputs are scaled in the wider
/// of their own type and that of the statistics, at least in `f32`, and returned in their own type. In a
/// `cast_copy` of a model the statistics keep their type. Inputs that `f16` cannot hold (above 65,504) or would round
/// must be scaled before they are cast: `half.scaler.forward(input).cast(FloatDType::F16)`. `f32` has
/// seven digits: a feature whose mean is a million times its spread needs `f64` in the data, in the statistics and in the
/// inputs. In `f32` data it is taken for constant. Of `f64` data its spread is known, and statistics in `f32`, as
/// [`fitted`](crate::UnfittedScaler::fitted) with a device alone makes them, round its mean by more than that spread: give
/// `fitted` the type too, `(&device, DType::F64)`.
///
/// Burn loads records in the type in which they were saved; on a device without `f64`, load a record with `f64`
/// statistics with `DTypePolicy::CastToModule`.
///
/// # Differences
///
/// scikit-learn's scalers give the same numbers. They skip NaN while they fit, as with [`Missing::Impute`](crate::Missing),
/// and leave it in what they transform, which scikit-learn's `SimpleImputer` fills. Its `MinMaxScaler(clip=True)` is
/// `clip` with the target range. They
/// take a feature for constant up to the rounding of `f64`, under standard scaling (`n ε var + (n ε mean)²`),
/// and otherwise below a spread of 10 ε. So there a feature that varies only by the rounding of `f32` counts as
/// varying, and one that truly varies by 1e-16 around 0 counts as constant. Keras's `Normalization` divides by
/// max(standard deviation, 1e-7) instead of 1 for constant features.
///
/// # Suggested values
///
/// Standard for measurements, min-max to `[0, 1]` for pixels, robust where a few values are outliers and most
/// of the others differ: on images with dark edges robust scaling was [worse than no
/// scaling](crate#what-unscaled-inputs-cost). LeCun et al. scale each input to mean 0 and equal variance.
///
/// # References
///
/// - LeCun, Bottou, Orr & Müller, *Efficient BackProp*, 1998, section 4.3
/// - scikit-learn, `sklearn.preprocessing`; Keras, `keras.layers.Normalization`
#[derive(InlineModule, Debug)]
pub struct InputScaler {
    shift: RunningState<Tensor<1>>,
    scale: RunningState<Tensor<1>>,
    /// Records `by` as its own length: Burn compares shapes when it loads a record.
    axis: Param<Tensor<1, Int>>,
    /// Records by its length whether scaled values are clipped: 2 or 0.
    clip: Param<Tensor<1, Int>>,
    /// Records by its length whether missing values are imputed: 1 or 0.
    missing: Param<Tensor<1, Int>>,
    #[module(skip)]
    by: ScaleBy,
    #[module(skip)]
    bounds: Option<[f64; 2]>,
    /// The scaled value that takes the place of a NaN.
    #[module(skip)]
    imputed: Option<f64>,
}

impl ScalerConfig {
    /// A scaler to load a record into; until then it is the identity. It has a shift and a scale for each of
    /// `features`, which must be 1 with [`ScaleBy::Whole`]. Loading a record of another axis is an error.
    ///
    /// # Errors
    ///
    /// If the configuration is invalid or `features` is 0.
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
        Ok(InputScaler::new(&pairs, self, (device, dtype)))
    }
}

impl InputScaler {
    /// A scaler with this shift and this scale of each feature.
    pub(crate) fn new(
        pairs: &[(f64, f64)],
        config: &ScalerConfig,
        (device, dtype): (&Device, FloatDType),
    ) -> Self {
        let statistic = |values: Vec<f64>| {
            let data = TensorData::new(values, [pairs.len()]);
            RunningState::new(Tensor::from_data(data, (device, DType::from(dtype))))
        };
        let axis = match config.by {
            ScaleBy::Axis(axis) => axis,
            ScaleBy::Whole => 0,
        };
        let imputed = config.imputed();
        let of_length =
            |length| Param::initialized(ParamId::new(), Tensor::zeros([length], device));
        Self {
            axis: of_length(axis),
            clip: of_length(if config.clip.is_some() { 2 } else { 0 }),
            missing: of_length(usize::from(imputed.is_some())),
            shift: statistic(pairs.iter().map(|pair| pair.0).collect()),
            scale: statistic(pairs.iter().map(|pair| pair.1).collect()),
            by: config.by,
            bounds: config.clip,
            imputed,
        }
    }

    /// `(input - shift) / scale`, in the shape and type of `input`; with the settings [`ScalerConfig::missing`] and
    /// [`ScalerConfig::clip`], missing values are imputed and the scaled values clipped.
    ///
    /// # Panics
    ///
    /// If `input` has another number of features than the scaler.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let dtype = input.dtype();
        let wide = self.dtype_for(dtype);
        let [shift, scale] = self.aligned(&input, wide);
        let mut scaled = (input.cast(wide) - shift) / scale;
        if self.imputed.is_none() && self.bounds.is_none() {
            return scaled.cast(dtype);
        }
        let is_missing = scaled.clone().is_nan();
        if let Some([low, high]) = self.bounds {
            scaled = scaled.clamp(low, high);
        }
        // What is not imputed stays NaN, also where a device would clip it.
        let centre = self.imputed.unwrap_or(f64::NAN);
        scaled.mask_fill(is_missing, centre).cast(dtype)
    }

    /// The number of missing values, NaN, of each feature of `input`.
    ///
    /// # Panics
    ///
    /// If `input` has another number of features than the scaler.
    pub fn missing<const D: usize>(&self, input: Tensor<D>) -> Tensor<1, Int> {
        let dims = self.checked_dims(&input);
        let is_missing = input.is_nan().int();
        let (outer, features, inner) = match self.by {
            ScaleBy::Whole => (1, 1, dims.iter().product::<usize>()),
            ScaleBy::Axis(axis) => (
                dims[..axis].iter().product(),
                dims[axis],
                dims[axis + 1..].iter().product(),
            ),
        };
        let is_missing = is_missing.reshape([outer, features, inner]);
        is_missing.sum_dim(0).sum_dim(2).reshape([features])
    }

    /// `scaled * scale + shift`: undoes [`forward`](Self::forward).
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

    /// Over which values each pair of statistics was taken.
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

    /// The dimensions of an input that has the scaler's features.
    fn checked_dims<const D: usize>(&self, input: &Tensor<D>) -> [usize; D] {
        let [features] = self.shift.value().dims();
        let dims = input.dims();
        if let ScaleBy::Axis(axis) = self.by {
            assert!(
                dims.get(axis) == Some(&features),
                "the scaler has {features} features on axis {axis}, got an input of {dims:?}"
            );
        }
        dims
    }

    /// Both statistics on the device of `input`, shaped to broadcast.
    fn aligned<const D: usize>(&self, input: &Tensor<D>, dtype: FloatDType) -> [Tensor<D>; 2] {
        let dims = self.checked_dims(input);
        let mut shape = [1; D];
        if let ScaleBy::Axis(axis) = self.by {
            shape[axis] = dims[axis];
        }
        [&self.shift, &self.scale]
            .map(|statistic| constant_beside(statistic, dtype, input).reshape(shape))
    }
}
