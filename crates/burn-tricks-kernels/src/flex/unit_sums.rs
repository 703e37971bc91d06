//! Sums of squares, unit by unit.

use super::element_type::Stored;
use super::vector::Wide;
use pulp::NullaryFnOnce;
use std::ops::Range;

/// The width of the part of a row whose sums are kept in the nearest cache.
pub(super) const TILE: usize = 1024;

/// How many squares are added in the numbers' own type before the sum is continued in `f64`.
const DEPTH: usize = 8;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// The sums of squares of some units over some rows, of the weight and of the gradient: `rows` times, `count` runs of
/// `run` numbers each, one for each unit.
pub(super) struct Sums<'a, E> {
    pub(super) count: usize,
    pub(super) run: usize,
    pub(super) units: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) weight: &'a [E],
    pub(super) grad: &'a [E],
    pub(super) sums: &'a mut [Vec<f64>; 2],
}

impl<E: Stored> NullaryFnOnce for Sums<'_, E> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        match (self.run, self.units.len()) {
            (1, ..=NARROW) => self.of_columns::<NARROW>(),
            (1, _) => self.of_columns::<TILE>(),
            _ => self.of_runs(),
        }
    }
}

/// Up to this width the sums of a row take a small part of the nearest cache, which is soon cleared.
const NARROW: usize = 128;

impl<E: Stored> Sums<'_, E> {
    /// Where the units of a row lie.
    #[inline(always)]
    fn range(&self, row: usize) -> Range<usize> {
        let start = (row * self.count + self.units.start) * self.run;
        start..self.grad.len().min(start + self.units.len() * self.run)
    }

    #[inline(always)]
    fn of_runs(self) {
        for row in self.rows.clone() {
            let range = self.range(row);
            let [of_weight, of_grad] = &mut *self.sums;
            add_runs(of_weight, &self.weight[range.clone()], self.run);
            add_runs(of_grad, &self.grad[range], self.run);
        }
    }

    /// Row by row, because rows below each other are often a power of two apart, and then share one place in the cache.
    /// Of weight and gradient in turn, because memory is faster where two streams are read.
    #[inline(always)]
    fn of_columns<const WIDTH: usize>(self) {
        let mut squares = [[E::Wide::ZERO; WIDTH]; 2];
        let mut rows = self.rows.clone();
        while !rows.is_empty() {
            let some = rows.start..rows.end.min(rows.start + DEPTH);
            rows.start = some.end;
            let [of_weight, of_grad] = &mut squares;
            for row in some {
                let range = self.range(row);
                add_each(of_weight, &self.weight[range.clone()]);
                add_each(of_grad, &self.grad[range]);
            }
            for (sums, squares) in self.sums.iter_mut().zip(&mut squares) {
                for (sum, squares) in sums.iter_mut().zip(squares) {
                    *sum += squares.to_f64();
                    *squares = E::Wide::ZERO;
                }
            }
        }
    }
}

/// Adds the square of each number to the sum at the same place.
#[inline(always)]
fn add_each<E: Stored>(sums: &mut [E::Wide], numbers: &[E]) {
    #[inline(always)]
    fn add<T: Wide>(sums: &mut [T], numbers: &[T]) {
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum = *sum + *number * *number;
        }
    }
    if let Some(numbers) = E::as_wide(numbers) {
        return add(sums, numbers);
    }
    let mut block = [E::Wide::ZERO; BLOCK];
    for (sums, numbers) in sums.chunks_mut(BLOCK).zip(numbers.chunks(BLOCK)) {
        let block = &mut block[..numbers.len()];
        E::load(numbers, block);
        add(sums, block);
    }
}

/// Adds the squares of each run to one sum.
#[inline(always)]
fn add_runs<E: Stored>(sums: &mut [f64], numbers: &[E], run: usize) {
    let mut block = [E::Wide::ZERO; BLOCK];
    for (sum, run) in sums.iter_mut().zip(numbers.chunks(run)) {
        if let Some(run) = E::as_wide(run) {
            *sum += squares(run);
            continue;
        }
        for numbers in run.chunks(BLOCK) {
            let block = &mut block[..numbers.len()];
            E::load(numbers, block);
            *sum += squares(block);
        }
    }
}

#[inline(always)]
fn squares<T: Wide>(numbers: &[T]) -> f64 {
    match numbers.len() {
        ..64 => squares_in::<_, 8>(numbers),
        64..256 => squares_in::<_, 16>(numbers),
        _ => squares_in::<_, 32>(numbers),
    }
}

/// With so many sums side by side; their number is a power of two.
#[inline(always)]
fn squares_in<T: Wide, const LANES: usize>(numbers: &[T]) -> f64 {
    let mut sums = [0.0; LANES];
    for numbers in numbers.chunks(DEPTH * LANES) {
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
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0]
}
