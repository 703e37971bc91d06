//! One gradient after the other, with its parameter.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::UnitAxis;
use burn_tricks_core::walk::{Location, Visitor, visit};

/// What is done to one gradient.
pub(crate) trait ChangeGradient {
    /// Changes `grad`, of the parameter `param`, which is the `index`-th float of its module and stands at `at`.
    fn change<const D: usize>(
        &mut self,
        at: &Location,
        index: u64,
        param: &Param<Tensor<D>>,
        grad: Tensor<D>,
    ) -> Tensor<D>;
}

/// Does it to every gradient of a parameter of `module`, once for a tied parameter, at its first place. Other
/// gradients stay as they are.
pub(crate) fn change_each<M: Module>(
    module: &M,
    grads: GradientsParams,
    change: &mut impl ChangeGradient,
) -> GradientsParams {
    let mut each = Each {
        from: grads,
        to: GradientsParams::new(),
        index: 0,
        change,
    };
    visit(module, &mut each);
    let Each { from, to, .. } = each;
    merged(module, from, to)
}

struct Each<'a, C> {
    from: GradientsParams,
    to: GradientsParams,
    index: u64,
    change: &'a mut C,
}

impl<C: ChangeGradient> Visitor for Each<'_, C> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.from.remove::<D>(param.id) {
            let grad = self.change.change(at, self.index, param, grad);
            self.to.register(param.id, grad);
        }
        self.index += 1;
    }
}

/// The axis of the layer's output units, of a weight of rank `rank` at `at`. A bias, a gain, and what is inside a
/// reparameterization (a factor of LoRA, say) have none.
pub(crate) fn unit_axis(at: &Location, rank: usize) -> Option<UnitAxis> {
    match at.is_inside("Reparameterization") {
        true => None,
        false => UnitAxis::for_weight(at.container(), rank),
    }
}

/// The gradients of both. Only `others` may hold some of no parameter of `module`; where it holds none at all, no
/// walk is needed.
pub(crate) fn merged<M: Module>(
    module: &M,
    others: GradientsParams,
    of_module: GradientsParams,
) -> GradientsParams {
    if others.is_empty() {
        return of_module;
    }
    struct Merge(GradientsParams, GradientsParams);
    impl ModuleVisitor for Merge {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.1.remove::<D>(param.id) {
                self.0.register(param.id, grad);
            }
        }
    }
    let mut merge = Merge(others, of_module);
    module.visit(&mut merge);
    merge.0
}
