//! The float tensors of a module apart from it, as a list.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn_tricks_kernels::TensorList;

/// The module without its float tensors, in whose places are tensors of one element, and the tensors. The module must
/// hold nothing but parameters that autodiff does not track.
pub(crate) fn take_apart<M: Module>(model: M) -> (M, TensorList) {
    let mut taken = TakeApart(TensorList::new());
    let model = model.map(&mut taken);
    (model, taken.0)
}

/// What [`take_apart`] has taken apart.
pub(crate) fn joined<M: Module>(model: M, values: TensorList) -> M {
    model.map(&mut Join(values))
}

struct TakeApart(TensorList);

impl ModuleMapper for TakeApart {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| {
            let nothing = Tensor::empty([1; D], &value.device());
            self.0.push(value);
            nothing
        })
    }
}

struct Join(TensorList);

impl ModuleMapper for Join {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|_| self.0.pop().expect("as many values as parameters"))
    }
}
