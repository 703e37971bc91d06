//! Multiplication by a number.

use super::buffer::{close, dense, from_numbers, open};
use super::element_type::{Stored, with_element_type};
use super::vector::Wide;
use super::{FlexTensor, GRAIN};
use crate::special_factor::SpecialFactor;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use pulp::{Arch, Scalar, Simd, WithSimd};
use rayon::prelude::*;

/// `factor · x`. The tensor must be one of this backend.
pub(crate) fn scale(tensor: DispatchTensor, factor: f64, special: SpecialFactor) -> DispatchTensor {
    let tensor = open(tensor);
    let scaled = with_element_type!(tensor.dtype(), E => scaled::<E>(tensor, factor, special));
    close(scaled)
}

fn scaled<E: Stored>(tensor: FlexTensor, factor: f64, special: SpecialFactor) -> FlexTensor {
    let mut tensor = dense(tensor);
    let factor = E::Wide::of(factor);
    if let Some(numbers) = tensor.try_storage_mut::<E>() {
        multiply_all(numbers, factor, special);
        return tensor;
    }
    let shape = tensor.shape();
    let mut new = tensor.storage::<E>().to_vec();
    multiply_all(&mut new, factor, special);
    from_numbers(new, shape)
}

fn multiply_all<E: Stored>(numbers: &mut [E], factor: E::Wide, special: SpecialFactor) {
    if special == SpecialFactor::ZeroErases && factor.to_f64() == 0.0 {
        return numbers.fill(E::zeroed());
    }
    numbers.par_chunks_mut(GRAIN).for_each(|numbers| {
        Arch::new().dispatch(Multiply { numbers, factor });
    });
}

struct Multiply<'a, E: Stored> {
    numbers: &'a mut [E],
    factor: E::Wide,
}

impl<E: Stored> WithSimd for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let factor = self.factor.to_f64();
        if let Some(numbers) = E::as_wide_mut(self.numbers) {
            let rest = multiply(simd, numbers, factor);
            multiply(Scalar, rest, factor);
            return;
        }
        let mut block = [E::Wide::ZERO; 256];
        for numbers in self.numbers.chunks_mut(256) {
            let block = &mut block[..numbers.len()];
            E::load(numbers, block);
            let rest = multiply(simd, block, factor);
            multiply(Scalar, rest, factor);
            E::store(block, numbers);
        }
    }
}

/// Multiplies register by register; returns the numbers that do not fill a register.
#[inline(always)]
fn multiply<T: Wide, S: Simd>(simd: S, numbers: &mut [T], factor: f64) -> &mut [T] {
    let (vectors, rest) = T::vectors_mut::<S>(numbers);
    for vector in vectors {
        *vector = T::store(T::load(simd, *vector) * factor);
    }
    rest
}
