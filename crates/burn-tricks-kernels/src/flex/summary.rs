//! What describes a tensor at a glance, in one read, in `f64`. The functions are `#[inline]`, so that their loops are compiled
//! where they are called, in the doctor, and not in programs without one.

use super::FlexTensor;
use super::any_slice::AnySlice;
use super::buffer::{from_numbers, look, ordered, tensor_of};
use super::threads::{self, Threads};
use super::vectorized::vectorized;
use crate::any_tensor::AnyTensor;
use burn::backend::Flex;
use burn::tensor::{DType, FloatDType, Shape, Tensor};
use pulp::NullaryFnOnce;
use std::ops::Range;

/// The length of a stretch of numbers that is summed as a whole; the sums of the stretches are then added in order. It
/// does not depend on the number of threads, so neither does the result.
const STRETCH: usize = 1 << 14;

/// Up to so many numbers are read before a second thread has woken up.
const ALONE: usize = 1 << 20;

/// Running sums side by side, added up at the end of a stretch.
const LANES: usize = 16;

/// Numbers that stay in the nearest cache while one after the other is asked of them.
const BLOCK: usize = 512;

/// The nine numbers of a summary; `None` for another type than `f32`, and for no numbers.
#[inline]
pub(crate) fn summary(tensor: &AnyTensor) -> Option<Tensor<1>> {
    let tensor = ordered(look(&tensor.0)?);
    let numbers = singles(&tensor)?;
    let tallies = of_stretches(numbers.len(), &|range| {
        vectorized(Described(&numbers[range]))
    });
    let all = tallies.into_iter().fold(Tally::default(), Tally::with);
    let count = numbers.len() as f64;
    let mean = all.sum / count;
    let deviation = if all.counts[BAD] > 0 {
        f64::NAN
    } else if all.low == all.high {
        0.0
    } else {
        (all.squares / count - mean * mean).max(0.0).sqrt()
    };
    let is_nan = all.counts[NAN] > 0;
    let unless_nan = |number: f32| if is_nan { f64::NAN } else { f64::from(number) };
    let share = |which: usize| all.counts[which] as f64 / count;
    let described = vec![
        all.squares.sqrt(),
        mean,
        deviation,
        unless_nan(all.low),
        unless_nan(all.high),
        share(ZERO),
        share(BAD),
        share(BEYOND),
        share(SMALL),
    ];
    Some(tensor_of(described).cast(FloatDType::F32))
}

/// The norm of a tensor in `f32`; `None` for another type, and for no numbers.
#[inline]
pub(crate) fn norm(tensor: &AnyTensor) -> Option<Tensor<1>> {
    let tensor = ordered(look(&tensor.0)?);
    let numbers = singles(&tensor)?;
    let sums = of_stretches(numbers.len(), &|range| vectorized(Squares(&numbers[range])));
    let norm = sums.iter().sum::<f64>().sqrt();
    Some(tensor_of(vec![norm]).cast(FloatDType::F32))
}

/// The norm of the difference of two tensors in `f32`; `None` for another type, and for other lengths.
#[inline]
pub(crate) fn distance(both: &[AnyTensor; 2]) -> Option<Tensor<1>> {
    let one = ordered(look(&both[0].0)?);
    let other = ordered(look(&both[1].0)?);
    let (one, other) = (singles(&one)?, singles(&other)?);
    if one.len() != other.len() {
        return None;
    }
    let sums = of_stretches(one.len(), &|range| {
        vectorized(Apart([&one[range.clone()], &other[range]]))
    });
    let norm = sums.iter().sum::<f64>().sqrt();
    Some(tensor_of(vec![norm]).cast(FloatDType::F32))
}

/// The smallest and the largest number of each unit of a tensor in `f32` of this shape, whose units are counted by
/// `axis`; `None` for another type, and for no numbers.
#[inline]
pub(crate) fn unit_ranges(
    tensor: &AnyTensor,
    shape: &[usize],
    axis: usize,
) -> Option<[Tensor<1>; 2]> {
    let tensor = ordered(look(&tensor.0)?);
    let numbers = singles(&tensor)?;
    let units = shape[axis];
    let run = shape[axis + 1..].iter().product();
    let ranges = vectorized(Ranges {
        numbers,
        units,
        run,
    });
    Some(ranges.map(|numbers| {
        let shape = Shape::new([numbers.len()]);
        Tensor::from_primitive::<Flex>(from_numbers(numbers, shape))
    }))
}

fn singles(tensor: &FlexTensor) -> Option<&[f32]> {
    if tensor.dtype() != DType::F32 {
        return None;
    }
    match AnySlice::of(tensor) {
        AnySlice::F32(numbers) if !numbers.is_empty() => Some(numbers),
        _ => None,
    }
}

/// What `work` makes of each stretch, in order.
fn of_stretches<T: Send>(count: usize, work: &(dyn Fn(Range<usize>) -> T + Sync)) -> Vec<T> {
    let threads = if count > ALONE {
        Threads::All
    } else {
        Threads::One
    };
    threads::map(threads, count.div_ceil(STRETCH), &|at| {
        let start = at * STRETCH;
        work(start..count.min(start + STRETCH))
    })
}

const ZERO: usize = 0;
const BAD: usize = 1;
const NAN: usize = 2;
const BEYOND: usize = 3;
const SMALL: usize = 4;

/// Sums, extremes and counts of some numbers.
struct Tally {
    sum: f64,
    squares: f64,
    low: f32,
    high: f32,
    counts: [usize; 5],
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            sum: 0.0,
            squares: 0.0,
            low: f32::INFINITY,
            high: f32::NEG_INFINITY,
            counts: [0; 5],
        }
    }
}

impl Tally {
    fn with(mut self, other: Self) -> Self {
        self.sum += other.sum;
        self.squares += other.squares;
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self
    }
}

struct Described<'a>(&'a [f32]);

impl NullaryFnOnce for Described<'_> {
    type Output = Tally;

    /// One question after the other: a loop that asks all at once is not made of vector instructions.
    #[inline(always)]
    fn call(self) -> Tally {
        let mut tally = Tally::default();
        for block in self.0.chunks(BLOCK) {
            tally = tally.with(Tally {
                sum: lanes(block, f64::from),
                squares: lanes(block, square),
                low: extreme(block, f32::INFINITY, |low, x| if x < low { x } else { low }),
                high: extreme(
                    block,
                    f32::NEG_INFINITY,
                    |high, x| {
                        if x > high { x } else { high }
                    },
                ),
                counts: [
                    count(block, |x| x == 0.0),
                    count(block, |x| x.abs() > f32::MAX || x.is_nan()),
                    count(block, |x| x.is_nan()),
                    count(block, |x| x.abs() > 0.99),
                    count(block, |x| x < 0.01),
                ],
            });
        }
        tally
    }
}

#[inline(always)]
fn square(x: f32) -> f64 {
    let x = f64::from(x);
    x * x
}

/// The sum of what `of` makes of each number.
#[inline(always)]
fn lanes(numbers: &[f32], of: impl Fn(f32) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    for numbers in lanes {
        for (sum, x) in sums.iter_mut().zip(numbers) {
            *sum += of(*x);
        }
    }
    let of_rest: f64 = rest.iter().map(|x| of(*x)).sum();
    sums.iter().sum::<f64>() + of_rest
}

#[inline(always)]
fn extreme(numbers: &[f32], first: f32, better: impl Fn(f32, f32) -> f32) -> f32 {
    let mut best = [first; LANES];
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    for numbers in lanes {
        for (best, x) in best.iter_mut().zip(numbers) {
            *best = better(*best, *x);
        }
    }
    best.into_iter()
        .chain(rest.iter().copied())
        .fold(first, better)
}

#[inline(always)]
fn count(numbers: &[f32], is: impl Fn(f32) -> bool) -> usize {
    let mut counts = [0_u32; LANES];
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    for numbers in lanes {
        for (count, x) in counts.iter_mut().zip(numbers) {
            *count += u32::from(is(*x));
        }
    }
    let of_rest = rest.iter().filter(|x| is(**x)).count();
    counts.iter().map(|count| *count as usize).sum::<usize>() + of_rest
}

struct Squares<'a>(&'a [f32]);

impl NullaryFnOnce for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        lanes(self.0, square)
    }
}

struct Apart<'a>([&'a [f32]; 2]);

impl NullaryFnOnce for Apart<'_> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let [one, other] = self.0;
        let mut sums = [0.0_f64; LANES];
        let (lanes, rest) = one.as_chunks::<LANES>();
        let (other_lanes, other_rest) = other.as_chunks::<LANES>();
        for (one, other) in lanes.iter().zip(other_lanes) {
            for (sum, (a, b)) in sums.iter_mut().zip(one.iter().zip(other)) {
                *sum += square(a - b);
            }
        }
        let of_rest = rest.iter().zip(other_rest);
        let of_rest: f64 = of_rest.map(|(a, b)| square(a - b)).sum();
        sums.iter().sum::<f64>() + of_rest
    }
}

/// Numbers of which `run` belong to one unit, and then as many to the next.
struct Ranges<'a> {
    numbers: &'a [f32],
    units: usize,
    run: usize,
}

impl NullaryFnOnce for Ranges<'_> {
    type Output = [Vec<f32>; 2];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let mut low = vec![f32::INFINITY; self.units];
        let mut high = vec![f32::NEG_INFINITY; self.units];
        // A number that is none stays: no comparison with it is true.
        let lower = |low: f32, x: f32| if low < x || low.is_nan() { low } else { x };
        let higher = |high: f32, x: f32| if high > x || high.is_nan() { high } else { x };
        for row in self.numbers.chunks_exact(self.units * self.run) {
            if self.run == 1 {
                for ((low, high), x) in low.iter_mut().zip(&mut high).zip(row) {
                    *low = lower(*low, *x);
                    *high = higher(*high, *x);
                }
            } else {
                let runs = row.chunks_exact(self.run);
                for ((low, high), run) in low.iter_mut().zip(&mut high).zip(runs) {
                    *low = run.iter().copied().fold(*low, lower);
                    *high = run.iter().copied().fold(*high, higher);
                }
            }
        }
        [low, high]
    }
}
