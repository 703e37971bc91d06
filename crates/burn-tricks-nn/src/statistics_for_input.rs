//! Converts statistics that a layer uses but does not train to the device and type of its input.

use burn::module::RunningState;
use burn::tensor::{FloatDType, Tensor};

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
    if !input.is_autodiff() {
        return value;
    }
    let value = Tensor::from_inner(value);
    match input.gradient_checkpointing_strategy() {
        Some(strategy) => value.with_gradient_checkpointing_strategy(strategy),
        None => value,
    }
}
