//! Giving new values to the parameters of a module.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::{PathTracker, PlaceKind, Snapshot, params, tie};
use std::collections::{HashMap, HashSet};

/// Where a parameter stands.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    /// Its path, as records name it; of a tied parameter, the paths of all its places, the first first.
    pub(crate) paths: &'a [String],
    /// The types of the modules that it stands in, as Burn's visitors name them, the innermost last. Of a
    /// tied parameter those of its first place.
    pub(crate) containers: &'a [String],
}

impl Site<'_> {
    /// Its (first) path.
    pub(crate) fn path(&self) -> &str {
        &self.paths[0]
    }

    /// The type of the module that holds it.
    pub(crate) fn container(&self) -> &str {
        self.containers.last().map_or("", String::as_str)
    }

    /// The last part of its path: the name of its field.
    pub(crate) fn field(&self) -> &str {
        let path = self.path();
        path.rsplit('.').next().unwrap_or(path)
    }
}

/// A rule for the new values.
pub(crate) trait Rewrite {
    /// The new value of the parameter at `site`, which has the value `old`, without autodiff; `None` to
    /// leave it.
    fn rewrite<const D: usize>(&mut self, site: Site<'_>, old: &Tensor<D>) -> Option<Tensor<D>>;
}

/// `model` with other weights. Ids, devices, element types, trainability and training flags stay, and
/// running statistics, which no rule sees. Lazy parameters are initialised. A tied parameter is seen once,
/// at its first place, and has the same value at all its places afterwards.
pub(crate) fn rewrite<M: Module>(model: &M, rule: &mut impl Rewrite) -> M {
    let buffers = burn_tricks_core::places(model)
        .into_iter()
        .filter(|place| place.kind != PlaceKind::Weight)
        .map(|place| place.path)
        .collect();
    let mut paths: HashMap<ParamId, Vec<String>> = HashMap::new();
    for param in params(model) {
        paths.entry(param.id).or_default().push(param.path);
    }
    let rewritten = tie(model.valid().map(&mut Mapper {
        rule,
        buffers,
        paths,
        seen: HashSet::new(),
        at: PathTracker::default(),
        containers: Vec::new(),
    }));
    Snapshot::new(&rewritten)
        .restore(model)
        .expect("a rewritten module has the places of its original")
}

struct Mapper<'a, R> {
    rule: &'a mut R,
    buffers: HashSet<String>,
    /// Of each parameter, all its places.
    paths: HashMap<ParamId, Vec<String>>,
    seen: HashSet<ParamId>,
    at: PathTracker,
    containers: Vec<String>,
}

impl<R: Rewrite> ModuleMapper for Mapper<'_, R> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.buffers.contains(&self.at.path()) || !self.seen.insert(param.id) {
            return param;
        }
        let site = Site {
            paths: &self.paths[&param.id],
            containers: &self.containers,
        };
        param.map(|old| match self.rule.rewrite(site, &old) {
            Some(new) => new.to_device(&old.device()).cast(old.dtype()),
            None => old,
        })
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name);
        self.containers.push(container_type.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
        self.containers.pop();
    }
}
