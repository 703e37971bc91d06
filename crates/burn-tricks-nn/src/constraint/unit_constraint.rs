//! Rescaling the units of the weights of a model in training, which max-norm and unit norm share.

use burn::module::{Module, ModuleMapper, Param, ParamGroup, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{AnyFloat, visit_floats};
use burn_tricks_core::{Leaf, UnitAxis, accumulation_dtype, tie};
use std::collections::HashMap;

/// The norm to which a unit's weights are rescaled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum UnitScale {
    /// To a norm of at most this.
    AtMost(f64),
    /// To exactly this norm; units of zeros stay.
    To(f64),
}

impl UnitScale {
    fn factor<const D: usize>(self, norm: Tensor<D>) -> Tensor<D> {
        let is_zero = norm.clone().equal_elem(0);
        match self {
            // An infinite quotient, of a zero or of a bound beyond the type, is cut like any other.
            Self::AtMost(max) => norm.recip().mul_scalar(max).clamp_max(1.0),
            Self::To(target) => norm.recip().mul_scalar(target).mask_fill(is_zero, 1.0),
        }
    }
}

/// `model`, the units of whose trained weights are rescaled.
///
/// Frozen weights stay as they are on an autodiff device, the only one on which they can be recognised. The
/// parts of a reparameterization, such as a factor of LoRA, do not have the units of the layer, and stay too. A
/// tied weight is rescaled if the group matches one of its places, and all of them get the value of the first.
pub(crate) fn rescale<M: Module>(model: M, scale: UnitScale, group: &ParamGroup) -> M {
    let units = constrained(&model, group).0;
    tie(model.map(&mut Rescale { scale, units }))
}

/// The paths of the weights that [`rescale`] rescales; of a tied one, the first that the group matches.
pub(crate) fn paths<M: Module>(model: &M, group: &ParamGroup) -> Vec<String> {
    constrained(model, group).1
}

/// The weights of `model` that are rescaled: their units, and their paths.
fn constrained<M: Module>(
    model: &M,
    group: &ParamGroup,
) -> (HashMap<ParamId, UnitAxis>, Vec<String>) {
    let (mut units, mut paths) = (HashMap::new(), Vec::new());
    visit_floats(model, |at, param| {
        let id = param.id();
        if let Some(axis) = UnitAxis::for_weight(at.container(), param.rank())
            && !at.is_inside("Reparameterization")
            && group.matches(&id, Some(at.path()))
            && !param.is_frozen()
            && !units.contains_key(&id)
        {
            units.insert(id, axis);
            paths.push(at.path().to_owned());
        }
    });
    (units, paths)
}

struct Rescale {
    scale: UnitScale,
    units: HashMap<ParamId, UnitAxis>,
}

impl ModuleMapper for Rescale {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let Some(units) = self.units.get(&id).copied() else {
            return param;
        };
        if param.is_frozen() {
            return param;
        }
        param.map(|weight| {
            let leaf = Leaf::new(&weight);
            leaf.with_value(rescaled(weight.without_autodiff(), units, self.scale), id)
        })
    }
}

fn rescaled<const D: usize>(weight: Tensor<D>, units: UnitAxis, scale: UnitScale) -> Tensor<D> {
    let dtype = weight.dtype();
    let weight = weight.cast(accumulation_dtype(dtype));
    let norm = units.sum_per_unit(weight.clone().square()).sqrt();
    (weight * scale.factor(norm)).cast(dtype)
}
