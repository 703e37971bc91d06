//! How the units of a tensor lie in memory, and passes over them.

use super::GRAIN;
use super::any_slice::{AnySlice, AnySliceMut, Computed, narrowed, with_wide_type};
use super::term_sums::{SumLoop, SumLoops, SumPart, TILE};
use super::threads::{self, Threads};
use super::unit_map::{MapLoop, MapLoops, MapPart};
use std::ops::Range;

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

/// Adds to the sums of some units, over some rows.
type AddPart<'a, const N: usize> = dyn Fn(Range<usize>, Range<usize>, [&mut [f64]; N]) + Sync + 'a;

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
        if self.run != 1 || self.rows <= 1 || self.count >= WIDE || self.count == 0 {
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
    pub(super) fn sums<const N: usize>(
        self,
        terms: &dyn SumLoops<N>,
        a: AnySlice<'_>,
        b: AnySlice<'_>,
        shifts: &[f64],
    ) -> [Vec<f64>; N] {
        let wide = self.wide();
        let copies = wide.count / self.count.max(1);
        let shifts = shifts.repeat(copies);
        let mut sums = with_wide_type!(a.dtype(), T => {
            wide.sums_as_they_lie::<T, N>(terms, a, b, &narrowed(&shifts))
        });
        if copies <= 1 {
            return sums;
        }
        for sums in &mut sums {
            let copies = |unit| sums.iter().skip(unit).step_by(self.count).sum();
            *sums = (0..self.count).map(copies).collect();
        }
        sums
    }

    fn sums_as_they_lie<T: Computed, const N: usize>(
        self,
        terms: &dyn SumLoop<T, N>,
        a: AnySlice<'_>,
        b: AnySlice<'_>,
        shifts: &[T],
    ) -> [Vec<f64>; N] {
        let mut sums = zeros::<N>(self.count);
        let slices = sums.each_mut().map(Vec::as_mut_slice);
        self.add_parts(Threads::for_len(a.len()), slices, &|units, rows, sums| {
            let part = SumPart {
                count: self.count,
                run: self.run,
                rows,
                a,
                b,
                shifts: shifts.get(units.clone()).unwrap_or_default(),
                units,
            };
            terms.add(part, sums);
        });
        sums
    }

    /// Adds to the sums of each unit, which are 0 at first. The order of the additions depends only on the shape.
    pub(super) fn add_parts<const N: usize>(
        self,
        threads: Threads,
        mut sums: [&mut [f64]; N],
        add: &AddPart<'_, N>,
    ) {
        let is_one_row_of_runs = self.rows == 1 && self.run > 1;
        let width = if is_one_row_of_runs { GRAIN } else { TILE };
        let tile = (width / self.run.max(1)).clamp(1, self.count.max(1));
        let height = (GRAIN / (tile * self.run).max(1)).clamp(1, self.rows.max(1));
        let (across, down) = (self.count.div_ceil(tile), self.rows.div_ceil(height));
        let of_part = |part: usize| {
            let (column, row) = (part / down * tile, part % down * height);
            let units = column..self.count.min(column + tile);
            (units, row..self.rows.min(row + height))
        };
        if across * down == 1 {
            let (units, rows) = of_part(0);
            return add(units, rows, sums);
        }
        let parts = threads::map(threads, across * down, &|part| {
            let (units, rows) = of_part(part);
            let mut sums = zeros::<N>(units.len());
            add(units, rows, sums.each_mut().map(Vec::as_mut_slice));
            sums
        });
        for (part, more) in parts.into_iter().enumerate() {
            let (units, _) = of_part(part);
            for (sums, more) in sums.iter_mut().zip(more) {
                let sums = sums[units.clone()].iter_mut().zip(more);
                sums.for_each(|(sum, more)| *sum += more);
            }
        }
    }

    /// Writes a number for each number of `a` (`None`: for what stands in `out` itself) and of `b`, with the coefficients of
    /// its unit.
    pub(super) fn map<const K: usize>(
        self,
        combine: &dyn MapLoops<K>,
        out: AnySliceMut<'_>,
        a: Option<AnySlice<'_>>,
        b: AnySlice<'_>,
        coefs: [Vec<f64>; K],
    ) {
        let wide = self.wide();
        let copies = wide.count / self.count.max(1);
        with_wide_type!(b.dtype(), T => {
            let mut repeated = [const { Vec::new() }; K];
            for (repeated, coefs) in repeated.iter_mut().zip(&coefs) {
                *repeated = narrowed::<T>(coefs).repeat(copies);
            }
            wide.map_as_they_lie::<T, K>(combine, out, a, b, &repeated);
        });
    }

    fn map_as_they_lie<T: Computed, const K: usize>(
        self,
        combine: &dyn MapLoop<T, K>,
        out: AnySliceMut<'_>,
        a: Option<AnySlice<'_>>,
        b: AnySlice<'_>,
        coefs: &[Vec<T>; K],
    ) {
        // Whole rows of single numbers, or whole runs.
        let piece = if self.run == 1 { self.count } else { self.run }.max(1);
        let pieces = (GRAIN / 2 / piece).max(1);
        let len = pieces * piece;
        let of_part = |part: usize, out: AnySliceMut<'_>| {
            let range = part * len..part * len + out.len();
            combine.run(MapPart {
                run: self.run,
                first: if self.run == 1 {
                    0
                } else {
                    part * pieces % self.count.max(1)
                },
                out,
                a: a.map(|a| a.part(range.clone())),
                b: b.part(range),
                coefs,
            });
        };
        if out.len() <= GRAIN {
            return of_part(0, out);
        }
        out.for_each_chunk(Threads::All, len, &of_part);
    }

    /// The first number of each unit.
    pub(super) fn first_of_each(self, numbers: AnySlice<'_>) -> Vec<f64> {
        (0..self.count)
            .map(|unit| numbers.at(unit * self.run))
            .collect()
    }
}

/// `N` times as many zeros.
fn zeros<const N: usize>(len: usize) -> [Vec<f64>; N] {
    let mut zeros = [const { Vec::new() }; N];
    for zeros in &mut zeros {
        *zeros = vec![0.0; len];
    }
    zeros
}
