//! Giving new values to the parameters of a module.

use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Mapper, map};
use burn_tricks_core::{Snapshot, ValueKind, params, places, tie};
use std::collections::{HashMap, HashSet};

/// A rule for the new values.
pub(crate) trait Rewrite {
    /// The new value of the parameter here, which has the value `old`, without autodiff; `None` to leave it.
    /// `paths` are those of all places of a tied parameter, this one first.
    fn rewrite<const D: usize>(
        &mut self,
        at: &Location,
        paths: &[String],
        old: &Tensor<D>,
    ) -> Option<Tensor<D>>;
}

/// `model` with other weights. Ids, devices, element types, trainability and training flags stay; so do running
/// statistics, which no rule sees. Lazy parameters are initialised. A tied parameter is seen once, at its first
/// place, and has the same value at all its places afterwards.
pub(crate) fn rewrite<M: Module>(model: &M, rule: &mut impl Rewrite) -> M {
    let buffers = places(model)
        .into_iter()
        .filter(|place| place.kind != ValueKind::Weight)
        .map(|place| place.path)
        .collect();
    let mut paths: HashMap<ParamId, Vec<String>> = HashMap::new();
    for param in params(model) {
        paths.entry(param.id).or_default().push(param.path);
    }
    let mut rewriter = Rewriter {
        rule,
        buffers,
        paths,
        seen: HashSet::new(),
    };
    let rewritten = tie(map(model.valid(), &mut rewriter));
    Snapshot::new(&rewritten)
        .restore(model)
        .expect("a rewritten module has the places of its original")
}

struct Rewriter<'a, R> {
    rule: &'a mut R,
    buffers: HashSet<String>,
    /// All places of each parameter.
    paths: HashMap<ParamId, Vec<String>>,
    seen: HashSet<ParamId>,
}

impl<R: Rewrite> Mapper for Rewriter<'_, R> {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        if self.buffers.contains(at.path()) || !self.seen.insert(param.id) {
            return param;
        }
        let paths = &self.paths[&param.id];
        param.map(|old| match self.rule.rewrite(at, paths, &old) {
            Some(new) => new.to_device(&old.device()).cast(old.dtype()),
            None => old,
        })
    }
}
