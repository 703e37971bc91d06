//! One pass over a tensor that changes each number by itself.

use super::buffer::{close, dense, from_numbers, open};
use super::element_type::{Stored, with_element_type};
use super::share::share;
use super::vector::Wide;
use super::vectorized::vectorized;
use super::{FlexTensor, GRAIN};
use crate::real::Real;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use pulp::{Scalar, Simd, WithSimd};

/// A change of one number.
pub(super) trait Change: Copy + Send + Sync {
    fn changed<T: Real>(self, number: T) -> T;

    /// The number that everything becomes, if that is known.
    fn constant(self) -> Option<f64> {
        None
    }
}

/// The changed numbers. The tensor must be one of this backend.
pub(super) fn map(tensor: DispatchTensor, change: impl Change) -> DispatchTensor {
    let tensor = open(tensor);
    close(with_element_type!(tensor.dtype(), E => mapped::<E>(tensor, change)))
}

fn mapped<E: Stored>(tensor: FlexTensor, change: impl Change) -> FlexTensor {
    let mut tensor = dense(tensor);
    if let Some(numbers) = tensor.try_storage_mut::<E>() {
        change_all(numbers, change);
        return tensor;
    }
    let shape = tensor.shape();
    let mut new = tensor.storage::<E>().to_vec();
    change_all(&mut new, change);
    from_numbers(new, shape)
}

fn change_all<E: Stored>(numbers: &mut [E], change: impl Change) {
    if let Some(constant) = change.constant() {
        let mut stored = [E::zeroed()];
        E::store(&[E::Wide::of(constant)], &mut stored);
        return numbers.fill(stored[0]);
    }
    share(numbers.chunks_mut(GRAIN), |numbers| {
        vectorized(ChangeAll { numbers, change });
    });
}

struct ChangeAll<'a, E, C> {
    numbers: &'a mut [E],
    change: C,
}

impl<E: Stored, C: Change> WithSimd for ChangeAll<'_, E, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if let Some(numbers) = E::as_wide_mut(self.numbers) {
            let rest = full_registers(simd, numbers, self.change);
            full_registers(Scalar, rest, self.change);
            return;
        }
        let mut block = [E::Wide::ZERO; 256];
        for numbers in self.numbers.chunks_mut(256) {
            let block = &mut block[..numbers.len()];
            E::load(numbers, block);
            let rest = full_registers(simd, block, self.change);
            full_registers(Scalar, rest, self.change);
            E::store(block, numbers);
        }
    }
}

/// Changes register by register; returns the numbers that do not fill a register.
#[inline(always)]
fn full_registers<T: Wide, S: Simd>(simd: S, numbers: &mut [T], change: impl Change) -> &mut [T] {
    let (vectors, rest) = T::vectors_mut::<S>(numbers);
    for vector in vectors {
        *vector = T::store(change.changed(T::load(simd, *vector)));
    }
    rest
}
