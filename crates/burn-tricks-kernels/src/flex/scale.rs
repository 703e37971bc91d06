//! Multiplication by a number.

use super::door::{close, dense, from_numbers, open};
use super::stored::Stored;
use super::{FlexTensor, GRAIN};
use crate::Real;
use crate::scale::AtZero;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::DType;
use half::{bf16, f16};
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

/// `factor · x`. The tensor must be one of this backend.
pub(crate) fn scale(tensor: DispatchTensor, factor: f64, at_zero: AtZero) -> DispatchTensor {
    let tensor = open(tensor);
    close(match tensor.dtype() {
        DType::F16 => scaled::<f16>(tensor, factor, at_zero),
        DType::BF16 => scaled::<bf16>(tensor, factor, at_zero),
        DType::F64 => scaled::<f64>(tensor, factor, at_zero),
        _ => scaled::<f32>(tensor, factor, at_zero),
    })
}

fn scaled<E: Stored>(tensor: FlexTensor, factor: f64, at_zero: AtZero) -> FlexTensor {
    let mut tensor = dense(tensor);
    let factor = E::Real::of(factor);
    if let Some(numbers) = tensor.try_storage_mut::<E>() {
        multiply_all(numbers, factor, at_zero);
        return tensor;
    }
    let shape = tensor.shape();
    let mut new = tensor.storage::<E>().to_vec();
    multiply_all(&mut new, factor, at_zero);
    from_numbers(new, shape)
}

fn multiply_all<E: Stored>(numbers: &mut [E], factor: E::Real, at_zero: AtZero) {
    if at_zero == AtZero::Erase && factor == E::Real::ZERO {
        return numbers.fill(E::zeroed());
    }
    numbers.par_chunks_mut(GRAIN).for_each(|numbers| {
        Arch::new().dispatch(Multiply { numbers, factor });
    });
}

struct Multiply<'a, E: Stored> {
    numbers: &'a mut [E],
    factor: E::Real,
}

impl<E: Stored> NullaryFnOnce for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { numbers, factor } = self;
        if let Some(numbers) = E::as_real_mut(numbers) {
            for number in numbers {
                *number = *number * factor;
            }
            return;
        }
        let mut block = [E::Real::ZERO; 256];
        for numbers in numbers.chunks_mut(256) {
            let block = &mut block[..numbers.len()];
            E::load(numbers, block);
            for number in block.iter_mut() {
                *number = *number * factor;
            }
            E::store(block, numbers);
        }
    }
}
