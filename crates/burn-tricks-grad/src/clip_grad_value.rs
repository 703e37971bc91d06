//! Gradient clipping by value.

use crate::gradient_list::take;
use crate::transform::GradientTransform;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn_tricks_core::{Config, ConfigError, ListTransform};
use burn_tricks_kernels::{TensorList, clamp};

/// Configuration of [`ClipGradValue`]: every number of a gradient is clipped on its own.
///
/// ```text
/// g ← min(max(g, −c), c)
/// ```
///
/// Clipping a number changes the direction of the whole gradient; [`ClipGradNorm`](crate::ClipGradNorm) keeps
/// the direction.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::ClipGradValueConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let clip = ClipGradValueConfig::new(0.5).init()?;
///
/// let loss = model.forward(Tensor::<2>::full([8, 4], 10.0, &device)).sum();
/// let grads = clip.apply(&model, GradientsParams::from_grads(loss.backward(), &model));
/// let largest: f32 = grads.get::<2>(model.weight.id).unwrap().max_abs().into_scalar();
/// assert_eq!(largest, 0.5);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Apply it once, after accumulating and unscaling, like [`ClipGradNormConfig`](crate::ClipGradNormConfig).
///
/// # Cost
///
/// No state; a read and a write of the gradients. No value is read from a device.
///
/// # Differences
///
/// None from PyTorch's `clip_grad_value_` and optax's `clip`: an infinity becomes c, a NaN stays NaN. (With
/// Burn's `GradientClippingConfig::Value`, it depends on the backend whether a NaN stays.) If c exceeds the
/// largest number of a gradient's type, nothing changes.
///
/// # Suggested values
///
/// There is no general value: look at the largest gradients of a run that trains well. Clipping by norm is the
/// usual choice.
///
/// # References
///
/// - PyTorch, `torch.nn.utils.clip_grad_value_`; optax, `clip`
#[derive(Config, Debug, PartialEq)]
pub struct ClipGradValueConfig {
    /// c > 0, the largest magnitude of a number. `f64::MAX` never clips.
    pub max_value: f64,
}

impl ClipGradValueConfig {
    /// The clipper.
    ///
    /// # Errors
    ///
    /// If c is not finite and positive.
    pub fn init(&self) -> Result<ClipGradValue, ConfigError> {
        ConfigError::positive("max_value", self.max_value)?;
        Ok(ClipGradValue {
            config: self.clone(),
        })
    }
}

/// Clips every number of a gradient. Made by [`ClipGradValueConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct ClipGradValue {
    config: ClipGradValueConfig,
}

impl ClipGradValue {
    /// The clipped gradients. Gradients of parameters that `module` does not have are not changed.
    #[must_use]
    pub fn apply<M: Module>(&self, module: &M, grads: GradientsParams) -> GradientsParams {
        let (mut grads, mut taken) = take(module, grads);
        taken.list = clamp(taken.list, self.config.max_value);
        taken.put_into(&mut grads);
        grads
    }
}

impl GradientTransform for ClipGradValue {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        Self::apply(self, model, grads)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

impl ListTransform for ClipGradValue {
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
        clamp(grads, self.config.max_value)
    }
}
