//! The weights that a reparameterization is to be attached to, found before anything is changed.

use crate::init::init_error::InitError;
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::tensor::Tensor;
use burn_tricks_core::{ConfigError, PathTracker, UnitAxis};
use std::collections::HashMap;

/// The layouts of the weights, by path.
pub(crate) type LayerWeights = HashMap<String, UnitAxis>;

/// The weights of `model` that have units, and that `group` matches.
///
/// Burn tells a reparameterizer the path of a parameter but not the layer it stands in, which is what
/// the axis of its units depends on; hence this walk in front.
///
/// # Errors
///
/// If there are none, as after a mistake in a pattern, or if a parameter is reparameterized already:
/// Burn keeps one for each parameter, and would drop the new one silently.
pub(crate) fn layer_weights<M: Module>(
    model: &M,
    group: &ParamGroup,
) -> Result<LayerWeights, ConfigError> {
    let find = find(model, group);
    if let Some(path) = find.occupied.into_iter().next() {
        let requirement = "have no reparameterization yet (materialize it first)";
        return Err(ConfigError::new("model", requirement, path));
    }
    if find.weights.is_empty() {
        let requirement = "match a weight of at least two dimensions";
        return Err(ConfigError::new("group", requirement, group));
    }
    Ok(find.weights)
}

/// The parameters of `model` that are reparameterized, by path.
pub(crate) fn reparameterized<M: Module>(model: &M) -> Vec<String> {
    let occupied = find(model, &ParamGroup::all()).occupied.into_iter();
    let param = |path: String| path.rsplit_once('.').map(|(param, _)| param.to_owned());
    occupied.filter_map(param).collect()
}

/// An error if `path` leads to one of the `reparameterized`, or into its reparameterization.
pub(crate) fn refuse_reparameterized(
    reparameterized: &[String],
    path: &str,
) -> Result<(), InitError> {
    let below = |param: &&String| {
        path.strip_prefix(*param)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match reparameterized.iter().find(below) {
        Some(param) => Err(InitError::Reparameterized {
            path: param.clone(),
        }),
        None => Ok(()),
    }
}

fn find<'a, M: Module>(model: &M, group: &'a ParamGroup) -> Find<'a> {
    let mut find = Find {
        group,
        at: PathTracker::default(),
        containers: Vec::new(),
        weights: HashMap::new(),
        occupied: Vec::new(),
    };
    model.visit(&mut find);
    find
}

struct Find<'a> {
    group: &'a ParamGroup,
    at: PathTracker,
    containers: Vec<String>,
    weights: LayerWeights,
    /// Where reparameterizations stand: each at the path of its parameter, and its name.
    occupied: Vec<String>,
}

impl ModuleVisitor for Find<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.at.path();
        let container = self.containers.last().map_or("", String::as_str);
        if let Some(units) = UnitAxis::for_weight(container, D)
            && self.group.matches(&param.id, Some(&path))
        {
            self.weights.insert(path, units);
        }
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name);
        self.containers.push(container_type.to_owned());
        if container_type == "Reparameterization" {
            self.occupied.push(self.at.path());
        }
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
        self.containers.pop();
    }
}
