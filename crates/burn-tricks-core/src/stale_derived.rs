//! Which [`Derived`](crate::Derived) states of a module do not belong to its present weights.

use crate::walk::visit_floats;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use std::collections::VecDeque;

/// Which of the floats of a module are stale, in the module's order.
pub(crate) fn stale_floats<M: Module>(model: &M) -> VecDeque<bool> {
    let mut floats = VecDeque::new();
    visit_floats(model, |at, _| floats.push_back(at.is_stale()));
    floats
}

/// `model` with these of its floats stale; they are [`Derived`](crate::Derived) states.
pub(crate) fn with_stale<M: Module>(model: M, floats: VecDeque<bool>) -> M {
    model.map(&mut Forget(floats))
}

struct Forget(VecDeque<bool>);

impl ModuleMapper for Forget {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.pop_front() {
            // A `Derived` takes a tensor without elements for an order to become stale.
            Some(true) => {
                let nothing = Tensor::empty([0; D], &param.lazy_device());
                Param::initialized(param.id, nothing)
            }
            _ => param,
        }
    }
}
