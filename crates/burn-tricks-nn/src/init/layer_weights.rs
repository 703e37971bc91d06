//! The weights that a reparameterization is to be attached to, found before anything is changed.

use crate::init::init_error::InitError;
use burn::module::{Module, Param, ParamGroup};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_core::{ConfigError, UnitAxis, params};
use std::collections::HashMap;

/// The layouts of the weights, by path.
pub(crate) type LayerWeights = HashMap<String, UnitAxis>;

/// The weights of `model` that have units and are matched by `group`.
///
/// The axis of a parameter's units depends on the layer that holds it. Burn tells a reparameterizer the path of
/// a parameter but not that layer, so this function walks through the model beforehand.
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
        if self::find(model, &ParamGroup::all()).weights.is_empty() {
            let paths = params(model).into_iter().map(|param| param.path);
            let requirement = "have a weight of at least two dimensions";
            let got = format_args!("the parameters {:?}", paths.collect::<Vec<_>>());
            return Err(ConfigError::new("model", requirement, got));
        }
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
        weights: HashMap::new(),
        occupied: Vec::new(),
    };
    visit(model, &mut find);
    find
}

struct Find<'a> {
    group: &'a ParamGroup,
    weights: LayerWeights,
    /// The reparameterizations found: for each, the path of its parameter and its name.
    occupied: Vec<String>,
}

impl Visitor for Find<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if let Some(units) = UnitAxis::for_weight(at.container(), D)
            && self.group.matches(&param.id, Some(at.path()))
        {
            self.weights.insert(at.path().to_owned(), units);
        }
    }

    fn enter(&mut self, at: &Location) {
        if at.container() == "Reparameterization" {
            self.occupied.push(at.path().to_owned());
        }
    }
}
