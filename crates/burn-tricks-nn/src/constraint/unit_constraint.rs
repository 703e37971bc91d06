//! Rescaling the units of the weights of a live model: what the constraints share.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::{PathTracker, UnitAxis, accumulation_dtype, tie};
use std::collections::HashMap;

/// What a unit's weights are multiplied by, given the length of each unit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum UnitScale {
    /// So that the length is at most this.
    AtMost(f64),
    /// So that the length is this; units of zeros stay.
    To(f64),
}

impl UnitScale {
    fn factor<const D: usize>(self, norm: Tensor<D>) -> Tensor<D> {
        let is_zero = norm.clone().equal_elem(0);
        match self {
            // An infinite quotient, of a zero or of a bound beyond the type, is cut like any other.
            Self::AtMost(max) => norm.recip().mul_scalar(max).clamp_max(1.0),
            Self::To(length) => norm.recip().mul_scalar(length).mask_fill(is_zero, 1.0),
        }
    }
}

/// `model`, the units of whose trained weights are rescaled.
///
/// Frozen weights stay as they are where it can be told, which is on an autodiff device. What is inside
/// a reparameterization, such as a factor of LoRA, has no units of the layer and stays too. A tied weight
/// is rescaled if the group matches one of its places, and all of them get the value of the first.
pub(crate) fn rescale<M: Module>(model: M, scale: UnitScale, group: &ParamGroup) -> M {
    let units = List::of(&model, group).units;
    tie(model.map(&mut Rescale { scale, units }))
}

/// The paths of the weights that [`rescale`] rescales; of a tied one, the first that the group matches.
pub(crate) fn paths<M: Module>(model: &M, group: &ParamGroup) -> Vec<String> {
    List::of(model, group).paths
}

/// A place in a model, and which weights count.
struct Place<'a> {
    group: &'a ParamGroup,
    path: PathTracker,
    containers: Vec<String>,
}

impl<'a> Place<'a> {
    fn new(group: &'a ParamGroup) -> Self {
        Self {
            group,
            path: PathTracker::default(),
            containers: Vec::new(),
        }
    }

    /// The units of the weight `param` here, if it counts.
    fn units<const D: usize>(&self, param: &Param<Tensor<D>>) -> Option<UnitAxis> {
        let is_inner = |container: &String| container == "Reparameterization";
        if self.containers.iter().any(is_inner) {
            return None;
        }
        let units = UnitAxis::for_weight(self.containers.last()?, D)?;
        let is_chosen = self.group.matches(&param.id, Some(&self.path.path()));
        is_chosen.then_some(units)
    }

    fn enter(&mut self, name: &str, container_type: &str) {
        self.path.enter(name);
        self.containers.push(container_type.to_owned());
    }

    fn exit(&mut self) {
        self.path.exit();
        self.containers.pop();
    }
}

fn is_frozen<const D: usize>(weight: &Tensor<D>) -> bool {
    weight.is_autodiff() && !weight.is_require_grad()
}

/// The weights that are rescaled.
struct List<'a> {
    at: Place<'a>,
    units: HashMap<ParamId, UnitAxis>,
    paths: Vec<String>,
}

impl<'a> List<'a> {
    fn of<M: Module>(model: &M, group: &'a ParamGroup) -> Self {
        let mut list = Self {
            at: Place::new(group),
            units: HashMap::new(),
            paths: Vec::new(),
        };
        model.visit(&mut list);
        list
    }
}

impl ModuleVisitor for List<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(units) = self.at.units(param)
            && !is_frozen(&param.val())
            && !self.units.contains_key(&param.id)
        {
            self.units.insert(param.id, units);
            self.paths.push(self.at.path.path());
        }
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
    }
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
        param.map(|weight| {
            if is_frozen(&weight) {
                return weight;
            }
            if !weight.is_autodiff() {
                return rescaled(weight, units, self.scale);
            }
            // A parameter has to be a leaf, and what autodiff knows about it goes with the tensor.
            let strategy = weight.gradient_checkpointing_strategy();
            let is_distributed = weight.is_distributed();
            let mut leaf = Tensor::from_inner(rescaled(weight.inner(), units, self.scale));
            if let Some(strategy) = strategy {
                leaf = leaf.with_gradient_checkpointing_strategy(strategy);
            }
            leaf = leaf.require_grad();
            match is_distributed {
                true => leaf.set_distributed(id),
                false => leaf,
            }
        })
    }
}

fn rescaled<const D: usize>(weight: Tensor<D>, units: UnitAxis, scale: UnitScale) -> Tensor<D> {
    let dtype = weight.dtype();
    let weight = weight.cast(accumulation_dtype(dtype));
    let norm = units.sum_per_unit(weight.clone().square()).sqrt();
    (weight * scale.factor(norm)).cast(dtype)
}
