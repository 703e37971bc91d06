//! Numbers of half precision and what they lack, in one pass.

use super::bfloat;
use super::buffer::{close, from_numbers, look, numbers, open, room};
use super::element_type::Stored;
use super::share::share;
use super::spare;
use super::take_over::{BLOCK, take_over_block};
use super::{FlexTensor, GRAIN};
use crate::any_tensor::AnyTensor;
use burn::backend::TensorMetadata as _;
use burn::tensor::DType;
use half::{bf16, f16};

/// Exact numbers, and two tensors in half precision; unchanged.
pub(crate) type NotOurs = (AnyTensor, [AnyTensor; 2]);

/// The type of the tensors, if they are of this backend and of one type.
fn common_dtype(tensors: &[AnyTensor; 2]) -> Option<DType> {
    let [one, other] = tensors.each_ref().map(|tensor| look(&tensor.0));
    let dtype = one?.dtype();
    (other?.dtype() == dtype).then_some(dtype)
}

/// The sums of weight and compensation, if this backend has a kernel for them.
pub(crate) fn compensated(both: [AnyTensor; 2]) -> Option<AnyTensor> {
    let sums = match common_dtype(&both)? {
        DType::F16 => sums::<f16>,
        DType::BF16 => sums::<bf16>,
        _ => return None,
    };
    let sum = sums(&both.map(|tensor| open(tensor.open())));
    Some(AnyTensor::new(close(sum)))
}

fn sums<E: Compensated>([weight, compensation]: &[FlexTensor; 2]) -> FlexTensor {
    let shape = weight.shape();
    let (weight, compensation) = (numbers::<E>(weight), numbers::<E>(compensation));
    let mut sums = spare::numbers(weight.len());
    let both = weight.chunks(GRAIN).zip(compensation.chunks(GRAIN));
    let pieces = both.zip(sums.chunks_mut(GRAIN));
    share(pieces, |((weight, compensation), sums)| {
        E::sums(weight, compensation, sums);
    });
    from_numbers(sums, shape)
}

/// The rounded numbers and what they lack, or the unchanged arguments if this backend has no kernel for them.
#[allow(clippy::result_large_err)]
pub(crate) fn split_compensation(
    exact: AnyTensor,
    into: [AnyTensor; 2],
) -> Result<[AnyTensor; 2], NotOurs> {
    if look(&exact.0).map(FlexTensor::dtype) != Some(DType::F32) {
        return Err((exact, into));
    }
    let split = match common_dtype(&into) {
        Some(DType::F16) => split::<f16>,
        Some(DType::BF16) => split::<bf16>,
        _ => return Err((exact, into)),
    };
    let into = into.map(|into| open(into.open()));
    let split = split(&open(exact.open()), into);
    Ok(split.map(|half| AnyTensor::new(close(half))))
}

fn split<E: Compensated>(exact: &FlexTensor, into: [FlexTensor; 2]) -> [FlexTensor; 2] {
    let exact = numbers::<f32>(exact);
    let mut into = into.map(room::<E>);
    let [rounded, errors] = into.each_mut().map(FlexTensor::storage_mut::<E>);
    let both = rounded.chunks_mut(GRAIN).zip(errors.chunks_mut(GRAIN));
    let pieces = exact.chunks(GRAIN).zip(both);
    share(pieces, |(exact, (rounded, errors))| {
        E::split(exact, rounded, errors);
    });
    into
}

/// A type of half precision, whose numbers have a compensation. All slices are of one length.
trait Compensated: Stored<Wide = f32> {
    /// The sums of weight and compensation, and the weight alone wherever the sum, rounded, is not the weight.
    fn sums(weight: &[Self], compensation: &[Self], sums: &mut [f32]);

    /// The numbers rounded, and what they lack; then the same of the sum of both, unless that is beyond the largest number or
    /// NaN: there the number rounded once, and 0.
    fn split(exact: &[f32], rounded: &mut [Self], errors: &mut [Self]);
}

impl Compensated for bf16 {
    fn sums(weight: &[Self], compensation: &[Self], sums: &mut [f32]) {
        bfloat::sums(weight, compensation, sums);
    }

    fn split(exact: &[f32], rounded: &mut [Self], errors: &mut [Self]) {
        bfloat::split(exact, rounded, errors);
    }
}

/// From here on `f16` rounds to infinity: the middle between its largest number and the next power of two.
const BEYOND: f32 = 65_520.0;

impl Compensated for f16 {
    fn sums(weight: &[Self], compensation: &[Self], sums: &mut [f32]) {
        let mut rounded = [Self::ZERO; BLOCK];
        let mut wide = [[0.0; BLOCK]; 2];
        let both = weight.chunks(BLOCK).zip(compensation.chunks(BLOCK));
        for ((weight, compensation), sums) in both.zip(sums.chunks_mut(BLOCK)) {
            let [weights, errors] = wide.each_mut().map(|wide| &mut wide[..sums.len()]);
            Self::load(weight, weights);
            Self::load(compensation, errors);
            for (sum, (weight, error)) in sums.iter_mut().zip(weights.iter().zip(errors)) {
                *sum = weight + *error;
            }
            take_over_block(sums, weight, &mut rounded, &mut wide);
        }
    }

    fn split(exact: &[f32], rounded: &mut [Self], errors: &mut [Self]) {
        let mut wide = [[0.0; BLOCK]; 2];
        let both = rounded.chunks_mut(BLOCK).zip(errors.chunks_mut(BLOCK));
        for (exact, (rounded, errors)) in exact.chunks(BLOCK).zip(both) {
            let [sums, near] = wide.each_mut().map(|wide| &mut wide[..exact.len()]);
            split_block(exact, near, rounded, errors);
            Self::load(errors, sums);
            for (sum, near) in sums.iter_mut().zip(&*near) {
                let both = *sum + near;
                *sum = if both.abs() < BEYOND { both } else { *near };
            }
            split_block(sums, near, rounded, errors);
        }
    }
}

/// The numbers rounded, and what they lack, which is 0 where they are infinite or NaN; `near` are the rounded numbers, widened.
#[inline]
fn split_block(exact: &[f32], near: &mut [f32], rounded: &mut [f16], errors: &mut [f16]) {
    let mut missing = [0.0; BLOCK];
    let missing = &mut missing[..exact.len()];
    f16::store(exact, rounded);
    f16::load(rounded, near);
    for (missing, (exact, near)) in missing.iter_mut().zip(exact.iter().zip(near)) {
        let lacks = exact - *near;
        *missing = if lacks.is_finite() { lacks } else { 0.0 };
    }
    f16::store(missing, errors);
}

/// The numbers in the type of `into`, in its buffer if it is not shared; nothing if this backend has no kernel for the
/// change.
pub(crate) fn cast_into(numbers: &AnyTensor, into: AnyTensor) -> Option<AnyTensor> {
    let numbers = look(&numbers.0)?;
    if numbers.dtype() != DType::F32 {
        return None;
    }
    let cast = match look(&into.0)?.dtype() {
        DType::F16 => rounded::<f16>,
        DType::BF16 => rounded::<bf16>,
        _ => return None,
    };
    Some(AnyTensor::new(close(cast(numbers, open(into.open())))))
}

fn rounded<E: Stored<Wide = f32>>(exact: &FlexTensor, into: FlexTensor) -> FlexTensor {
    let exact = numbers::<f32>(exact);
    let mut into = room::<E>(into);
    let rounded = into.storage_mut::<E>();
    let pieces = exact.chunks(GRAIN).zip(rounded.chunks_mut(GRAIN));
    share(pieces, |(exact, rounded)| E::store(exact, rounded));
    into
}
