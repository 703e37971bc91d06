//! Sums over the elements of each unit.

use super::element_type::Stored;
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

/// The sums of some units over some rows: `rows` times, `count` runs of `run` numbers each, one for each unit.
pub(super) struct Sums<'a, E: Stored, F, const N: usize> {
    pub(super) terms: F,
    pub(super) count: usize,
    pub(super) run: usize,
    pub(super) units: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) a: &'a [E],
    pub(super) b: &'a [E],
    /// A number for each of `units`, if the terms need it.
    pub(super) shifts: &'a [E::Wide],
    pub(super) sums: &'a mut [Vec<f64>; N],
}

impl<E: Stored, F: Terms<N>, const N: usize> NullaryFnOnce for Sums<'_, E, F, N> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            terms, count, run, ..
        } = self;
        let len = self.a.len();
        let width = self.units.len() * run;
        let range = |row: usize| {
            let start = (row * count + self.units.start) * run;
            start..len.min(start + width)
        };
        let mut rows = self.rows;
        if run > 1 {
            for row in rows {
                let (a, b) = (&self.a[range(row)], &self.b[range(row)]);
                add_runs(terms, self.sums, a, b, self.shifts, run);
            }
            return;
        }
        // Row by row, because rows below each other are often a power of two apart, and then share one place in the cache.
        let mut short = [[E::Wide::ZERO; TILE]; N];
        while !rows.is_empty() {
            let some = rows.start..rows.end.min(rows.start + DEPTH);
            rows.start = some.end;
            for row in some {
                let (a, b) = (&self.a[range(row)], &self.b[range(row)]);
                add_each(terms, &mut short, a, b, self.shifts);
            }
            for (sums, short) in self.sums.iter_mut().zip(&mut short) {
                for (sum, short) in sums.iter_mut().zip(short) {
                    *sum += short.to_f64();
                    *short = E::Wide::ZERO;
                }
            }
        }
    }
}

/// Adds the terms of each number to the sums at the same place.
#[inline(always)]
fn add_each<E: Stored, F: Terms<N>, const N: usize>(
    terms: F,
    sums: &mut [[E::Wide; TILE]; N],
    a: &[E],
    b: &[E],
    shifts: &[E::Wide],
) {
    #[inline(always)]
    fn add<T: Wide, F: Terms<N>, const N: usize>(
        terms: F,
        sums: [&mut [T]; N],
        a: &[T],
        b: &[T],
        shifts: &[T],
    ) {
        let len = a.len();
        let mut sums = sums.map(|sums| &mut sums[..len]);
        let b = &b[..len];
        let shifts = if F::SHIFTED { &shifts[..len] } else { a };
        for i in 0..len {
            let new = terms.of(a[i], b[i], shifts[i]);
            for (sums, new) in sums.iter_mut().zip(new) {
                sums[i] = sums[i] + new;
            }
        }
    }
    if let (Some(a), Some(b)) = (E::as_wide(a), E::as_wide(b)) {
        return add(
            terms,
            sums.each_mut().map(|sums| &mut sums[..]),
            a,
            b,
            shifts,
        );
    }
    let mut blocks = [[E::Wide::ZERO; BLOCK]; 2];
    for start in (0..a.len()).step_by(BLOCK) {
        let range = start..a.len().min(start + BLOCK);
        let [a, b] = load_both(&mut blocks, &a[range.clone()], &b[range.clone()]);
        let shifts = if F::SHIFTED { &shifts[range] } else { shifts };
        let sums = sums.each_mut().map(|sums| &mut sums[start..]);
        add(terms, sums, a, b, shifts);
    }
}

/// Adds the terms of each run to one sum of each kind.
#[inline(always)]
fn add_runs<E: Stored, F: Terms<N>, const N: usize>(
    terms: F,
    sums: &mut [Vec<f64>; N],
    a: &[E],
    b: &[E],
    shifts: &[E::Wide],
    run: usize,
) {
    let mut blocks = [[E::Wide::ZERO; BLOCK]; 2];
    for (unit, (a, b)) in a.chunks(run).zip(b.chunks(run)).enumerate() {
        let shift = if F::SHIFTED {
            shifts[unit]
        } else {
            E::Wide::ZERO
        };
        let mut add = |more: [f64; N]| {
            for (sums, more) in sums.iter_mut().zip(more) {
                sums[unit] += more;
            }
        };
        if let (Some(a), Some(b)) = (E::as_wide(a), E::as_wide(b)) {
            add(of_run(terms, a, b, shift));
            continue;
        }
        for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
            let [a, b] = load_both(&mut blocks, a, b);
            add(of_run(terms, a, b, shift));
        }
    }
}

/// Widens at most a block of both.
#[inline(always)]
fn load_both<'a, E: Stored>(
    blocks: &'a mut [[E::Wide; BLOCK]; 2],
    a: &[E],
    b: &[E],
) -> [&'a [E::Wide]; 2] {
    let [first, second] = blocks.each_mut().map(|block| &mut block[..a.len()]);
    E::load(a, first);
    E::load(b, second);
    [first, second]
}

#[inline(always)]
pub(super) fn of_run<T: Wide, F: Terms<N>, const N: usize>(
    terms: F,
    a: &[T],
    b: &[T],
    shift: T,
) -> [f64; N] {
    if a.len() < 8 * DEPTH {
        in_lanes::<_, _, N, 8>(terms, a, b, shift)
    } else {
        in_lanes::<_, _, N, 32>(terms, a, b, shift)
    }
}

/// With so many sums side by side; their number is a power of two.
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
    sums.map(|mut sums| {
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                sums[i] += sums[i + half];
            }
            half /= 2;
        }
        sums[0]
    })
}
