//! Sums over the elements of each unit.

use super::any_slice::{AnySlice, Computed};
use super::unit_sums::of_lanes;
use super::vector::Wide;
use pulp::NullaryFnOnce;
use std::ops::Range;

/// The width of the part of a row whose sums are kept in the nearest cache.
pub(super) const TILE: usize = 1024;

/// How many terms are added in the numbers' own type before the sum is continued in `f64`.
const DEPTH: usize = 8;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// What is summed: `N` terms of a number of one tensor and of the number at the same place of another.
pub(super) trait Terms<const N: usize>: Copy + Send + Sync {
    /// Whether the terms need a number of the unit.
    const SHIFTED: bool = false;

    /// The terms of `a` and `b`; `shift` is the unit's number.
    fn of<T: Wide>(self, a: T, b: T, shift: T) -> [T; N];
}

/// [`Terms`] as a loop over thousands of numbers. It is called through a pointer, so that the code around it is not compiled
/// for each.
pub(super) trait SumLoop<T, const N: usize>: Sync {
    fn add(&self, part: SumPart<'_, T>, sums: [&mut [f64]; N]);
}

/// A [`SumLoop`] over each type in which there is arithmetic.
pub(super) trait SumLoops<const N: usize>: SumLoop<f32, N> + SumLoop<f64, N> {}

impl<F: SumLoop<f32, N> + SumLoop<f64, N>, const N: usize> SumLoops<N> for F {}

impl<T: Computed, F: Terms<N>, const N: usize> SumLoop<T, N> for F {
    fn add(&self, part: SumPart<'_, T>, sums: [&mut [f64]; N]) {
        T::run(Sums {
            terms: *self,
            part,
            sums,
        });
    }
}

/// Some units over some rows: `rows` times, `count` runs of `run` numbers each, one for each unit.
pub(super) struct SumPart<'a, T> {
    pub(super) count: usize,
    pub(super) run: usize,
    pub(super) units: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) a: AnySlice<'a>,
    pub(super) b: AnySlice<'a>,
    /// A number for each of `units`, if the terms need it.
    pub(super) shifts: &'a [T],
}

impl<T> SumPart<'_, T> {
    /// Where the numbers of a row lie.
    #[inline(always)]
    fn range(&self, row: usize) -> Range<usize> {
        let start = (row * self.count + self.units.start) * self.run;
        start..self.a.len().min(start + self.units.len() * self.run)
    }
}

struct Sums<'a, T, F, const N: usize> {
    terms: F,
    part: SumPart<'a, T>,
    sums: [&'a mut [f64]; N],
}

impl<T: Computed, F: Terms<N>, const N: usize> NullaryFnOnce for Sums<'_, T, F, N> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            terms,
            part,
            mut sums,
        } = self;
        let wide = T::as_slice(part.a).zip(T::as_slice(part.b));
        let mut blocks = [[T::ZERO; BLOCK]; 2];
        if part.run > 1 {
            for row in part.rows.clone() {
                add_runs(terms, &mut sums, &part, part.range(row), wide, &mut blocks);
            }
            return;
        }
        // Row by row, because rows below each other are often a power of two apart, and then share one place in the cache.
        let mut short = [[T::ZERO; TILE]; N];
        let mut rows = part.rows.clone();
        while !rows.is_empty() {
            let some = rows.start..rows.end.min(rows.start + DEPTH);
            rows.start = some.end;
            for row in some {
                let range = part.range(row);
                let piece = if wide.is_some() { TILE } else { BLOCK };
                for start in range.clone().step_by(piece) {
                    let at = start - range.start;
                    let here = start..range.end.min(start + piece);
                    let [a, b] = match wide {
                        Some((a, b)) => [&a[here.clone()], &b[here]],
                        None => load_both(&mut blocks, &part, here),
                    };
                    add_each(terms, &mut short, at, a, b, part.shifts);
                }
            }
            for (sums, short) in sums.iter_mut().zip(&mut short) {
                for (sum, short) in sums.iter_mut().zip(short) {
                    *sum += short.to_f64();
                    *short = T::ZERO;
                }
            }
        }
    }
}

/// Adds the terms of each number to the sums at the same place, counted from `at`.
#[inline(always)]
fn add_each<T: Wide, F: Terms<N>, const N: usize>(
    terms: F,
    sums: &mut [[T; TILE]; N],
    at: usize,
    a: &[T],
    b: &[T],
    shifts: &[T],
) {
    let len = a.len();
    let mut here = sums.each_mut().map(|sums| &mut sums[at..at + len]);
    let b = &b[..len];
    let shifts = if F::SHIFTED { &shifts[at..at + len] } else { a };
    for i in 0..len {
        let new = terms.of(a[i], b[i], shifts[i]);
        for (sums, new) in here.iter_mut().zip(new) {
            sums[i] = sums[i] + new;
        }
    }
}

/// Adds the terms of each run to one sum of each kind. `wide` are the numbers, if they need not be widened.
#[inline(always)]
fn add_runs<T: Computed, F: Terms<N>, const N: usize>(
    terms: F,
    sums: &mut [&mut [f64]; N],
    part: &SumPart<'_, T>,
    range: Range<usize>,
    wide: Option<(&[T], &[T])>,
    blocks: &mut [[T; BLOCK]; 2],
) {
    let piece = if wide.is_some() { part.run } else { BLOCK };
    let (mut unit, mut start) = (0, range.start);
    while start < range.end {
        let shift = if F::SHIFTED {
            part.shifts[unit]
        } else {
            T::ZERO
        };
        let run_end = range.end.min(start + part.run);
        while start < run_end {
            let here = start..run_end.min(start + piece);
            start = here.end;
            // One place where the sum is called, since it is inlined at each.
            let [a, b] = match wide {
                Some((a, b)) => [&a[here.clone()], &b[here]],
                None => load_both(blocks, part, here),
            };
            let more = of_run(terms, a, b, shift);
            for (sums, more) in sums.iter_mut().zip(more) {
                sums[unit] += more;
            }
        }
        unit += 1;
    }
}

/// Widens at most a block of both.
#[inline(always)]
fn load_both<'a, T: Computed>(
    blocks: &'a mut [[T; BLOCK]; 2],
    part: &SumPart<'_, T>,
    range: Range<usize>,
) -> [&'a [T]; 2] {
    let [a, b] = blocks;
    let (a, b) = (&mut a[..range.len()], &mut b[..range.len()]);
    T::widen(part.a.part(range.clone()), a);
    T::widen(part.b.part(range), b);
    [a, b]
}

#[inline(always)]
pub(super) fn of_run<T: Wide, F: Terms<N>, const N: usize>(
    terms: F,
    a: &[T],
    b: &[T],
    shift: T,
) -> [f64; N] {
    // Of `f64` a register holds few: more lanes would only be more code.
    if size_of::<T>() == size_of::<f64>() || a.len() < 8 * DEPTH {
        in_lanes::<_, _, N, 8>(terms, a, b, shift)
    } else {
        in_lanes::<_, _, N, 32>(terms, a, b, shift)
    }
}

/// With so many sums side by side.
#[inline(always)]
fn in_lanes<T: Wide, F: Terms<N>, const N: usize, const LANES: usize>(
    terms: F,
    a: &[T],
    b: &[T],
    shift: T,
) -> [f64; N] {
    let mut sums = [[0.0; LANES]; N];
    let chunks = a.chunks(DEPTH * LANES).zip(b.chunks(DEPTH * LANES));
    for (a, b) in chunks {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        let mut short = [[T::ZERO; LANES]; N];
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                let new = terms.of(a[lane], b[lane], shift);
                for (short, new) in short.iter_mut().zip(new) {
                    short[lane] = short[lane] + new;
                }
            }
        }
        for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
            let new = terms.of(*a, *b, shift);
            for (short, new) in short.iter_mut().zip(new) {
                short[lane] = short[lane] + new;
            }
        }
        for (sums, short) in sums.iter_mut().zip(short) {
            for (sum, short) in sums.iter_mut().zip(short) {
                *sum += short.to_f64();
            }
        }
    }
    let mut totals = [0.0; N];
    for (total, sums) in totals.iter_mut().zip(&sums) {
        *total = of_lanes(*sums);
    }
    totals
}
