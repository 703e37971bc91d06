//! Converts statistics that a layer uses but does not train to the device and type of its input.

use burn::module::RunningState;
use burn::tensor::{FloatDType, GradientCheckpointingStrategy, Tensor};

/// The value of `state` in `dtype`, beside `input`: on its device and, if it is on an autodiff device,
/// with its strategy of gradient checkpointing, since tensors of different strategies do not mix.
/// (`valid().train()` of a module forgets the strategy.)
pub(crate) fn constant_beside<const D: usize>(
    state: &RunningState<Tensor<1>>,
    dtype: FloatDType,
    input: &Tensor<D>,
) -> Tensor<1> {
    let value = state.value();
    let value = if value.is_autodiff() {
        value.inner()
    } else {
        value
    };
    let value = value
        .to_device(&input.device().without_autodiff())
        .cast(dtype);
    beside(value, input)
}

/// `value`, which is without autodiff, with the autodiff and the strategy of `input` if it has any.
pub(crate) fn beside<const D: usize, const E: usize>(
    value: Tensor<E>,
    input: &Tensor<D>,
) -> Tensor<E> {
    Kind::of(input).lift(value)
}

/// Whether a tensor has autodiff, and which strategy of gradient checkpointing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    is_autodiff: bool,
    strategy: Option<GradientCheckpointingStrategy>,
}

impl Kind {
    pub(crate) fn of<const D: usize>(tensor: &Tensor<D>) -> Self {
        Self {
            is_autodiff: tensor.is_autodiff(),
            strategy: tensor.gradient_checkpointing_strategy(),
        }
    }

    /// `value`, which is without autodiff, as a constant among tensors of this kind.
    pub(crate) fn lift<const D: usize>(self, value: Tensor<D>) -> Tensor<D> {
        if !self.is_autodiff {
            return value;
        }
        let value = Tensor::from_inner(value);
        match self.strategy {
            Some(strategy) => value.with_gradient_checkpointing_strategy(strategy),
            None => value,
        }
    }
}
