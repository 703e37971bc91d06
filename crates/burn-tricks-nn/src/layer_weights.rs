//! The weights that a reparameterization is to be attached to, found before anything is changed.

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
/// Burn keeps one for each parameter, and would drop the new one without a word.
pub(crate) fn layer_weights<M: Module>(
    model: &M,
    group: &ParamGroup,
) -> Result<LayerWeights, ConfigError> {
    let mut find = Find {
        group,
        at: PathTracker::default(),
        containers: Vec::new(),
        weights: HashMap::new(),
        occupied: None,
    };
    model.visit(&mut find);
    if let Some(path) = find.occupied {
        let requirement = "have no reparameterization yet (materialize it first)";
        return Err(ConfigError::new("model", requirement, path));
    }
    if find.weights.is_empty() {
        let requirement = "match a weight of at least two dimensions";
        return Err(ConfigError::new("group", requirement, group));
    }
    Ok(find.weights)
}

struct Find<'a> {
    group: &'a ParamGroup,
    at: PathTracker,
    containers: Vec<String>,
    weights: LayerWeights,
    occupied: Option<String>,
}

impl ModuleVisitor for Find<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.at.path();
        let container = self.containers.last().map_or("", String::as_str);
        if let Some(units) = UnitAxis::of(container, D)
            && self.group.matches(&param.id, Some(&path))
        {
            self.weights.insert(path, units);
        }
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name);
        self.containers.push(container_type.to_owned());
        if container_type == "Reparameterization" {
            self.occupied.get_or_insert_with(|| self.at.path());
        }
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
        self.containers.pop();
    }
}
