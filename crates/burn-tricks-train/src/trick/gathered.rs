//! The gradients of several devices on one.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, MultiGradientsParams};
use burn::tensor::{Device, Tensor};

/// The gradients of several devices, summed, where the model's first parameter is.
pub(crate) fn gathered<M: Module>(model: &M, grads: MultiGradientsParams) -> GradientsParams {
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

    let devices = model.devices();
    let mut gather = Gather {
        from: grads,
        to: GradientsParams::new(),
        device: devices
            .first()
            .cloned()
            .unwrap_or_default()
            .without_autodiff(),
    };
    model.visit(&mut gather);
    gather.to
}
