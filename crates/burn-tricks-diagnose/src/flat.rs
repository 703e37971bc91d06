//! Tensors as vectors of numbers.

use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Visitor, visit};
use std::collections::HashMap;

/// The gradients of one step, flattened, by parameter.
pub(crate) type Flat = HashMap<ParamId, Tensor<1>>;

/// The gradients of `model`, flattened. Nothing is copied.
pub(crate) fn flatten<M: Module>(model: &M, grads: &GradientsParams) -> Flat {
    struct Collect<'a>(&'a GradientsParams, Flat);

    impl Visitor for Collect<'_> {
        fn float<const D: usize>(&mut self, _at: &Location, param: &Param<Tensor<D>>) {
            if !self.1.contains_key(&param.id)
                && let Some(grad) = self.0.get::<D>(param.id)
            {
                self.1.insert(param.id, flat(grad));
            }
        }
    }

    let mut collect = Collect(grads, Flat::new());
    visit(model, &mut collect);
    collect.1
}

/// Flattens a parameter that autodiff does not track any more.
pub(crate) fn flat<const D: usize>(value: Tensor<D>) -> Tensor<1> {
    let value = value.without_autodiff();
    let elements = value.dims().iter().product::<usize>();
    value.reshape([elements])
}
