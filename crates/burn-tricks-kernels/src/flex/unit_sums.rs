//! Sums of squares, unit by unit.

use super::any_slice::{AnySlice, Computed};
use super::vector::Wide;
use pulp::NullaryFnOnce;
use std::marker::PhantomData;
use std::ops::Range;

/// Sums of so many units are kept without an allocation.
pub(super) const FEW: usize = 128;

/// How many squares are added in the numbers' own type before the sum is continued in `f64`.
const DEPTH: usize = 8;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// The sums of squares of some units over some rows, of the weight and of the gradient: `rows` times, `count` runs of
/// `run` numbers each, one for each unit.
pub(super) struct Sums<'a, T> {
    pub(super) count: usize,
    pub(super) run: usize,
    pub(super) units: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) weight: AnySlice<'a>,
    pub(super) grad: AnySlice<'a>,
    pub(super) sums: [&'a mut [f64]; 2],
    pub(super) computed: PhantomData<T>,
}

impl<T: Computed> NullaryFnOnce for Sums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        if self.run == 1 {
            self.of_columns();
        } else {
            self.of_runs();
        }
    }
}

impl<T: Computed> Sums<'_, T> {
    /// Where the units of a row lie.
    #[inline(always)]
    fn range(&self, row: usize) -> Range<usize> {
        let start = (row * self.count + self.units.start) * self.run;
        start..self.grad.len().min(start + self.units.len() * self.run)
    }

    #[inline(always)]
    fn of_runs(mut self) {
        for row in self.rows.clone() {
            let range = self.range(row);
            let is_long = is_long::<T>(self.run.min(range.len()));
            let (weight, grad) = (self.weight.part(range.clone()), self.grad.part(range));
            if is_long && let (Some(weight), Some(grad)) = (T::as_slice(weight), T::as_slice(grad))
            {
                let [of_weight, of_grad] = &mut self.sums;
                add_long_runs([of_weight, of_grad], [weight, grad], self.run);
                continue;
            }
            // A loop, since what it calls is inlined.
            for (sums, numbers) in self.sums.iter_mut().zip([weight, grad]) {
                add_runs::<T>(sums, numbers, self.run);
            }
        }
    }

    /// Row by row, because rows below each other are often a power of two apart, and then share one place in the cache.
    /// Of weight and gradient in turn, because memory is faster where two streams are read.
    #[inline(always)]
    fn of_columns(mut self) {
        // To fill the room for many takes as long as the work on a small tensor.
        let width = self.units.len();
        let mut few = [[T::ZERO; FEW]; 2];
        let mut many = [const { Vec::new() }; 2];
        let mut squares = if width <= FEW {
            few.each_mut().map(|squares| &mut squares[..width])
        } else {
            many.fill(vec![T::ZERO; width]);
            many.each_mut().map(Vec::as_mut_slice)
        };
        let mut rows = self.rows.clone();
        while !rows.is_empty() {
            let some = rows.start..rows.end.min(rows.start + DEPTH);
            rows.start = some.end;
            for row in some {
                let range = self.range(row);
                for (squares, numbers) in squares.iter_mut().zip([self.weight, self.grad]) {
                    add_each(squares, numbers.part(range.clone()));
                }
            }
            for (sums, squares) in self.sums.iter_mut().zip(&mut squares) {
                for (sum, squares) in sums.iter_mut().zip(&mut **squares) {
                    *sum += squares.to_f64();
                    *squares = T::ZERO;
                }
            }
        }
    }
}

/// Adds the square of each number to the sum at the same place.
#[inline(always)]
fn add_each<T: Computed>(sums: &mut [T], numbers: AnySlice<'_>) {
    #[inline(always)]
    fn add<T: Wide>(sums: &mut [T], numbers: &[T]) {
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum = *sum + *number * *number;
        }
    }
    if let Some(numbers) = T::as_slice(numbers) {
        return add(sums, numbers);
    }
    let mut block = [T::ZERO; BLOCK];
    for start in (0..numbers.len()).step_by(BLOCK) {
        let range = start..numbers.len().min(start + BLOCK);
        let block = &mut block[..range.len()];
        T::widen(numbers.part(range.clone()), block);
        add(&mut sums[range], block);
    }
}

/// Whether [`squares`] of a run fill all lanes that there are.
#[inline(always)]
fn is_long<T>(run: usize) -> bool {
    size_of::<T>() == size_of::<f32>() && run >= 256
}

/// [`squares`] of each [long](is_long) run of two tensors, side by side: while one is added up, the other comes from memory.
#[inline(always)]
fn add_long_runs<T: Wide>(sums: [&mut [f64]; 2], numbers: [&[T]; 2], run: usize) {
    let ([of_a, of_b], [a, b]) = (sums, numbers);
    let runs = a.chunks(run).zip(b.chunks(run));
    for ((of_a, of_b), (a, b)) in of_a.iter_mut().zip(of_b).zip(runs) {
        let [more_a, more_b] = squares_of_two(a, b);
        *of_a += more_a;
        *of_b += more_b;
    }
}

/// Adds the squares of each run to one sum.
#[inline(always)]
fn add_runs<T: Computed>(sums: &mut [f64], numbers: AnySlice<'_>, run: usize) {
    let wide = T::as_slice(numbers);
    let mut sums = sums;
    let mut first = 0;
    if let Some(numbers) = wide
        && is_short::<T>(run)
    {
        let groups = sums.len().min(numbers.len() / run) / TOGETHER;
        let (grouped, rest) = sums.split_at_mut(groups * TOGETHER);
        (sums, first) = (rest, groups * TOGETHER * run);
        let (grouped, _) = grouped.as_chunks_mut::<TOGETHER>();
        for (sums, runs) in grouped.iter_mut().zip(numbers.chunks(TOGETHER * run)) {
            add_short_runs(sums, runs, run);
        }
    }
    let piece = if wide.is_some() { run } else { BLOCK };
    let mut block = [T::ZERO; BLOCK];
    for (sum, start) in sums.iter_mut().zip((first..numbers.len()).step_by(run)) {
        let end = numbers.len().min(start + run);
        let mut at = start;
        while at < end {
            let range = at..end.min(at + piece);
            at = range.end;
            // One place where the sum is called, since it is inlined at each.
            let piece = match wide {
                Some(numbers) => &numbers[range],
                None => {
                    let block = &mut block[..range.len()];
                    T::widen(numbers.part(range), block);
                    block
                }
            };
            *sum += squares(piece);
        }
    }
}

/// How many short runs are added up side by side: to add up the lanes of a register takes as long as to fill it, and the
/// processor does both at once for different runs.
const TOGETHER: usize = 4;

/// The lanes of [`squares`] of a short run.
const SHORT_LANES: usize = 16;

/// The lanes of [`squares`] of a long run.
const LONG_LANES: usize = 32;

/// Whether [`squares`] of a run fill whole registers, and are added up once.
#[inline(always)]
fn is_short<T>(run: usize) -> bool {
    size_of::<T>() == size_of::<f32>()
        && (64..=DEPTH * SHORT_LANES).contains(&run)
        && run.is_multiple_of(SHORT_LANES)
}

/// Adds [`squares`] of each of some [short](is_short) runs to its sum, with the same additions in the same order.
#[inline(always)]
fn add_short_runs<T: Wide>(sums: &mut [f64; TOGETHER], runs: &[T], run: usize) {
    let (lanes, _) = runs.as_chunks::<SHORT_LANES>();
    let each = run / SHORT_LANES;
    let mut squares = [[T::ZERO; SHORT_LANES]; TOGETHER];
    for at in 0..each {
        for (k, squares) in squares.iter_mut().enumerate() {
            for (squares, number) in squares.iter_mut().zip(&lanes[k * each + at]) {
                *squares = *squares + *number * *number;
            }
        }
    }
    for (sum, squares) in sums.iter_mut().zip(&squares) {
        let mut quarter = [0.0; 4];
        for (i, quarter) in quarter.iter_mut().enumerate() {
            let lane = |k: usize| squares[i + k].to_f64();
            *quarter = (lane(0) + lane(8)) + (lane(4) + lane(12));
        }
        let [a, b, c, d] = quarter;
        *sum += (a + c) + (b + d);
    }
}

#[inline(always)]
fn squares<T: Wide>(numbers: &[T]) -> f64 {
    match numbers.len() {
        // Of the weights of small filters, one after the other: to add up lanes would take longer than to fill them.
        ..=32 => {
            let add = |sum, number: &T| sum + *number * *number;
            numbers.iter().fold(T::ZERO, add).to_f64()
        }
        // Of `f64` a register holds few: more lanes would only be more code.
        _ if size_of::<T>() == size_of::<f64>() => squares_in::<_, 8>(numbers),
        33..64 => squares_in::<_, 8>(numbers),
        64..256 => squares_in::<_, SHORT_LANES>(numbers),
        _ => squares_in::<_, LONG_LANES>(numbers),
    }
}

/// With so many sums side by side.
#[inline(always)]
fn squares_in<T: Wide, const LANES: usize>(numbers: &[T]) -> f64 {
    let mut sums = [0.0; LANES];
    for numbers in numbers.chunks(DEPTH * LANES) {
        add_lanes(&mut sums, numbers);
    }
    of_lanes(sums)
}

/// [`squares`] of two long runs.
#[inline(always)]
fn squares_of_two<T: Wide>(a: &[T], b: &[T]) -> [f64; 2] {
    let (mut of_a, mut of_b) = ([0.0; LONG_LANES], [0.0; LONG_LANES]);
    let (a, b) = (a.chunks(DEPTH * LONG_LANES), b.chunks(DEPTH * LONG_LANES));
    for (a, b) in a.zip(b) {
        add_lanes(&mut of_a, a);
        add_lanes(&mut of_b, b);
    }
    [of_lanes(of_a), of_lanes(of_b)]
}

/// Adds squares to sums side by side.
#[inline(always)]
fn add_lanes<T: Wide, const LANES: usize>(sums: &mut [f64; LANES], numbers: &[T]) {
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    let mut squares = [T::ZERO; LANES];
    for numbers in lanes {
        for (squares, number) in squares.iter_mut().zip(numbers) {
            *squares = *squares + *number * *number;
        }
    }
    for (squares, number) in squares.iter_mut().zip(rest) {
        *squares = *squares + *number * *number;
    }
    for (sum, squares) in sums.iter_mut().zip(squares) {
        *sum += squares.to_f64();
    }
}

/// The sum of sums side by side, whose number is a power of two.
#[inline(always)]
pub(super) fn of_lanes<const LANES: usize>(mut sums: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_runs_side_by_side_are_added_up_as_one_alone() {
        for run in [63, 64, 72, 80, 112, 128, 144] {
            for count in 1..10 {
                let numbers: Vec<f32> = (0..run * count)
                    .map(|i| (i as f32 * 0.37).sin() * 10f32.powi(i as i32 % 7 - 3))
                    .collect();
                let mut sums = vec![0.25; count];
                add_runs::<f32>(&mut sums, AnySlice::F32(&numbers), run);
                for (run, sum) in numbers.chunks(run).zip(sums) {
                    assert_eq!(sum, 0.25 + squares(run), "{} numbers", run.len());
                }
            }
        }
    }

    #[test]
    fn long_runs_of_two_tensors_are_added_up_as_one_alone() {
        for (run, len) in [(256, 1024_usize), (300, 3000), (1000, 5300), (4608, 9216)] {
            let of = |seed: f32| -> Vec<f32> {
                let at = |i| (i as f32 * seed).sin() * 10f32.powi(i as i32 % 7 - 3);
                (0..len).map(at).collect()
            };
            let (a, b) = (of(0.37), of(0.73));
            let (mut of_a, mut of_b) =
                (vec![0.25; len.div_ceil(run)], vec![0.5; len.div_ceil(run)]);
            add_long_runs([&mut of_a, &mut of_b], [&a, &b], run);
            for (first, numbers, sums) in [(0.25, a, of_a), (0.5, b, of_b)] {
                for (run, sum) in numbers.chunks(run).zip(sums) {
                    assert_eq!(sum, first + squares(run), "{} numbers", run.len());
                }
            }
        }
    }
}
