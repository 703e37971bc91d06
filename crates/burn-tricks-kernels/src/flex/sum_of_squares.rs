//! The sum of squares in one read, in `f64`.

use super::any_slice::{AnySlice, Computed, with_wide_type};
use super::buffer::{look, ordered, tensor_of};
use super::is_little;
use super::threads::{self, Threads};
use super::vector::Wide;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::{DType, Tensor};
use pulp::NullaryFnOnce;
use std::collections::VecDeque;
use std::marker::PhantomData;

/// The length of a stretch of numbers that is summed as a whole; the sums of the stretches are then added in
/// order. It does not depend on the number of threads, so neither does the result.
const STRETCH: usize = 1 << 14;

/// Running sums side by side, added up at the end of a stretch.
const LANES: usize = 16;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// `scale` and `Σ (x/scale)²` as tensors; `None` when there is no number. All tensors must be of this
/// backend.
pub(crate) fn sum_of_squares(tensors: &VecDeque<DispatchTensor>) -> Option<(Tensor<1>, Tensor<1>)> {
    if tensors
        .iter()
        .all(|tensor| tensor.shape().num_elements() == 0)
    {
        return None;
    }
    let mut scale = 1.0;
    let mut sum = total(
        tensors,
        &|numbers| with_wide_type!(numbers.dtype(), T => sum_of::<T, false>(numbers, 1.0)),
    );
    // Squares of `f64` beyond 1e±154 overflow or vanish. Those of `f32` cannot.
    let has_f64 = tensors.iter().any(|tensor| tensor.dtype() == DType::F64);
    if has_f64 && !sum.is_nan() && !(1e-250..1e250).contains(&sum) {
        let largest = largest(tensors);
        if largest > 0.0 && largest.is_finite() {
            scale = largest;
            sum = total(tensors, &|numbers| sum_of::<f64, true>(numbers, scale));
        }
    }
    Some((tensor_of(vec![scale]), tensor_of(vec![sum])))
}

/// The sum over all tensors.
fn total(tensors: &VecDeque<DispatchTensor>, sum_of: &(dyn Fn(AnySlice<'_>) -> f64 + Sync)) -> f64 {
    let of_one = |tensor| {
        let tensor = look(tensor).expect("a tensor of this backend");
        sum_of(AnySlice::of(&ordered(tensor)))
    };
    let threads = if is_little(tensors) {
        Threads::One
    } else {
        Threads::All
    };
    let sums = threads::map(threads, tensors.len(), &|at| of_one(&tensors[at]));
    sums.iter().sum()
}

/// `Σ (x/scale)²`; without `SCALED`, nothing is divided.
fn sum_of<T: Computed, const SCALED: bool>(numbers: AnySlice<'_>, scale: f64) -> f64 {
    let threads = Threads::for_len(numbers.len());
    let sums = threads::map(threads, numbers.len().div_ceil(STRETCH), &|at| {
        let start = at * STRETCH;
        T::run(Stretch::<T, SCALED> {
            numbers: numbers.part(start..numbers.len().min(start + STRETCH)),
            scale,
            computed: PhantomData,
        })
    });
    sums.iter().sum()
}

struct Stretch<'a, T, const SCALED: bool> {
    numbers: AnySlice<'a>,
    scale: f64,
    computed: PhantomData<T>,
}

impl<T: Computed, const SCALED: bool> NullaryFnOnce for Stretch<'_, T, SCALED> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let mut sums = [0.0; LANES];
        match T::as_slice(self.numbers) {
            Some(numbers) => add::<_, SCALED>(&mut sums, numbers, self.scale),
            None => {
                let mut block = [T::ZERO; BLOCK];
                for start in (0..self.numbers.len()).step_by(BLOCK) {
                    let range = start..self.numbers.len().min(start + BLOCK);
                    let block = &mut block[..range.len()];
                    T::widen(self.numbers.part(range), block);
                    add::<_, SCALED>(&mut sums, block, self.scale);
                }
            }
        }
        sums.iter().sum()
    }
}

#[inline(always)]
fn add<T: Wide, const SCALED: bool>(sums: &mut [f64; LANES], numbers: &[T], scale: f64) {
    let square = |number: T| {
        let number = number.to_f64();
        let number = if SCALED { number / scale } else { number };
        number * number
    };
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    let mut local = *sums;
    for numbers in lanes {
        for (sum, number) in local.iter_mut().zip(numbers) {
            *sum += square(*number);
        }
    }
    for (sum, number) in local.iter_mut().zip(rest) {
        *sum += square(*number);
    }
    *sums = local;
}

/// The largest magnitude, ignoring NaN.
fn largest(tensors: &VecDeque<DispatchTensor>) -> f64 {
    let each = tensors.iter().map(|tensor| {
        let tensor = ordered(look(tensor).expect("a tensor of this backend"));
        let numbers = AnySlice::of(&tensor);
        let sizes = (0..numbers.len()).map(|at| numbers.at(at).abs());
        sizes.fold(0.0, f64::max)
    });
    each.fold(0.0, f64::max)
}
