//! The normalised gradient over the whole model.

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

/// Configuration of [`NormalizeGrad`]: the normalised gradient over the whole model.
///
/// The gradient is divided by its norm, so that only its direction counts. In front of plain SGD this is
/// normalised gradient descent:
///
/// ```text
/// g ← g / (‖g‖ + ε)        w ← w − η g
/// ```
///
/// Some teaching texts call it Adagrad. What the field calls AdaGrad divides each weight's gradient by the root
/// of the summed squares of its past gradients. `burn_tricks_optim::NormalizedGradientConfig` has AdaGrad, the
/// normalised gradient per tensor, and other rules that need only one tensor at a time. `NormalizeGrad` takes the
/// norm over all gradients of the model. A zero gradient gives a zero update, even with ε = 0.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::{NormalizeGradConfig, NormKind, global_norm};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = SgdConfig::new().init();
/// let normalize = NormalizeGradConfig::new().init()?;
///
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// let grads = normalize.apply(&model, GradientsParams::from_grads(loss.backward(), &model));
/// let norm: f32 = global_norm(&model, &grads, NormKind::L2).unwrap().into_scalar();
/// assert!((norm - 1.0).abs() < 1e-6);
/// let model = optim.step(0.1, model, grads); // a step of norm 0.1
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// Configured:
///
/// ```
/// use burn_tricks_grad::{NonFinite, NormKind, NormalizeGradConfig};
///
/// let normalize = NormalizeGradConfig::new()
///     .with_norm(NormKind::LInf)
///     .with_epsilon(1e-6)
///     .with_non_finite(NonFinite::ZeroGradient)
///     .init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Apply it last before the optimizer. Clipping after it has an effect only if θ < 1; clipping before it has
/// none.
///
/// # Cost
///
/// The cost of a [`ClipGradNorm`](crate::ClipGradNorm) that clips at every step: no state, and on the CPU
/// backend a read of the gradients, then a read and a write. No value is read from a device.
///
/// If the norm is so small that its reciprocal overflows (below 3e-39 in `f32`), the largest factor of the type
/// is used: the result is finite, and its norm is less than 1.
///
/// # Differences
///
/// optax's `normalize_by_update_norm` has ε = 1e-6 by default, and its `contrib.normalize` gives NaN
/// on a zero gradient.
///
/// # Suggested values
///
/// The step always has norm η, so η must shrink for the run to converge: combine it with a decaying learning
/// rate (Nesterov; Hazan et al. use η ∝ 1/√T).
///
/// # References
///
/// - Hazan, Levy, Shalev-Shwartz, *Beyond convexity: stochastic quasi-convex optimization*, 2015,
///   <https://arxiv.org/abs/1507.02030>
/// - optax, `normalize_by_update_norm`
#[derive(Config, Debug, PartialEq)]
pub struct NormalizeGradConfig {
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

impl NormalizeGradConfig {
    /// The transform.
    ///
    /// # Errors
    ///
    /// If ε is negative or not finite, if the `p` of [`NormKind::Lp`] is not a finite number of at least 1, or
    /// if the scope is [`NormScope::Element`].
    pub fn init(&self) -> Result<NormalizeGrad, ConfigError> {
        ConfigError::non_negative("epsilon", self.epsilon)?;
        self.norm.validated()?;
        check_scope(self.scope)?;
        Ok(NormalizeGrad {
            config: self.clone(),
        })
    }
}

/// Divides gradients by their norm. Made by [`NormalizeGradConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct NormalizeGrad {
    config: NormalizeGradConfig,
}

impl NormalizeGrad {
    /// The normalised gradients.
    ///
    /// Gradients of parameters that `module` does not have do not count in the norm and are not changed.
    #[must_use]
    pub fn apply<M: Module>(&self, module: &M, grads: GradientsParams) -> GradientsParams {
        self.apply_with_norm(module, grads).0
    }

    /// The normalised gradients, and the norm over all gradients before normalisation, as in
    /// [`ClipGradNorm::apply_with_norm`](crate::ClipGradNorm::apply_with_norm).
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
        let NormalizeGradConfig {
            norm,
            scope,
            non_finite,
            ..
        } = self.config;
        let (grads, times) = signed(module, grads, times);
        let mut factor = of_multiple(|norm: &ScaledNorm| self.factor(norm), times);
        rescale(module, grads, norm, scope, non_finite, &mut factor)
    }

    fn factor(&self, norm: &ScaledNorm) -> Tensor<1> {
        let zero = norm.root.clone().equal_elem(0.0);
        norm.under(1.0, self.config.epsilon).mask_fill(zero, 0.0)
    }
}

/// [`NormalizeGrad::factor`] in a kernel.
#[derive(Clone, Copy)]
struct FactorInKernel {
    epsilon: f64,
}

impl NormNumber for FactorInKernel {
    fn number<T: Real>(self, scale: T, root: T) -> T {
        root.if_zero(root, under([scale, root], 1.0, self.epsilon))
    }
}

impl GradientTransform for NormalizeGrad {
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

impl ListTransform for NormalizeGrad {
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
        let NormalizeGradConfig {
            norm,
            scope,
            non_finite,
            ..
        } = self.config;
        let mut factor = |norm: &ScaledNorm| self.factor(norm);
        rescale_list(grads, norm, scope, non_finite, &mut factor).0
    }

    fn apply_up_to_factor(&mut self, grads: TensorList) -> (TensorList, Option<Factor>) {
        let NormalizeGradConfig {
            norm,
            scope,
            non_finite,
            ..
        } = self.config;
        let in_kernel = FactorInKernel {
            epsilon: self.config.epsilon,
        };
        let by_kernel = factor_by_kernel(&grads, (norm, scope), non_finite, in_kernel);
        if by_kernel.is_some() {
            return (grads, by_kernel);
        }
        let mut factor = |norm: &ScaledNorm| self.factor(norm);
        rescale_up_to_factor(grads, norm, scope, non_finite, &mut factor)
    }
}
