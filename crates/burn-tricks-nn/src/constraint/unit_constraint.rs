//! Rescaling the units of the weights of a model in training, which max-norm and unit norm share.

use burn::module::{Module, ModuleMapper, Param, ParamGroup, ParamId};
use burn::tensor::{DType, Tensor};
use burn_tricks_core::walk::visit_floats;
use burn_tricks_core::{Leaf, UnitAxis, accumulation_dtype, tie};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

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
        let largest = match norm.dtype() {
            DType::F64 => f64::MAX,
            _ => f64::from(f32::MAX),
        };
        match self {
            // No unit is longer, not even one whose squares overflow.
            Self::AtMost(max) if max >= largest => norm.ones_like(),
            // The infinite quotient of a zero is cut like any other.
            Self::AtMost(max) => norm.recip().mul_scalar(max).clamp_max(1.0),
            Self::To(target) => norm.recip().mul_scalar(target).mask_fill(is_zero, 1.0),
        }
    }
}

/// `model`, the units of whose trained weights are rescaled.
///
/// In a model that is trained on an autodiff device the weights that require no gradient stay as they are: frozen ones, and those
/// on a plain device. In a model without autodiff frozen weights cannot be recognised. The parts of a reparameterization, such as
/// a factor of LoRA, do not have the units of the layer, and stay too. A tied weight is rescaled if the group matches one of its
/// places, and all of them that are trained get the value of the first. Its units are those of the layer at the first of
/// these places that the group matches.
pub(crate) fn rescale<M: Module>(model: M, scale: UnitScale, group: &ParamGroup) -> M {
    let Constrained {
        units,
        only_trained,
        ..
    } = constrained(&model, group);
    tie(model.map(&mut Rescale {
        scale,
        units,
        only_trained,
    }))
}

/// The paths of the weights that [`rescale`] rescales; of a tied one, the first that the group matches.
pub(crate) fn paths<M: Module>(model: &M, group: &ParamGroup) -> Vec<String> {
    constrained(model, group).paths
}

/// The weights of a model that are rescaled.
struct Constrained {
    units: HashMap<ParamId, UnitAxis>,
    paths: Vec<String>,
    /// Whether the model is on an autodiff device, so that what requires no gradient stays.
    only_trained: bool,
}

fn constrained<M: Module>(model: &M, group: &ParamGroup) -> Constrained {
    let (mut found, mut only_trained) = (Vec::new(), false);
    visit_floats(model, |at, param| {
        let (id, is_trained) = (param.id(), param.is_require_grad());
        only_trained |= is_trained || param.is_frozen();
        if let Some(axis) = UnitAxis::for_weight(at.container(), param.rank())
            && !at.is_inside("Reparameterization")
            && group.matches(&id, Some(at.path()))
        {
            found.push((id, axis, is_trained, at.path().to_owned()));
        }
    });
    let (mut units, mut paths) = (HashMap::new(), Vec::new());
    for (id, axis, is_trained, path) in found {
        if (is_trained || !only_trained)
            && let Entry::Vacant(first) = units.entry(id)
        {
            first.insert(axis);
            paths.push(path);
        }
    }
    Constrained {
        units,
        paths,
        only_trained,
    }
}

struct Rescale {
    scale: UnitScale,
    units: HashMap<ParamId, UnitAxis>,
    /// Whether a place of such a weight that requires no gradient stays.
    only_trained: bool,
}

impl ModuleMapper for Rescale {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let Some(units) = self.units.get(&id).copied() else {
            return param;
        };
        if self.only_trained && !param.is_require_grad() {
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
