//! A walk through a module that reports the location of every value.
//!
//! Burn's `ModuleVisitor` and `ModuleMapper` are only told when they enter and leave a module. To know the path
//! of a parameter, or the layer that holds it, they have to keep track of that. [`visit`] and [`map`] do so,
//! and pass a [`Location`] to a [`Visitor`] or a [`Mapper`]. For two simple cases a closure is enough:
//! [`visit_floats`], which does not see values, and [`map_flags`].
//!
//! # Example
//!
//! The weights of all linear layers, by path:
//!
//! ```
//! use burn::nn::{BatchNormConfig, LinearConfig};
//! use burn::tensor::Device;
//! use burn_tricks_core::walk::visit_floats;
//!
//! let device = Device::flex();
//! let model = (LinearConfig::new(2, 3).init(&device), BatchNormConfig::new(3).init(&device));
//! let mut paths = Vec::new();
//! visit_floats(&model, |at, _param| {
//!     if at.container() == "Struct:Linear" && at.field() == "weight" {
//!         paths.push(at.path().to_owned());
//!     }
//! });
//! assert_eq!(paths, ["0.weight"]);
//! ```
//!
//! # Cost
//!
//! The names of the modules are appended to two buffers that the whole walk shares: there is no allocation for each
//! parameter. If you need only values, such as gradients by parameter id, use Burn's own traits.

use crate::derived::Announcement;
use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Int, Tensor};
use std::collections::HashSet;

/// The location of a value in a module: its path, and the types of the modules that contain it.
#[derive(Debug, Clone, Default)]
pub struct Location {
    path: Names,
    containers: Names,
    /// The announcement for the next float.
    announced: Option<Announcement>,
}

/// Names in one buffer, one after the other.
#[derive(Debug, Clone, Default)]
struct Names {
    text: String,
    /// Where each name begins.
    starts: Vec<usize>,
}

impl Names {
    fn push(&mut self, separator: &str, name: &str) {
        if !self.text.is_empty() {
            self.text.push_str(separator);
        }
        self.starts.push(self.text.len());
        self.text.push_str(name);
    }

    fn pop(&mut self, separator: &str) {
        let start = self.starts.pop().unwrap_or_default();
        self.text.truncate(start.saturating_sub(separator.len()));
    }

    fn last(&self) -> &str {
        self.starts.last().map_or("", |start| &self.text[*start..])
    }
}

impl Location {
    /// The path of the value, as Burn's records name it: `encoder.layers.0.weight`.
    pub fn path(&self) -> &str {
        &self.path.text
    }

    /// The last part of the path: the name of the field that holds the value.
    pub fn field(&self) -> &str {
        self.path.last()
    }

    /// The type of the module that holds the value, as Burn names it: `Struct:Linear`, `Vec`.
    pub fn container(&self) -> &str {
        self.containers.last()
    }

    /// The name of that type without its kind: `Linear`.
    pub fn layer(&self) -> &str {
        let container = self.container();
        container.rsplit(':').next().unwrap_or(container)
    }

    /// Whether a module of this type contains the value, directly or further out.
    pub fn is_inside(&self, container: &str) -> bool {
        let Names { text, starts } = &self.containers;
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        (starts.iter().zip(ends)).any(|(start, end)| text[*start..end] == *container)
    }

    /// Whether the next float is a [`Derived`](crate::Derived) state.
    pub fn is_derived(&self) -> bool {
        self.announced.is_some()
    }

    /// Whether the next float is a [`Derived`](crate::Derived) state that does not belong to the present
    /// weights.
    pub(crate) fn is_stale(&self) -> bool {
        self.announced == Some(Announcement::Stale)
    }

    fn enter(&mut self, name: &str, container: &str) {
        self.path.push(".", name);
        self.containers.push("", container);
        self.announced = Announcement::of(container).or(self.announced);
    }

    fn exit(&mut self) {
        self.path.pop(".");
        self.containers.pop("");
    }
}

/// Visits the values of a module. It is Burn's `ModuleVisitor`, with the location of each value.
pub trait Visitor {
    /// Visits a float tensor: a parameter, a running statistic, a [`Derived`](crate::Derived) state.
    fn float<const D: usize>(&mut self, _at: &Location, _param: &Param<Tensor<D>>) {}

    /// Visits a tensor of integers.
    fn int<const D: usize>(&mut self, _at: &Location, _param: &Param<Tensor<D, Int>>) {}

    /// Visits a tensor of booleans.
    fn bool<const D: usize>(&mut self, _at: &Location, _param: &Param<Tensor<D, Bool>>) {}

    /// Visits a flag, such as the one that says whether dropout drops.
    fn flag(&mut self, _at: &Location, _flag: &Param<Flag>) {}

    /// Called after entering a module, which may hold no value.
    fn enter(&mut self, _at: &Location) {}
}

/// Changes the values of a module. It is Burn's `ModuleMapper`, with the location of each value; integers and
/// booleans stay.
pub trait Mapper {
    /// Changes a float tensor.
    fn float<const D: usize>(
        &mut self,
        _at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        param
    }

    /// Changes a flag.
    fn flag(&mut self, _at: &Location, flag: Param<Flag>) -> Param<Flag> {
        flag
    }
}

/// The properties of a float parameter of any rank, without its values.
pub trait AnyFloat {
    /// Its identity, under which gradients and optimizer states are kept.
    fn id(&self) -> ParamId;

    /// How many dimensions it has.
    fn rank(&self) -> usize;

    /// Whether it requires a gradient, as trained parameters on an autodiff device do. Initialises a lazy
    /// parameter.
    fn is_require_grad(&self) -> bool;

    /// Whether it is on an autodiff device and requires no gradient. Initialises a lazy parameter.
    fn is_frozen(&self) -> bool;
}

impl<const D: usize> AnyFloat for Param<Tensor<D>> {
    fn id(&self) -> ParamId {
        self.id
    }

    fn rank(&self) -> usize {
        D
    }

    fn is_require_grad(&self) -> bool {
        self.val().is_require_grad()
    }

    fn is_frozen(&self) -> bool {
        let value = self.val();
        value.is_autodiff() && !value.is_require_grad()
    }
}

/// Shows every value of `module` to `visitor`, in the module's own order. A tied parameter is shown at
/// each of its places.
pub fn visit<M: Module>(module: &M, visitor: &mut impl Visitor) {
    let at = Location::default();
    module.visit(&mut Walk { at, on: visitor });
}

/// Shows every float parameter of `module`, running statistics included, in the module's own order.
pub fn visit_floats<M: Module>(module: &M, look: impl FnMut(&Location, &dyn AnyFloat)) {
    struct Floats<F>(F);

    impl<F: FnMut(&Location, &dyn AnyFloat)> Visitor for Floats<F> {
        fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
            (self.0)(at, param);
        }
    }

    visit(module, &mut Floats(look));
}

/// Whether a float of `module` is on an autodiff device. In such a module only the floats that require a gradient are trained:
/// what is on a plain device, such as the statistics of a scaler that was fitted there, is not. In a module without one it does
/// not show which are. `Module::devices` does not tell: of a device with and without autodiff, it lists the first that it meets.
pub fn has_autodiff<M: Module>(module: &M) -> bool {
    let mut has_autodiff = false;
    visit_floats(module, |_, param| {
        has_autodiff |= param.is_require_grad() || param.is_frozen();
    });
    has_autodiff
}

/// The paths of the floats that require no gradient although another place of the same parameter does: those of a frozen clone of
/// a part that is trained, such as the teacher of a distillation. They keep their values where those of the parameter are replaced.
pub fn frozen_clones<M: Module>(module: &M) -> HashSet<String> {
    let (mut trained, mut others) = (HashSet::new(), Vec::new());
    visit_floats(module, |at, param| {
        if param.is_require_grad() {
            trained.insert(param.id());
        } else {
            others.push((param.id(), at.path().to_owned()));
        }
    });
    others.retain(|(id, _)| trained.contains(id));
    others.into_iter().map(|(_, path)| path).collect()
}

/// `module` with the values that `mapper` gives for its own.
#[must_use]
pub fn map<M: Module>(module: M, mapper: &mut impl Mapper) -> M {
    let at = Location::default();
    module.map(&mut Walk { at, on: mapper })
}

/// `module` with changed flags.
#[must_use]
pub fn map_flags<M: Module>(
    module: M,
    change: impl FnMut(&Location, Param<Flag>) -> Param<Flag>,
) -> M {
    struct Flags<F>(F);

    impl<F: FnMut(&Location, Param<Flag>) -> Param<Flag>> Mapper for Flags<F> {
        fn flag(&mut self, at: &Location, flag: Param<Flag>) -> Param<Flag> {
            (self.0)(at, flag)
        }
    }

    map(module, &mut Flags(change))
}

/// Burn's walk, on behalf of a [`Visitor`] or a [`Mapper`].
struct Walk<'a, T> {
    at: Location,
    on: &'a mut T,
}

impl<V: Visitor> ModuleVisitor for Walk<'_, V> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.on.float(&self.at, param);
        self.at.announced = None;
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.on.int(&self.at, param);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.on.bool(&self.at, param);
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.on.flag(&self.at, flag);
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
        self.on.enter(&self.at);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
    }
}

impl<V: Mapper> ModuleMapper for Walk<'_, V> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let param = self.on.float(&self.at, param);
        self.at.announced = None;
        param
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.on.flag(&self.at, flag)
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.exit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derived::Derived;
    use burn::nn::{BatchNorm, BatchNormConfig, DropoutConfig, Linear, LinearConfig};
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Net {
        layers: Vec<Linear>,
        length: Derived<1>,
        norm: BatchNorm,
    }

    fn net() -> Net {
        let device = Device::flex();
        Net {
            layers: vec![LinearConfig::new(2, 3).with_bias(false).init(&device)],
            length: Derived::new(Tensor::ones([1], &device)),
            norm: BatchNormConfig::new(3).init(&device),
        }
    }

    #[test]
    fn a_value_knows_its_field_its_layer_and_what_that_stands_in() {
        let mut seen = Vec::new();
        visit_floats(&net(), |at, param| {
            let is_listed = at.is_inside("Vec") && at.is_inside("Struct:Net");
            seen.push(format!(
                "{} {} {} {is_listed} {} {}",
                at.path(),
                at.field(),
                at.layer(),
                at.is_derived(),
                param.rank()
            ));
        });
        assert_eq!(
            seen,
            [
                "layers.0.weight weight Linear true false 2",
                "length length Net false true 1",
                "norm.gamma gamma BatchNorm false false 1",
                "norm.beta beta BatchNorm false false 1",
                "norm.running_mean running_mean BatchNorm false false 1",
                "norm.running_var running_var BatchNorm false false 1",
            ]
        );
    }

    #[test]
    fn a_model_that_is_one_layer_has_paths_without_a_dot() {
        let layer = LinearConfig::new(2, 3).init(&Device::flex());
        let mut paths = Vec::new();
        visit_floats(&layer, |at, _| paths.push(at.path().to_owned()));
        assert_eq!(paths, ["weight", "bias"]);
    }

    #[test]
    fn a_look_that_asks_for_no_value_initialises_none() {
        let layer = LinearConfig::new(2, 3).init(&Device::flex());
        visit_floats(&layer, |_, param| assert!(param.rank() > 0));
        assert!(!layer.weight.is_initialized());
    }

    #[test]
    fn flags_are_mapped_where_they_stand() {
        let model = (DropoutConfig::new(0.5).init(), net());
        let (dropout, net) = map_flags(model, |at, flag| {
            let is_set = at.path() == "1.norm.training";
            flag.with_value(is_set)
        });
        assert!(!dropout.training.is_enabled());
        assert!(net.norm.training.is_enabled());
    }
}
