//! Giving new values to the parameters of a module.

use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Mapper, frozen_clones, map};
use burn_tricks_core::{Snapshot, ValueKind, params, places};
use std::any::Any;
use std::collections::{HashMap, HashSet};

/// A rule for the new values.
pub(crate) trait Rewrite {
    /// The new value of the parameter here, which has the value `old`, without autodiff; `None` to leave it.
    /// `paths` are those of all places of a tied parameter, this one first. The places of frozen clones are not among those
    /// of the parameter that is trained, but are a parameter of their own.
    fn rewrite<const D: usize>(
        &mut self,
        at: &Location,
        paths: &[String],
        old: &Tensor<D>,
    ) -> Option<Tensor<D>>;
}

/// `model` with other weights. Ids, devices, element types, trainability and training flags stay; so do running
/// statistics, which no rule sees. Lazy parameters are initialised. A tied parameter is seen once, at its first
/// place, and has the same value at all its places afterwards. Frozen clones of it, such as the teacher of a distillation,
/// are seen once by themselves: each keeps its value unless the rule gives a new one.
pub(crate) fn rewrite<M: Module>(model: &M, rule: &mut impl Rewrite) -> M {
    let buffers = places(model)
        .into_iter()
        .filter(|place| place.kind != ValueKind::Weight)
        .map(|place| place.path)
        .collect();
    let frozen_clones = frozen_clones(model);
    let mut paths: HashMap<Key, Vec<String>> = HashMap::new();
    for param in params(model) {
        let is_frozen_clone = frozen_clones.contains(&param.path);
        let key = (param.id, is_frozen_clone);
        paths.entry(key).or_default().push(param.path);
    }
    let mut rewriter = Rewriter {
        rule,
        buffers,
        frozen_clones,
        paths,
        values: HashMap::new(),
    };
    let rewritten = map(model.valid(), &mut rewriter);
    Snapshot::new(&rewritten)
        .restore(model)
        .expect("a rewritten module has the places of its original")
}

/// A parameter: its id, and whether it is that of the frozen clones of a part that is trained, which have the same id.
type Key = (ParamId, bool);

struct Rewriter<'a, R> {
    rule: &'a mut R,
    buffers: HashSet<String>,
    frozen_clones: HashSet<String>,
    /// All places of each parameter.
    paths: HashMap<Key, Vec<String>>,
    /// Of each parameter that the rule has seen, the tensor for all its places; `None` if each place keeps its own.
    values: HashMap<Key, Option<Box<dyn Any>>>,
}

impl<R: Rewrite> Mapper for Rewriter<'_, R> {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        if self.buffers.contains(at.path()) {
            return param;
        }
        let is_frozen_clone = self.frozen_clones.contains(at.path());
        let key = (param.id, is_frozen_clone);
        if let Some(value) = self.values.get(&key) {
            let value = value
                .as_ref()
                .and_then(|value| value.downcast_ref::<Tensor<D>>());
            return param.map(|own| match value {
                Some(value) if value.dims() == own.dims() => in_place_of(&own, value.clone()),
                _ => own,
            });
        }
        let old = param.val();
        let new = self.rule.rewrite(at, &self.paths[&key], &old);
        let value = match new {
            Some(new) => Some(in_place_of(&old, new)),
            None if is_frozen_clone => None,
            None => Some(old),
        };
        let boxed = |value: Tensor<D>| Box::new(value) as Box<dyn Any>;
        self.values.insert(key, value.clone().map(boxed));
        match value {
            Some(value) => param.map(|_| value),
            None => param,
        }
    }
}

/// `new` on the device of `old`, in its element type.
fn in_place_of<const D: usize>(old: &Tensor<D>, new: Tensor<D>) -> Tensor<D> {
    new.to_device(&old.device()).cast(old.dtype())
}
