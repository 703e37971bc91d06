//! Puts values into a module in training; everything but the values stays.

use crate::leaf::Leaf;
use crate::module_tensors::ModuleTensors;
use crate::stale_derived::with_stale;
use crate::tied::tie_where_equal;
use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Device, Int, Tensor};
use std::collections::VecDeque;

/// `model` with other values at the same places; `model` and its clones keep their values.
///
/// `stale` says which of the float values are stale and therefore unknown: there the value of `model` stays, and becomes
/// stale.
pub(crate) fn with_values<M: Module>(model: &M, values: ModuleTensors, stale: VecDeque<bool>) -> M {
    let (fresh, context) = fresh(model);
    let restored = fresh.map(&mut Restorer {
        values,
        stale: stale.clone(),
        context,
    });
    // Each place is a leaf of its own now: those of a tied parameter have to be one again.
    with_stale(tie_where_equal(restored), stale)
}

/// A copy of `model` that can be trained independently: it has its own running statistics and
/// [`Derived`](crate::Derived) states, which a clone would share with `model`.
///
/// Values, ids, devices, element types, gradient requirements, the strategy of gradient checkpointing and
/// training flags are those of `model`. Pending updates of the statistics of `model` are applied, as its next
/// forward pass would do. No tensor is copied, and nothing is read from the device. In the copy, each place of
/// a tied parameter is an autodiff leaf of its own: see [`tie`](crate::tie).
#[must_use]
pub fn independent_copy<M: Module>(model: &M) -> M {
    let (fresh, context) = fresh(model);
    fresh.map(&mut Copier(context))
}

/// `model` with its own running statistics. Its leaves and flags have changed; the second value holds their old
/// properties.
pub(crate) fn fresh<M: Module>(model: &M) -> (M, Context) {
    let mut context = Context::default();
    model.visit(&mut context);
    // `valid` and `train` are what gives running statistics of its own to a module.
    let mut fresh = model.valid();
    // `train` gives the default strategy to constants and integers too, which no mapper corrects. Under another strategy they
    // stay without autodiff, and fit to any.
    if context.floats.iter().any(Leaf::is_as_train_makes_it) {
        fresh = fresh.train();
    }
    (fresh, context)
}

/// The properties of the tensors and flags of a module in training, apart from their values.
#[derive(Default)]
pub(crate) struct Context {
    floats: VecDeque<Leaf>,
    devices: VecDeque<Device>,
    flags: VecDeque<bool>,
}

impl Context {
    fn leaf(&mut self) -> Leaf {
        self.floats.pop_front().expect("of the same module")
    }

    pub(crate) fn flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        let enabled = self.flags.pop_front().expect("of the same module");
        flag.map(|flag| flag.with(enabled))
    }
}

impl ModuleVisitor for Context {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.floats.push_back(Leaf::new(&param.val()));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.devices.push_back(param.val().device());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.devices.push_back(param.val().device());
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.flags.push_back(flag.is_enabled());
    }
}

struct Restorer {
    values: ModuleTensors,
    stale: VecDeque<bool>,
    context: Context,
}

impl Restorer {
    fn device(&mut self) -> Device {
        self.context
            .devices
            .pop_front()
            .expect("of the same module")
    }
}

impl ModuleMapper for Restorer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let leaf = self.context.leaf();
        let value = self.values.float();
        let is_stale = self.stale.pop_front().expect("of the same module");
        let id = param.id;
        param.map(|own| {
            let value = if is_stale {
                own.without_autodiff()
            } else {
                value
            };
            leaf.with_value(value, id)
        })
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let (value, device) = (self.values.other::<Tensor<D, Int>>(), self.device());
        param.map(|_| value.to_device(&device))
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        let (value, device) = (self.values.other::<Tensor<D, Bool>>(), self.device());
        param.map(|_| value.to_device(&device))
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.context.flag(flag)
    }
}

/// Makes leaves of a module's own values.
struct Copier(Context);

impl ModuleMapper for Copier {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let leaf = self.0.leaf();
        let id = param.id;
        param.map(|value| leaf.with_value(value.without_autodiff(), id))
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        self.0.flag(flag)
    }
}
