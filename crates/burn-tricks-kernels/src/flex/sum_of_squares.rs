//! The sum of squares in one read, in `f64`.

use super::GRAIN;
use super::door::{look, numbers, tensor_of};
use super::stored::Stored;
use crate::Real;
use crate::sum_of_squares::SumOfSquares;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::DType;
use half::{bf16, f16};
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;
use std::collections::VecDeque;

/// Numbers that are summed in a row; the sums are then added in order. The same whatever the number
/// of threads, which makes the result the same.
const STRETCH: usize = 1 << 14;

/// Running sums side by side, added up at the end of a stretch.
const LANES: usize = 16;

/// All tensors must be of this backend.
pub(crate) fn sum_of_squares(tensors: &VecDeque<DispatchTensor>) -> Option<SumOfSquares> {
    if tensors.iter().all(|tensor| tensor.shape().num_elements() == 0) {
        return None;
    }
    let mut scale = 1.0;
    let mut sum = sum(tensors, |number| number * number);
    // Squares of `f64` beyond 1e±154 overflow or vanish. Those of `f32` cannot.
    if !sum.is_nan() && !(1e-250..1e250).contains(&sum) {
        let largest = largest(tensors);
        if largest > 0.0 && largest.is_finite() {
            scale = largest;
            sum = self::sum(tensors, |number| (number / largest) * (number / largest));
        }
    }
    Some(SumOfSquares {
        scale: tensor_of(vec![scale]),
        sum: tensor_of(vec![sum]),
    })
}

/// `Σ square(x)` over all numbers of all tensors.
fn sum(tensors: &VecDeque<DispatchTensor>, square: impl Fn(f64) -> f64 + Copy + Sync) -> f64 {
    let sums: Vec<f64> = tensors
        .par_iter()
        .map(|tensor| {
            let tensor = look(tensor).expect("a tensor of this backend");
            match tensor.dtype() {
                DType::F16 => sum_of(&numbers::<f16>(tensor), square),
                DType::BF16 => sum_of(&numbers::<bf16>(tensor), square),
                DType::F64 => sum_of(&numbers::<f64>(tensor), square),
                _ => sum_of(&numbers::<f32>(tensor), square),
            }
        })
        .collect();
    sums.into_iter().sum()
}

fn sum_of<E: Stored>(numbers: &[E], square: impl Fn(f64) -> f64 + Copy + Sync) -> f64 {
    let stretch = |numbers| Arch::new().dispatch(Stretch { numbers, square });
    if numbers.len() <= GRAIN {
        return numbers.chunks(STRETCH).map(stretch).sum();
    }
    let sums: Vec<f64> = numbers.par_chunks(STRETCH).map(stretch).collect();
    sums.into_iter().sum()
}

struct Stretch<'a, E, F> {
    numbers: &'a [E],
    square: F,
}

impl<E: Stored, F: Fn(f64) -> f64> NullaryFnOnce for Stretch<'_, E, F> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let Self { numbers, square } = self;
        let mut sums = [0.0; LANES];
        let mut add = |numbers: &[E::Real]| {
            let (lanes, rest) = numbers.as_chunks::<LANES>();
            for numbers in lanes {
                for lane in 0..LANES {
                    sums[lane] += square(numbers[lane].to_f64());
                }
            }
            for (sum, number) in sums.iter_mut().zip(rest) {
                *sum += square(number.to_f64());
            }
        };
        match E::as_real(numbers) {
            Some(numbers) => add(numbers),
            None => {
                let mut block = [E::Real::ZERO; 256];
                for numbers in numbers.chunks(256) {
                    let block = &mut block[..numbers.len()];
                    E::load(numbers, block);
                    add(block);
                }
            }
        }
        sums.iter().sum()
    }
}

/// The largest magnitude, NaN left aside.
fn largest(tensors: &VecDeque<DispatchTensor>) -> f64 {
    fn of<E: Stored>(numbers: &[E]) -> f64 {
        let mut block = [E::Real::ZERO; 256];
        let mut largest = 0.0;
        for numbers in numbers.chunks(256) {
            let block = &mut block[..numbers.len()];
            E::load(numbers, block);
            largest = block.iter().map(|x| x.to_f64().abs()).fold(largest, f64::max);
        }
        largest
    }
    let each = tensors.iter().map(|tensor| {
        let tensor = look(tensor).expect("a tensor of this backend");
        match tensor.dtype() {
            DType::F16 => of(&numbers::<f16>(tensor)),
            DType::BF16 => of(&numbers::<bf16>(tensor)),
            DType::F64 => of(&numbers::<f64>(tensor)),
            _ => of(&numbers::<f32>(tensor)),
        }
    });
    each.fold(0.0, f64::max)
}
