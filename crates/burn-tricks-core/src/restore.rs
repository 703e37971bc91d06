//! Putting values into a live module: everything but the values stays.

use crate::tied::tie_where_equal;
use crate::values::Values;
use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, DType, Device, GradientCheckpointingStrategy, Int, Tensor};
use std::collections::VecDeque;

/// `model` with other values, of the same places; `model` and its clones keep theirs.
pub(crate) fn with_values<M: Module>(model: &M, values: Values) -> M {
    let mut context = Context::default();
    model.visit(&mut context);
    // `valid` and `train` are what gives running statistics of its own to a module.
    let fresh = match context.floats.iter().any(|float| float.autodiff) {
        true => model.valid().train(),
        false => model.valid(),
    };
    let restored = fresh.map(&mut Restorer { values, context });
    // Each place is a leaf of its own now: those of a tied parameter have to be one again.
    tie_where_equal(restored)
}

/// What the tensors and flags of a live module are, apart from their values.
#[derive(Default)]
struct Context {
    floats: VecDeque<FloatContext>,
    devices: VecDeque<Device>,
    flags: VecDeque<bool>,
}

/// What a float tensor of a live module is, apart from its values.
#[derive(Debug, PartialEq)]
pub(crate) struct FloatContext {
    device: Device,
    dtype: DType,
    autodiff: bool,
    require_grad: bool,
    distributed: bool,
    checkpointing: Option<GradientCheckpointingStrategy>,
}

impl FloatContext {
    pub(crate) fn of<const D: usize>(value: &Tensor<D>) -> Self {
        let autodiff = value.is_autodiff();
        Self {
            device: value.device().without_autodiff(),
            dtype: value.dtype(),
            autodiff,
            require_grad: value.is_require_grad(),
            distributed: autodiff && value.is_distributed(),
            checkpointing: value.gradient_checkpointing_strategy(),
        }
    }

    /// `value`, which autodiff does not track, as a leaf of this kind: the parameter `id`.
    pub(crate) fn give<const D: usize>(self, value: Tensor<D>, id: ParamId) -> Tensor<D> {
        let value = value.to_device(&self.device).cast(self.dtype);
        if !self.autodiff {
            return value;
        }
        let mut value = Tensor::from_inner(value);
        if let Some(strategy) = self.checkpointing {
            value = value.with_gradient_checkpointing_strategy(strategy);
        }
        if self.require_grad {
            value = value.require_grad();
        }
        match self.distributed {
            true => value.set_distributed(id),
            false => value,
        }
    }
}

impl ModuleVisitor for Context {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.floats.push_back(FloatContext::of(&param.val()));
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
    values: Values,
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
        let context = self.context.floats.pop_front().expect("of the same module");
        let value = self.values.float();
        let id = param.id;
        param.map(|_| context.give(value, id))
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
        let enabled = self.context.flags.pop_front().expect("of the same module");
        flag.map(|flag| flag.with(enabled))
    }
}
