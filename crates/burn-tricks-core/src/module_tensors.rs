//! The tensors of a module, taken out in order.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, DType, Int, Tensor};
use burn_tricks_kernels::TensorList;
use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

/// The tensors of a module in order, without autodiff. A clone shares them.
#[derive(Clone, Default)]
pub(crate) struct ModuleTensors {
    floats: TensorList,
    others: VecDeque<Arc<dyn Any + Send + Sync>>,
    /// The element types of all tensors, in the order of the places.
    dtypes: Vec<DType>,
}

impl ModuleTensors {
    /// None, with room for those of so many places.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            floats: TensorList::with_capacity(count),
            dtypes: Vec::with_capacity(count),
            ..Self::default()
        }
    }

    /// The tensors of a module.
    pub(crate) fn of<M: Module>(model: &M) -> Self {
        let mut values = Self::default();
        model.visit(&mut values);
        values
    }

    pub(crate) fn dtypes(&self) -> &[DType] {
        &self.dtypes
    }

    pub(crate) fn floats(&self) -> &TensorList {
        &self.floats
    }

    pub(crate) fn float<const D: usize>(&mut self) -> Tensor<D> {
        self.floats.pop().expect("as many as places")
    }

    pub(crate) fn other<T: Clone + 'static>(&mut self) -> T {
        let value = self.others.pop_front().expect("as many as places");
        let value: &T = value
            .downcast_ref()
            .expect("of the kind and rank of its place");
        value.clone()
    }
}

impl ModuleVisitor for ModuleTensors {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        self.dtypes.push(value.dtype());
        self.floats.push_without_autodiff(value);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let value = param.val();
        self.dtypes.push(value.dtype());
        self.others.push_back(Arc::new(value));
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let value = param.val();
        self.dtypes.push(value.dtype());
        self.others.push_back(Arc::new(value));
    }
}
