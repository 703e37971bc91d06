//! The tricks of this crate as methods of Burn's gradients.

use crate::clip_grad_norm::ClipGradNorm;
use crate::finite_check::{NonFiniteGradients, check_finite};
use crate::norm::{NormKind, global_norm};
use crate::normalize_grad::NormalizeGrad;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Methods for [`GradientsParams`].
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::{ClipGradNormConfig, GradientsExt as _, NormKind};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let clip = ClipGradNormConfig::new(1.0).init()?;
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).sum();
///
/// let grads = GradientsParams::from_grads(loss.backward(), &model).clip_norm(&model, &clip);
/// grads.check_finite(&model)?;
/// assert!(grads.global_norm(&model, NormKind::L2).is_some());
/// # Ok(())
/// # }
/// ```
pub trait GradientsExt: Sized {
    /// Moves the gradients of the parameters of `module` out. The others stay: one backward pass may give gradients for
    /// several optimizers, each with a part of the model. The gradient of a parameter that two modules share goes to the
    /// module that takes first, so that one optimizer steps it.
    ///
    /// ```
    /// use burn::module::Module;
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::optim::{AdamConfig, GradientsParams};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_grad::{GradientsExt as _, LossScalerConfig};
    ///
    /// #[derive(Module, Debug)]
    /// struct Gan {
    ///     generator: Linear,
    ///     critic: Linear,
    /// }
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let layer = || LinearConfig::new(2, 2).init(&device);
    /// let mut gan = Gan { generator: layer(), critic: layer() };
    /// let (mut of_generator, mut of_critic) = (AdamConfig::new().init(), AdamConfig::new().init());
    /// let mut scaler = LossScalerConfig::new().init()?;
    ///
    /// let loss = gan.critic.forward(gan.generator.forward(Tensor::<2>::ones([4, 2], &device))).mean();
    /// let grads = GradientsParams::from_grads(scaler.scale(loss).backward(), &gan);
    /// if let Some(mut grads) = scaler.unscale(&gan, grads) {
    ///     let grads_of_critic = grads.take(&gan.critic);
    ///     assert_eq!((grads.len(), grads_of_critic.len()), (2, 2)); // a weight and a bias each
    ///     gan.generator = of_generator.step(1e-4, gan.generator, grads);
    ///     gan.critic = of_critic.step(4e-4, gan.critic, grads_of_critic);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    fn take<M: Module>(&mut self, module: &M) -> Self;

    /// Clips at a norm threshold: [`ClipGradNorm::apply`].
    #[must_use]
    fn clip_norm<M: Module>(self, module: &M, clip: &ClipGradNorm) -> Self;

    /// Divides the gradients by their norm: [`NormalizeGrad::apply`].
    #[must_use]
    fn normalize<M: Module>(self, module: &M, normalize: &NormalizeGrad) -> Self;

    /// The norm of all gradients together, on the device: [`global_norm`].
    fn global_norm<M: Module>(&self, module: &M, norm: NormKind) -> Option<Tensor<1>>;

    /// Names the parameters whose gradients are not finite; waits for the device:
    /// [`check_finite`].
    fn check_finite<M: Module>(&self, module: &M) -> Result<(), NonFiniteGradients>;
}

/// Moves gradients of a module.
struct Take<'a> {
    from: &'a mut GradientsParams,
    taken: GradientsParams,
}

impl ModuleVisitor for Take<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.from.remove::<D>(param.id) {
            self.taken.register(param.id, grad);
        }
    }
}

impl GradientsExt for GradientsParams {
    fn take<M: Module>(&mut self, module: &M) -> Self {
        let mut take = Take {
            from: self,
            taken: Self::new(),
        };
        module.visit(&mut take);
        take.taken
    }

    fn clip_norm<M: Module>(self, module: &M, clip: &ClipGradNorm) -> Self {
        clip.apply(module, self)
    }

    fn normalize<M: Module>(self, module: &M, normalize: &NormalizeGrad) -> Self {
        normalize.apply(module, self)
    }

    fn global_norm<M: Module>(&self, module: &M, norm: NormKind) -> Option<Tensor<1>> {
        global_norm(module, self, norm)
    }

    fn check_finite<M: Module>(&self, module: &M) -> Result<(), NonFiniteGradients> {
        check_finite(module, self)
    }
}
