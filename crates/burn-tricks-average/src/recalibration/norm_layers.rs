//! The layers of a module that keep running statistics, and how their batch statistics are obtained.

use crate::recalibration::recalibration_error::RecalibrationError;
use crate::recalibration::running_statistics::{MEAN, VARIANCE, join, parent};
use burn::module::{Flag, Module, Param, ParamGroup, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_core::{ValueKind, places};
use std::collections::BTreeMap;

/// Burn's layer, recognised by its name and fields.
const BURNS: &str = "BatchNorm";
const BURNS_FIELDS: [&str; 5] = ["beta", "gamma", MEAN, VARIANCE, "training"];
/// Layers that report the statistics of their batches.
const REPORTING: [&str; 2] = ["TorchBatchNorm", "GhostBatchNorm"];
/// The layer that cannot be trained or unfrozen, and has no flag.
const FROZEN: &str = "FrozenBatchNorm";
const FLAG: &str = "training";

/// How the statistics of a batch are obtained from a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// From its running statistics after the batch: for Burn's batch norm, whose update rule is known.
    Left,
    /// From its [reports](burn_tricks_core::batch_statistics).
    Reports,
    /// From its reports, if it makes any: the layer's update rule is unknown.
    Unknown,
}

/// A layer with running statistics.
#[derive(Debug, Clone)]
pub(crate) struct NormLayer {
    pub(crate) path: String,
    /// The name of its type.
    pub(crate) name: String,
    pub(crate) source: Source,
}

impl NormLayer {
    /// Whether it reports its statistics, or may do so.
    pub(crate) fn may_report(&self) -> bool {
        self.source != Source::Left
    }
}

/// The layers of `model` that are to be measured.
///
/// # Errors
///
/// If the model has some, and `group` matches none of them.
pub(crate) fn norm_layers<M: Module>(
    model: &M,
    group: &ParamGroup,
) -> Result<Vec<NormLayer>, RecalibrationError> {
    let buffers: Vec<String> = (places(model).into_iter())
        .filter(|place| place.kind == ValueKind::Buffer)
        .map(|place| place.path)
        .collect();
    let keeps = |layer: &str, statistic| buffers.contains(&join(layer, statistic));
    let mut walk = Walk::default();
    visit(model, &mut walk);
    let mut norms = walk.0;
    norms.retain(|path, found| keeps(path, MEAN) && keeps(path, VARIANCE) && !found.is_frozen());
    let had_some = !norms.is_empty();
    norms.retain(|path, found| {
        let id = found.mean.expect("a running mean is visited");
        group.matches(&id, Some(&join(path, MEAN)))
    });
    if had_some && norms.is_empty() {
        return Err(RecalibrationError::NoLayer);
    }
    let layer = |(path, found): (String, Found)| NormLayer {
        path,
        source: found.source(),
        name: found.name,
    };
    Ok(norms.into_iter().map(layer).collect())
}

/// A module met on the walk: its type, the values that it holds itself, and the id of its running mean.
#[derive(Default)]
struct Found {
    name: String,
    fields: Vec<String>,
    mean: Option<ParamId>,
}

impl Found {
    fn source(&self) -> Source {
        let mut fields: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        fields.sort_unstable();
        match self.name.as_str() {
            BURNS if fields == BURNS_FIELDS => Source::Left,
            name if REPORTING.contains(&name) => Source::Reports,
            _ => Source::Unknown,
        }
    }

    fn is_frozen(&self) -> bool {
        self.name == FROZEN && !self.fields.iter().any(|field| field == FLAG)
    }
}

#[derive(Default)]
struct Walk(BTreeMap<String, Found>);

impl Walk {
    fn add(&mut self, at: &Location, id: ParamId) {
        let found = self.0.entry(parent(at.path()).to_owned()).or_default();
        found.name = at.layer().to_owned();
        found.fields.push(at.field().to_owned());
        if at.field() == MEAN {
            found.mean = Some(id);
        }
    }
}

impl Visitor for Walk {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        self.add(at, param.id);
    }

    fn flag(&mut self, at: &Location, flag: &Param<Flag>) {
        self.add(at, flag.id);
    }
}
