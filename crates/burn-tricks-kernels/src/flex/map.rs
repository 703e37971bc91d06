//! One pass over a tensor that changes each number by itself.

use super::GRAIN;
use super::any_slice::{AnySliceMut, Computed, copied, with_wide_type};
use super::buffer::{close, dense, open};
use super::share::share;
use super::vector::Wide;
use crate::real::Real;
use burn::backend::DispatchTensor;
use pulp::{Scalar, Simd, WithSimd};
use std::marker::PhantomData;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

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
    let mut tensor = dense(open(tensor));
    if let Some(numbers) = AnySliceMut::of(&mut tensor) {
        change_all(numbers, change);
        return close(tensor);
    }
    let mut new = copied(&tensor);
    change_all(AnySliceMut::of_new(&mut new), change);
    close(new)
}

fn change_all(mut numbers: AnySliceMut<'_>, change: impl Change) {
    if let Some(constant) = change.constant() {
        return numbers.fill(constant);
    }
    let change_some = |numbers: AnySliceMut<'_>| {
        with_wide_type!(numbers.as_ref().dtype(), T => {
            T::run(ChangeAll::<T, _>::of(numbers, change));
        });
    };
    if numbers.len() <= GRAIN {
        return change_some(numbers);
    }
    let pieces = (0..numbers.len()).step_by(GRAIN);
    let pieces: Vec<_> = pieces
        .map(|_| numbers.take(GRAIN.min(numbers.len())))
        .collect();
    share(pieces.into_iter(), change_some);
}

struct ChangeAll<'a, T, C> {
    numbers: AnySliceMut<'a>,
    change: C,
    computed: PhantomData<T>,
}

impl<'a, T, C> ChangeAll<'a, T, C> {
    fn of(numbers: AnySliceMut<'a>, change: C) -> Self {
        Self {
            numbers,
            change,
            computed: PhantomData,
        }
    }
}

impl<T: Computed, C: Change> WithSimd for ChangeAll<'_, T, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut numbers = match T::as_mut_slice(self.numbers) {
            Ok(numbers) => {
                let rest = full_registers(simd, numbers, self.change);
                full_registers(Scalar, rest, self.change);
                return;
            }
            Err(numbers) => numbers,
        };
        let mut block = [T::ZERO; BLOCK];
        for start in (0..numbers.len()).step_by(BLOCK) {
            let range = start..numbers.len().min(start + BLOCK);
            let block = &mut block[..range.len()];
            T::widen(numbers.as_ref().part(range.clone()), block);
            let rest = full_registers(simd, block, self.change);
            full_registers(Scalar, rest, self.change);
            T::round_to(block, numbers.part(range));
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
