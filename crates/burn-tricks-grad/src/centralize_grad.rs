//! Gradient centralisation.

use crate::change_each::{ChangeGradient, change_each, unit_axis};
use crate::transform::GradientTransform;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::walk::Location;
use burn_tricks_core::{Config, ConfigError, accumulation_dtype};

/// Configuration of [`CentralizeGrad`], gradient centralisation: the gradient of each output unit's weights has
/// mean 0.
///
/// ```text
/// gᵤ ← gᵤ − mean(gᵤ)      gᵤ: the gradient of the weights into unit u
/// ```
///
/// Then an update by the gradient does not change the mean of a unit's weights: the gradient is projected onto
/// the hyperplane of constant mean. Vectors (biases, gains of normalisation layers) stay as they are.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::CentralizeGradConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let centralize = CentralizeGradConfig::new().init()?;
///
/// let input = Tensor::<2>::from_floats([[1.0, 2.0, 3.0, 4.0]], &device);
/// let loss = model.forward(input).sum();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let grads = centralize.apply(&model, grads);
/// let weight = grads.get::<2>(model.weight.id).unwrap(); // [in, out]: a column is a unit
/// assert_eq!(weight.into_data().to_vec::<f32>().unwrap(), [-1.5, -1.5, -0.5, -0.5, 0.5, 0.5, 1.5, 1.5]);
/// # Ok(())
/// # }
/// ```
///
/// For convolutions only, which is an option of the paper's code:
///
/// ```
/// # use burn_tricks_grad::CentralizeGradConfig;
/// let centralize = CentralizeGradConfig::new().with_min_rank(3).init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Apply it after accumulating and unscaling, before clipping and noise.
///
/// # Cost
///
/// No state; a read of the gradients for the means, then a read and a write. No value is read from a device.
///
/// # Differences
///
/// The paper's code and optax's `centralize` take the mean over all axes but the first, which counts the units
/// in PyTorch's layout. Here the axis is the layer's own: the second of Burn's `[in, out]` linear weights and
/// of transposed convolutions, the first of `[out, in, k, k]` convolutions; a row of an embedding is a unit.
///
/// As with the paper's code and optax, the gradient of a unit with a single weight becomes 0, so that weight
/// never changes: a linear layer of one input, a depthwise convolution with a 1×1 kernel. Leave such layers out
/// with [`Only`](crate::Only).
///
/// # Suggested values
///
/// The paper uses it for all convolutions and linear layers, with the other settings of the run unchanged.
///
/// # References
///
/// - Yong, Huang, Hua, Zhang, *Gradient centralization*, 2020, <https://arxiv.org/abs/2004.01461>
/// - optax, `centralize`
#[derive(Config, Debug, PartialEq)]
pub struct CentralizeGradConfig {
    /// The smallest number of dimensions of a weight whose gradient is centralised, at least 2; with 3, only
    /// convolutions are. Default: 2.
    #[config(default = 2)]
    pub min_rank: usize,
}

impl CentralizeGradConfig {
    /// The transform.
    ///
    /// # Errors
    ///
    /// If `min_rank` is below 2: a vector has no units to tell apart.
    pub fn init(&self) -> Result<CentralizeGrad, ConfigError> {
        if self.min_rank < 2 {
            return Err(ConfigError::new("min_rank", "be at least 2", self.min_rank));
        }
        Ok(CentralizeGrad {
            config: self.clone(),
        })
    }
}

/// Subtracts the mean of each unit's gradient. Made by [`CentralizeGradConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct CentralizeGrad {
    config: CentralizeGradConfig,
}

impl CentralizeGrad {
    /// The centralised gradients. Gradients of parameters that `module` does not have are not changed.
    #[must_use]
    pub fn apply<M: Module>(&self, module: &M, grads: GradientsParams) -> GradientsParams {
        change_each(module, grads, &mut Centralize(self.config.min_rank))
    }
}

impl GradientTransform for CentralizeGrad {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        Self::apply(self, model, grads)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

/// The smallest number of dimensions.
struct Centralize(usize);

impl ChangeGradient for Centralize {
    fn change<const D: usize>(
        &mut self,
        at: &Location,
        _index: u64,
        _param: &Param<Tensor<D>>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let (Some(units), false) = (unit_axis(at, D), grad.dims().contains(&0)) else {
            return grad;
        };
        if D < self.0 {
            return grad;
        }
        let dtype = grad.dtype();
        let wide = grad.cast(accumulation_dtype(dtype));
        let others: Vec<usize> = (0..D).filter(|dim| *dim != units.axis()).collect();
        let mean = wide.clone().mean_dims(&others);
        (wide - mean).cast(dtype)
    }
}
