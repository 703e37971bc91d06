//! The sum of the gradients of several devices.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, MultiGradientsParams};
use burn::tensor::{Device, Tensor};

/// The gradients of several devices, summed, on the device of the first parameter of `module`. Those of parameters
/// that `module` does not have are dropped.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, MultiGradientsParams};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::gather;
///
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let of_a_device = || {
///     let loss = model.forward(Tensor::<2>::ones([1, 2], &device)).sum();
///     (GradientsParams::from_grads(loss.backward(), &model), device.clone().without_autodiff())
/// };
/// let grads = gather(&model, MultiGradientsParams { grads: vec![of_a_device(), of_a_device()] });
/// let grad = grads.get::<2>(model.weight.id).unwrap();
/// assert_eq!(grad.into_data().to_vec::<f32>().unwrap(), [2.0, 2.0]);
/// ```
#[must_use]
pub fn gather<M: Module>(module: &M, grads: MultiGradientsParams) -> GradientsParams {
    let devices = module.devices();
    let device = devices.first().cloned().unwrap_or_default();
    let mut gather = Gather {
        from: grads,
        to: GradientsParams::new(),
        device: device.without_autodiff(),
    };
    module.visit(&mut gather);
    gather.to
}

struct Gather {
    from: MultiGradientsParams,
    to: GradientsParams,
    device: Device,
}

impl ModuleVisitor for Gather {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some((grad, _)) = self.from.remove::<D>(param.id) {
            self.to.register(param.id, grad.to_device(&self.device));
        }
    }
}
