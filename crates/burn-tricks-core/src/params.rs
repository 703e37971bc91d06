//! The float parameters of a module as a list, and a function that draws the lazy ones in that order.

use crate::walk::{Location, Visitor, visit};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, DType, Int, Tensor};

/// The properties of a float parameter, without its values.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamInfo {
    /// The path of the parameter in the module, such as `encoder.layers.0.weight`.
    pub path: String,
    /// Its identity, under which gradients and optimizer states are kept.
    pub id: ParamId,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its element type.
    pub dtype: DType,
}

/// Every float parameter of `module` (running statistics included), in the module's own order.
/// Lazy parameters are initialised. A tied parameter is listed at each of its places, with one id.
pub fn params<M: Module>(module: &M) -> Vec<ParamInfo> {
    let mut list = List(Vec::new());
    visit(module, &mut list);
    list.0
}

struct List(Vec<ParamInfo>);

impl Visitor for List {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        let value = param.val();
        self.0.push(ParamInfo {
            path: at.path().to_owned(),
            id: param.id,
            shape: value.dims().to_vec(),
            dtype: value.dtype(),
        });
    }
}

/// Initialises every lazy parameter of `module` now, in the module's own order.
///
/// Burn draws a parameter's first values when it is first used. So a seed set before `init` may have no effect
/// on them, and clones of an uninitialised module get the same weights. Call this function directly after you
/// have seeded the device and built the module.
pub fn force_init<M: Module>(module: &M) {
    module.visit(&mut Force);
}

struct Force;

impl ModuleVisitor for Force {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        param.val();
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        param.val();
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        param.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{BatchNormConfig, LinearConfig};
    use burn::tensor::Device;

    #[test]
    fn params_are_named_as_in_records() {
        let device = Device::flex();
        let module = (
            vec![LinearConfig::new(2, 3).init(&device)],
            BatchNormConfig::new(3).init(&device),
        );
        let params = params(&module);
        let paths: Vec<_> = params.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "0.0.weight",
                "0.0.bias",
                "1.gamma",
                "1.beta",
                "1.running_mean",
                "1.running_var"
            ]
        );
        assert_eq!(params[0].shape, [2, 3]);
        assert_eq!(params[0].dtype, DType::F32);
    }

    #[test]
    fn force_init_leaves_nothing_lazy() {
        let device = Device::flex();
        let layer = LinearConfig::new(2, 3).init(&device);
        assert!(!layer.weight.is_initialized(), "Burn is lazy here");
        force_init(&layer);
        assert!(layer.weight.is_initialized());
        assert!(layer.bias.unwrap().is_initialized());
    }
}
