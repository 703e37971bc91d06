//! Gradient clipping at a norm threshold.

use crate::norm::{NormKind, ScaledNorm, under};
use crate::rescale::{
    NonFinite, check_scope, factor_by_kernel, of_multiple, rescale, rescale_list,
    rescale_up_to_factor, signed,
};
use crate::transform::GradientTransform;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, ListTransform, NormScope};
use burn_tricks_kernels::{Factor, NormNumber, Real, TensorList};
use serde::{Deserialize, Serialize};

/// What happens to a gradient whose norm exceeds the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClipMode {
    /// It is scaled to the norm θ (PyTorch, optax).
    Rescale,
    /// It is divided by its norm, which becomes 1 whatever θ is.
    Unit,
}

/// Configuration of [`ClipGradNorm`]: gradient clipping at a norm threshold.
///
/// A gradient whose norm exceeds the threshold θ is scaled down; any other gradient stays as it is, bit for
/// bit.
///
/// ```text
/// g ← g · min(1, θ / ‖g‖)                 ClipMode::Rescale   the norm becomes θ
/// g ← g           if ‖g‖ ≤ θ, else g/‖g‖  ClipMode::Unit      the norm becomes 1
/// ```
///
/// The norm is taken over *all* gradients of the model ([`NormScope::Model`], the default), so the direction of
/// the whole gradient is kept. Burn's own `GradientClippingConfig::Norm` clips tensor by tensor, which changes
/// the direction; here this is [`NormScope::Tensor`].
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burn_tricks_grad::ClipGradNormConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = SgdConfig::new().init();
/// let clip = ClipGradNormConfig::new(1.0).init()?;
///
/// let input = Tensor::<2>::random([8, 4], Distribution::Default, &device) * 100.0;
/// let loss = model.forward(input).square().mean();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let (grads, norm) = clip.apply_with_norm(&model, grads);
/// let model = optim.step(0.1, model, grads);
/// # let _ = model.num_params();
///
/// // Read the norm when the step is under way, not before it.
/// let norm: f32 = norm.unwrap().into_scalar();
/// assert!(norm > 1.0);
/// # Ok(())
/// # }
/// ```
///
/// [`ClipMode::Unit`], tensor by tensor. If a gradient is not finite, an optimizer with `skip_marked` skips the
/// step ([`StepGuard`](crate::StepGuard)):
///
/// ```
/// use burn_tricks_grad::{ClipGradNormConfig, ClipMode, NonFinite, NormKind, NormScope};
///
/// let clip = ClipGradNormConfig::new(10.0)
///     .with_mode(ClipMode::Unit)
///     .with_norm(NormKind::L2)
///     .with_scope(NormScope::Tensor)
///     .with_non_finite(NonFinite::SkipStep)
///     .init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Clip after gradients have been accumulated and unscaled, and before the optimizer. If you clip each
/// micro-batch instead, or any part before it is summed, the norm of the sum is not bounded by θ.
///
/// # Cost
///
/// No state. On the CPU backend and on GPUs the Euclidean norm takes one read of the gradients, and clipping takes one
/// more read and write; if nothing is clipped, nothing is written. Other norms, and all norms on other backends, are
/// tensor operations: for the norm two reads on a backend that fuses operations, about five on others; for the product
/// a read and a write. No value is read from a device.
///
/// # Differences
///
/// - PyTorch divides by `‖g‖ + 1e-6`, so the norm after clipping is a little below θ;
///   [`ClipGradNormConfig::torch`] does the same. Here, as in optax, ε is 0.
/// - In `f32`, PyTorch's and optax's norm of `[2e19, 2e19, 2e19]` is infinite, and the gradient is lost; here
///   the norm is 3.46e19, and the direction is kept. On a GPU that takes subnormal numbers for 0, such as NVIDIA's with
///   Vulkan, a gradient whose norm is more than 8.5e37 times θ becomes 0: the factor is subnormal.
/// - `Unit` is the rule `g ← g / ‖g‖` where `‖g‖ > θ`, as some introductions to clipping write it. For θ ≠ 1 the norm
///   of the result jumps at θ: with θ = 10, a norm of 10 stays and a norm of 10.1 becomes 1.
///
/// # Suggested values
///
/// θ = 1 for transformers (Hugging Face's and Megatron's default), 0.25 to 10 for recurrent networks (Pascanu
/// et al.). Look at the norms of a run that trains well first, and choose a θ above most of them.
///
/// # References
///
/// - Pascanu, Mikolov, Bengio, *On the difficulty of training recurrent neural networks*, 2013,
///   <https://arxiv.org/abs/1211.5063>
/// - PyTorch, `torch.nn.utils.clip_grad_norm_`; optax, `clip_by_global_norm`
#[derive(Config, Debug, PartialEq)]
pub struct ClipGradNormConfig {
    /// The threshold θ > 0, in units of the norm. `f64::MAX` never clips.
    pub max_norm: f64,
    /// What happens to a gradient whose norm exceeds the threshold. Default: [`ClipMode::Rescale`].
    #[config(default = "ClipMode::Rescale")]
    pub mode: ClipMode,
    /// Which norm. Default: [`NormKind::L2`].
    #[config(default = "NormKind::L2")]
    pub norm: NormKind,
    /// Over which numbers. Default: [`NormScope::Model`].
    #[config(default = "NormScope::Model")]
    pub scope: NormScope,
    /// What happens to an infinity or a NaN. Default: [`NonFinite::Propagate`].
    #[config(default = "NonFinite::Propagate")]
    pub non_finite: NonFinite,
    /// ε ≥ 0, added to the norm before dividing by it. Default: 0.
    #[config(default = 0.0)]
    pub epsilon: f64,
}

impl ClipGradNormConfig {
    /// PyTorch's `clip_grad_norm_`: like [`new`](Self::new), with ε = 1e-6.
    pub fn torch(max_norm: f64) -> Self {
        Self::new(max_norm).with_epsilon(1e-6)
    }

    /// Keras's `clipnorm`: like [`new`](Self::new), but each tensor by its own norm. (Keras's `global_clipnorm` and
    /// optax's `clip_by_global_norm` are [`new`](Self::new).)
    pub fn keras(max_norm: f64) -> Self {
        Self::new(max_norm).with_scope(NormScope::Tensor)
    }

    /// If the norm is above θ, the gradient is divided by its norm, which becomes 1.
    pub fn to_unit_norm(max_norm: f64) -> Self {
        Self::new(max_norm).with_mode(ClipMode::Unit)
    }

    /// The clipper.
    ///
    /// # Errors
    ///
    /// If θ is not finite and positive, if ε is negative or not finite, if the `p` of [`NormKind::Lp`] is not a
    /// finite number of at least 1, or if the scope is [`NormScope::Element`].
    pub fn init(&self) -> Result<ClipGradNorm, ConfigError> {
        ConfigError::positive("max_norm", self.max_norm)?;
        ConfigError::non_negative("epsilon", self.epsilon)?;
        self.norm.validated()?;
        check_scope(self.scope)?;
        Ok(ClipGradNorm {
            config: self.clone(),
        })
    }
}

/// Clips gradients at a norm threshold. Made by [`ClipGradNormConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct ClipGradNorm {
    config: ClipGradNormConfig,
}

impl ClipGradNorm {
    /// The clipped gradients.
    ///
    /// Gradients of parameters that `module` does not have do not count in the norm and are not changed.
    #[must_use]
    pub fn apply<M: Module>(&self, module: &M, grads: GradientsParams) -> GradientsParams {
        self.apply_with_norm(module, grads).0
    }

    /// The clipped gradients, and the norm over all of them *before* clipping: a tensor of one element, or
    /// `None` when there was no gradient. The norm is that of the whole model in both scopes. It may be read at
    /// any later time; reading it waits for the device.
    pub fn apply_with_norm<M: Module>(
        &self,
        module: &M,
        grads: GradientsParams,
    ) -> (GradientsParams, Option<Tensor<1>>) {
        self.apply_to_multiple(module, grads, 1.0)
    }

    /// [`apply_with_norm`](Self::apply_with_norm) to `times` the gradients, but the norm is that of the gradients.
    fn apply_to_multiple<M: Module>(
        &self,
        module: &M,
        grads: GradientsParams,
        times: f64,
    ) -> (GradientsParams, Option<Tensor<1>>) {
        let ClipGradNormConfig {
            norm,
            scope,
            non_finite,
            ..
        } = self.config;
        let (grads, times) = signed(module, grads, times);
        let mut factor = of_multiple(|norm: &ScaledNorm| self.factor(norm), times);
        rescale(module, grads, norm, scope, non_finite, &mut factor)
    }

    /// [`factor`](Self::factor) in a kernel.
    fn in_kernel(&self) -> FactorInKernel {
        FactorInKernel {
            max_norm: self.config.max_norm,
            mode: self.config.mode,
            epsilon: self.config.epsilon,
        }
    }

    fn factor(&self, norm: &ScaledNorm) -> Tensor<1> {
        let to_threshold = norm.under(self.config.max_norm, self.config.epsilon);
        let factor = match self.config.mode {
            ClipMode::Rescale => to_threshold.clone(),
            ClipMode::Unit => norm.under(1.0, self.config.epsilon),
        };
        // A mask and not a minimum, which on some devices would hide a NaN.
        factor.mask_fill(to_threshold.greater_equal_elem(1.0), 1.0)
    }
}

/// [`ClipGradNorm::factor`] in a kernel.
#[derive(Clone, Copy)]
struct FactorInKernel {
    max_norm: f64,
    mode: ClipMode,
    epsilon: f64,
}

impl NormNumber for FactorInKernel {
    fn number<T: Real>(self, scale: T, root: T) -> T {
        let of = |numerator| under([scale, root], numerator, self.epsilon);
        let to_threshold = of(self.max_norm);
        let factor = match self.mode {
            ClipMode::Rescale => to_threshold,
            ClipMode::Unit => of(1.0),
        };
        let one = scale.of(1.0);
        // Not a minimum, which would hide a NaN.
        let at_most = to_threshold.if_equal(one, one, factor);
        (one - to_threshold).if_negative(one, at_most)
    }
}

impl GradientTransform for ClipGradNorm {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        Self::apply(self, model, grads)
    }

    fn apply_scaled<M: Module>(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
    ) -> GradientsParams {
        self.apply_to_multiple(model, grads, factor).0
    }

    fn marks_non_finite(&self) -> bool {
        self.config.non_finite == NonFinite::SkipStep
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

impl ListTransform for ClipGradNorm {
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
        let ClipGradNormConfig {
            norm,
            scope,
            non_finite,
            ..
        } = self.config;
        let mut factor = |norm: &ScaledNorm| self.factor(norm);
        rescale_list(grads, norm, scope, non_finite, &mut factor).0
    }

    fn apply_up_to_factor(&mut self, grads: TensorList) -> (TensorList, Option<Factor>) {
        let ClipGradNormConfig {
            norm,
            scope,
            non_finite,
            ..
        } = self.config;
        let by_kernel = factor_by_kernel(&grads, (norm, scope), non_finite, self.in_kernel());
        if by_kernel.is_some() {
            return (grads, by_kernel);
        }
        let mut factor = |norm: &ScaledNorm| self.factor(norm);
        rescale_up_to_factor(grads, norm, scope, non_finite, &mut factor)
    }
}
