//! The change between `f32` and half precision, with all threads.

use super::buffer::{close, from_numbers, look, numbers, open};
use super::element_type::Stored;
use super::share::share;
use super::spare;
use super::{FlexTensor, GRAIN};
use crate::any_tensor::AnyTensor;
use burn::backend::TensorMetadata as _;
use burn::tensor::DType;
use half::{bf16, f16};

/// The tensor in this type, or the unchanged tensor if this backend has no kernel for the change.
#[allow(clippy::result_large_err)]
pub(crate) fn cast(tensor: AnyTensor, dtype: DType) -> Result<AnyTensor, AnyTensor> {
    let Some(from) = look(&tensor.0).map(FlexTensor::dtype) else {
        return Err(tensor);
    };
    let change: fn(&FlexTensor) -> FlexTensor = match (from, dtype) {
        (DType::F16, DType::F32) => |from| changed::<f16, f32>(from, f16::load, spare::numbers),
        (DType::BF16, DType::F32) => |from| changed::<bf16, f32>(from, bf16::load, spare::numbers),
        (DType::F32, DType::F16) => |from| changed::<f32, f16>(from, f16::store, new),
        (DType::F32, DType::BF16) => |from| changed::<f32, bf16>(from, bf16::store, new),
        _ => return Err(tensor),
    };
    Ok(AnyTensor::new(close(change(&open(tensor.open())))))
}

fn changed<A: Stored, B: Stored>(
    tensor: &FlexTensor,
    change: impl Fn(&[A], &mut [B]) + Sync,
    buffer: fn(usize) -> Vec<B>,
) -> FlexTensor {
    let old = numbers::<A>(tensor);
    let mut new = buffer(old.len());
    let pieces = new.chunks_mut(GRAIN).zip(old.chunks(GRAIN));
    share(pieces, |(new, old)| change(old, new));
    from_numbers(new, tensor.shape())
}

fn new<E: Stored>(len: usize) -> Vec<E> {
    vec![E::zeroed(); len]
}
