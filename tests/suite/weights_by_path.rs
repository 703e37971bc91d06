//! Reading and writing the numbers of a module by their paths.

use crate::oracle::numbers;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;

/// One tensor of floats of a module, weights and running statistics alike.
#[derive(Debug, Clone)]
pub(crate) struct Floats {
    pub(crate) path: String,
    pub(crate) values: Vec<f64>,
    pub(crate) rank: usize,
    pub(crate) dtype: DType,
    /// Whether it is trained: not so running statistics.
    pub(crate) trained: bool,
}

/// All floats of a module, in its order.
pub(crate) fn floats<M: Module>(module: &M) -> Vec<Floats> {
    let mut visitor = Walk::new(Vec::new());
    module.visit(&mut visitor);
    visitor.found
}

/// `module` with other floats: `value` gets path and present value.
pub(crate) fn with_floats<M: Module>(
    module: M,
    value: impl FnMut(&str, Vec<f64>) -> Vec<f64>,
) -> M {
    module.map(&mut Walk::new(Write { value, dtype: None }))
}

/// `module` with the weights of an oracle's case. Every float of it must be in the case, and the other way
/// round.
pub(crate) fn with_weights<M: Module>(module: M, weights: &Value) -> M {
    let known = weights.as_object().expect("weights by path");
    let mut left: BTreeMap<_, _> = known.iter().collect();
    let module = with_floats(module, |path, held| {
        let values = left.remove(&path.to_owned());
        let values = numbers(values.unwrap_or_else(|| panic!("no weights for `{path}`")));
        assert_eq!(values.len(), held.len(), "{path}");
        values
    });
    assert!(left.is_empty(), "the module has no {left:?}");
    module
}

/// `module` in another float type.
pub(crate) fn cast<M: Module>(module: M, dtype: DType) -> M {
    let value = |_: &str, held| held;
    module.map(&mut Walk::new(Write {
        value,
        dtype: Some(dtype),
    }))
}

/// Where in a module a visitor is.
struct Walk<T> {
    at: Vec<String>,
    found: T,
}

struct Write<F> {
    value: F,
    dtype: Option<DType>,
}

impl<T> Walk<T> {
    fn new(found: T) -> Self {
        let at = Vec::new();
        Self { at, found }
    }
}

impl ModuleVisitor for Walk<Vec<Floats>> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        self.found.push(Floats {
            path: self.at.join("."),
            rank: D,
            dtype: value.dtype(),
            trained: param.is_require_grad(),
            values: value.into_data().iter::<f64>().collect(),
        });
    }

    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.at.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.pop();
    }
}

impl<F: FnMut(&str, Vec<f64>) -> Vec<f64>> ModuleMapper for Walk<Write<F>> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.at.join(".");
        param.map(|held| {
            let (device, shape) = (held.device(), held.shape());
            let trained = held.is_require_grad();
            let dtype = self.found.dtype.unwrap_or(held.dtype());
            let values = (self.found.value)(&path, held.into_data().iter::<f64>().collect());
            let value = Tensor::<1>::from_data(values.as_slice(), (&device, dtype)).reshape(shape);
            value.set_require_grad(trained)
        })
    }

    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.at.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.pop();
    }
}
