//! Giving new values to the parameters of a module.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn_tricks_core::{PathTracker, PlaceKind, Snapshot};

/// Where a parameter stands.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    /// Its path, as records name it.
    pub(crate) path: &'a str,
    /// The type of the module that holds it, as Burn's visitors name it.
    pub(crate) container: &'a str,
}

/// A rule for the new values.
pub(crate) trait Rewrite {
    /// The new value of the parameter at `site`, which has the value `old`, without autodiff; `None` to
    /// leave it.
    fn rewrite<const D: usize>(&mut self, site: Site<'_>, old: &Tensor<D>) -> Option<Tensor<D>>;
}

/// `model` with other weights. Ids, devices, element types, trainability and training flags stay, and
/// running statistics, which no rule sees. Lazy parameters are initialised.
pub(crate) fn rewrite<M: Module>(model: &M, rule: &mut impl Rewrite) -> M {
    let buffers = burn_tricks_core::places(model)
        .into_iter()
        .filter(|place| place.kind == PlaceKind::Buffer)
        .map(|place| place.path)
        .collect();
    let rewritten = model.valid().map(&mut Mapper {
        rule,
        buffers,
        at: PathTracker::default(),
        containers: Vec::new(),
    });
    Snapshot::of(&rewritten)
        .restore(model)
        .expect("a rewritten module has the places of its original")
}

struct Mapper<'a, R> {
    rule: &'a mut R,
    buffers: Vec<String>,
    at: PathTracker,
    containers: Vec<String>,
}

impl<R: Rewrite> ModuleMapper for Mapper<'_, R> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.at.path();
        if self.buffers.contains(&path) {
            return param;
        }
        let container = self.containers.last().map_or("", String::as_str);
        let site = Site {
            path: &path,
            container,
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
