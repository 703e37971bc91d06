//! Visits one gradient after the other, with its parameter.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::UnitAxis;
use burn_tricks_core::walk::{Location, Visitor, visit};

/// A change of one gradient.
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

/// Changes every gradient of a parameter of `module`; that of a tied parameter once, at its first place. Other
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

/// The axis of the layer's output units, for a weight of rank `rank` at `at`. A bias, a gain, and the parts of
/// a reparameterization (such as a factor of LoRA) have none.
pub(crate) fn unit_axis(at: &Location, rank: usize) -> Option<UnitAxis> {
    if at.is_inside("Reparameterization") {
        None
    } else {
        UnitAxis::for_weight(at.container(), rank)
    }
}

/// The gradients of both. Only `others` may hold gradients of parameters that `module` does not have; if
/// `others` is empty, no walk is needed.
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
