//! How the units of a tensor lie in memory, and passes over them.

use super::GRAIN;
use super::element_type::Stored;
use super::term_sums::{Sums, TILE, Terms};
use super::threads::{self, Threads};
use super::unit_map::{Combine, MapPart};
use super::vector::Wide as _;
use super::vectorized::vectorized;

/// `rows` times, `count` runs of `run` numbers each, the first run of the first unit, the second of the second. With one
/// unit the last run may be shorter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Units {
    pub(super) rows: usize,
    pub(super) count: usize,
    pub(super) run: usize,
}

/// From this width on a row is worth a loop of its own.
const WIDE: usize = 128;

impl Units {
    /// The units that `axis` counts; with `None` the whole tensor is one.
    pub(super) fn of(shape: &[usize], axis: Option<usize>) -> Self {
        match axis {
            Some(axis) => Self {
                rows: shape[..axis].iter().product(),
                count: shape[axis],
                run: shape[axis + 1..].iter().product(),
            },
            None => Self::one(shape.iter().product()),
        }
        .normal()
    }

    /// One unit, cut into runs so that threads can share them.
    fn one(len: usize) -> Self {
        Self {
            rows: len.div_ceil(GRAIN),
            count: 1,
            run: len.min(GRAIN),
        }
    }

    fn normal(self) -> Self {
        match self.count {
            1 => Self::one(self.rows * self.run),
            _ => self,
        }
    }

    /// The same numbers in longer rows, if each unit has only one number in a row and there are few units: as if there
    /// were several copies of each.
    pub(super) fn wide(self) -> Self {
        if self.run > 1 || self.rows <= 1 || self.count >= WIDE || self.count == 0 {
            return self;
        }
        let copies = (WIDE / self.count).min(self.rows);
        Self {
            rows: self.rows.div_ceil(copies),
            count: self.count * copies,
            run: 1,
        }
    }

    /// The sums of each unit. The order of the additions depends only on the shape. `shifts` holds a number for each unit,
    /// if the terms need one.
    pub(super) fn sums<E: Stored, F: Terms<N>, const N: usize>(
        self,
        terms: F,
        a: &[E],
        b: &[E],
        shifts: &[E::Wide],
    ) -> [Vec<f64>; N] {
        let wide = self.wide();
        if wide.count == self.count {
            return self.sums_as_they_lie(terms, a, b, shifts);
        }
        let shifts = shifts.repeat(wide.count / self.count);
        let sums = wide.sums_as_they_lie(terms, a, b, &shifts);
        sums.map(|sums| {
            let copies = |unit| sums.iter().skip(unit).step_by(self.count).sum();
            (0..self.count).map(copies).collect()
        })
    }

    fn sums_as_they_lie<E: Stored, F: Terms<N>, const N: usize>(
        self,
        terms: F,
        a: &[E],
        b: &[E],
        shifts: &[E::Wide],
    ) -> [Vec<f64>; N] {
        let is_one_row_of_runs = self.rows == 1 && self.run > 1;
        let width = if is_one_row_of_runs { GRAIN } else { TILE };
        let tile = (width / self.run.max(1)).clamp(1, self.count.max(1));
        let height = (GRAIN / (tile * self.run).max(1)).clamp(1, self.rows.max(1));
        let (across, down) = (self.count.div_ceil(tile), self.rows.div_ceil(height));
        let of_part = |part: usize| {
            let (column, row) = (part / down, part % down);
            let units = column * tile..self.count.min((column + 1) * tile);
            let rows = row * height..self.rows.min((row + 1) * height);
            let mut sums = std::array::from_fn(|_| vec![0.0; units.len()]);
            let shifts = if F::SHIFTED {
                &shifts[units.clone()]
            } else {
                &[]
            };
            vectorized(Sums {
                terms,
                count: self.count,
                run: self.run,
                units,
                rows,
                a,
                b,
                shifts,
                sums: &mut sums,
            });
            sums
        };
        let of_part: &(dyn Fn(usize) -> _ + Sync) = &of_part;
        if across * down == 1 {
            return of_part(0);
        }
        let parts = threads::map(Threads::for_len(a.len()), across * down, of_part);
        let mut sums = std::array::from_fn(|_| vec![0.0; self.count]);
        for (part, more) in parts.into_iter().enumerate() {
            let start = part / down * tile;
            for (sums, more) in sums.iter_mut().zip(more) {
                let sums = sums[start..].iter_mut().zip(more);
                sums.for_each(|(sum, more)| *sum += more);
            }
        }
        sums
    }

    /// Writes a number for each number of `a` (`None`: for what stands in `out` itself) and of `b`, with the coefficients of
    /// its unit.
    pub(super) fn map<E: Stored, F: Combine<K>, const K: usize>(
        self,
        combine: F,
        out: &mut [E],
        a: Option<&[E]>,
        b: &[E],
        coefs: &[Vec<E::Wide>; K],
    ) {
        let wide = self.wide();
        if wide.count > self.count {
            let coefs = coefs
                .each_ref()
                .map(|coefs| coefs.repeat(wide.count / self.count));
            return wide.map(combine, out, a, b, &coefs);
        }
        // Whole rows of single numbers, or whole runs.
        let piece = if self.run == 1 { self.count } else { self.run }.max(1);
        let pieces = (GRAIN / 2 / piece).max(1);
        let len = pieces * piece;
        let of_part = |part: usize, out: &mut [E]| {
            let range = part * len..part * len + out.len();
            vectorized(MapPart {
                combine,
                run: self.run,
                first: if self.run == 1 {
                    0
                } else {
                    part * pieces % self.count.max(1)
                },
                out,
                a: a.map(|a| &a[range.clone()]),
                b: &b[range],
                coefs,
            });
        };
        let of_part: &(dyn Fn(usize, &mut [E]) + Sync) = &of_part;
        if out.len() <= GRAIN {
            return of_part(0, out);
        }
        threads::for_each_chunk(Threads::All, out, len, of_part);
    }

    /// The first number of each unit.
    pub(super) fn first_of_each<E: Stored>(self, numbers: &[E]) -> Vec<E::Wide> {
        let mut wide = vec![E::Wide::ZERO; self.count];
        for (unit, wide) in wide.iter_mut().enumerate() {
            let at = unit * self.run;
            E::load(&numbers[at..=at], std::slice::from_mut(wide));
        }
        wide
    }
}
