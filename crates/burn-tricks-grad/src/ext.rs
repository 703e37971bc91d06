//! The tricks of this crate as methods of Burn's gradients.

use crate::clip_grad_norm::ClipGradNorm;
use crate::finite_check::{NonFiniteGradients, check_finite};
use crate::norm::{NormKind, global_norm};
use crate::normalize_grad::NormalizeGrad;
use burn::module::Module;
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
    /// Clips at a norm threshold: [`ClipGradNorm::apply`].
    fn clip_norm<M: Module>(self, module: &M, clip: &ClipGradNorm) -> Self;

    /// Divides the gradients by their norm: [`NormalizeGrad::apply`].
    fn normalize<M: Module>(self, module: &M, normalize: &NormalizeGrad) -> Self;

    /// The norm of all gradients together, on the device: [`global_norm`].
    fn global_norm<M: Module>(&self, module: &M, norm: NormKind) -> Option<Tensor<1>>;

    /// Names the parameters whose gradients are not finite; waits for the device:
    /// [`check_finite`].
    fn check_finite<M: Module>(&self, module: &M) -> Result<(), NonFiniteGradients>;
}

impl GradientsExt for GradientsParams {
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
