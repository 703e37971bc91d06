//! Products of a weight with a vector, where the weight is a matrix of units and the rest.

use super::GRAIN;
use super::any_slice::{AnySlice, AnySliceMut, Computed, narrowed, with_wide_type};
use super::term_sums::{TILE, of_run};
use super::threads::{self, Threads};
use super::vector::Wide;
use super::weight_norm::Product;
use pulp::NullaryFnOnce;
use std::ops::Range;

/// How many lines are added in the numbers' own type before the sum is continued in `f64`.
const DEPTH: usize = 32;

/// About how many pieces a product is cut into at most, if their sums have to be added up: one thread does that, and all sums
/// are kept until then.
const PIECES: usize = 64;

/// The matrix W `[units, the rest]` of a weight `[before, units, after]`.
pub(super) struct Matrix<'a> {
    numbers: AnySlice<'a>,
    units: usize,
    after: usize,
    lines: Lines<'a>,
}

impl<'a> Matrix<'a> {
    /// The units are counted by `axis`.
    pub(super) fn of(numbers: AnySlice<'a>, shape: &[usize], axis: usize) -> Self {
        let before = shape[..axis].iter().product();
        let (units, after) = (shape[axis], shape[axis + 1..].iter().product());
        let [slices, count, len] = match after {
            1 => [1, before, units],
            _ => [before, units, after],
        };
        Self {
            numbers,
            units,
            after,
            lines: Lines {
                numbers,
                slices,
                count,
                len,
            },
        }
    }

    /// `W v`
    pub(super) fn times(&self, v: &[f64]) -> Vec<f64> {
        match self.after {
            1 => self.lines.sums(v),
            _ => self.lines.products(v),
        }
    }

    /// `Wᵀ u`
    pub(super) fn transposed_times(&self, u: &[f64]) -> Vec<f64> {
        match self.after {
            1 => self.lines.products(u),
            _ => self.lines.sums(u),
        }
    }

    /// `out = read / divisor + u vᵀ`; without `read`, of the numbers in `out`.
    pub(super) fn add_outer(
        &self,
        out: AnySliceMut<'_>,
        read: Option<AnySlice<'_>>,
        divisor: f64,
        u: &[f64],
        v: &[f64],
    ) {
        with_wide_type!(self.numbers.dtype(), T => self.add_outer_in::<T>(out, read, divisor, u, v));
    }

    fn add_outer_in<T: Computed>(
        &self,
        out: AnySliceMut<'_>,
        read: Option<AnySlice<'_>>,
        divisor: f64,
        u: &[f64],
        v: &[f64],
    ) {
        let (u, v) = (narrowed::<T>(u), narrowed::<T>(v));
        let len = self.lines.len.max(1);
        let lines = (GRAIN / 2 / len).max(1);
        let part = |part: usize, out: AnySliceMut<'_>| {
            let start = part * lines * len;
            T::run(AddOuter {
                first_line: part * lines,
                len,
                read: read.map(|read| read.part(start..start + out.len())),
                out,
                divisor: T::of(divisor),
                // A line is one index of the rest, or one unit.
                line: |line: usize| {
                    if self.after == 1 {
                        (v[line], &u[..])
                    } else {
                        let before = line / self.units * self.after;
                        (u[line % self.units], &v[before..before + self.after])
                    }
                },
            });
        };
        let threads = Threads::for_len(out.len());
        out.for_each_chunk(threads, lines * len, &part);
    }
}

/// Some slices of `count` lines of `len` numbers.
#[derive(Clone, Copy)]
struct Lines<'a> {
    numbers: AnySlice<'a>,
    slices: usize,
    count: usize,
    len: usize,
}

impl<'a> Lines<'a> {
    /// For each slice the sum of its lines, each times its number.
    fn sums(self, factors: &[f64]) -> Vec<f64> {
        with_wide_type!(self.numbers.dtype(), T => self.sums_in::<T>(&narrowed(factors)))
    }

    fn sums_in<T: Computed>(self, factors: &[T]) -> Vec<f64> {
        let width = self.len.clamp(1, TILE);
        let across = self.len.div_ceil(width);
        let height = height(self.count, width, self.slices * across);
        let of_piece = |column: usize, band: usize| {
            let (slice, start) = (column / across, column % across * width);
            T::run(SumLines {
                lines: self,
                slice,
                of_slice: band * height..self.count.min((band + 1) * height),
                of_line: start..self.len.min(start + width),
                factors,
            })
        };
        let bands = self.count.div_ceil(height);
        joined(self.numbers.len(), self.slices * across, bands, &of_piece)
    }

    /// The product of each line with the numbers of its slice in `vector`, summed over the slices.
    fn products(self, vector: &[f64]) -> Vec<f64> {
        with_wide_type!(self.numbers.dtype(), T => self.products_in::<T>(&narrowed(vector)))
    }

    fn products_in<T: Computed>(self, vector: &[T]) -> Vec<f64> {
        let some = (GRAIN / 2 / self.len.max(1)).clamp(1, TILE);
        let across = self.count.div_ceil(some);
        let height = height(self.slices, some.min(self.count) * self.len, across);
        let of_piece = |column: usize, band: usize| {
            T::run(MultiplyLines {
                lines: self,
                slices: band * height..self.slices.min((band + 1) * height),
                of_slice: column * some..self.count.min((column + 1) * some),
                vector,
            })
        };
        let bands = self.slices.div_ceil(height);
        joined(self.numbers.len(), across, bands, &of_piece)
    }

    /// Some numbers of a line, or whole lines.
    #[inline(always)]
    fn part(self, slice: usize, of_slice: Range<usize>, of_line: Range<usize>) -> AnySlice<'a> {
        let start = (slice * self.count + of_slice.start) * self.len;
        let last = (of_slice.len() - 1) * self.len;
        self.numbers
            .part(start + of_line.start..start + last + of_line.end)
    }
}

/// How high a piece of `width` numbers is, of `count` at most, where so many such columns are beside each other. It depends
/// on the shape alone, and with it the order of the additions.
fn height(count: usize, width: usize, columns: usize) -> usize {
    let least = (count * columns).div_ceil(PIECES).min(count);
    (GRAIN / 2 / width.max(1)).max(least).max(1)
}

/// The sums over all bands of each column's pieces, one column's after the other's.
fn joined(
    numbers: usize,
    columns: usize,
    bands: usize,
    of_piece: &(dyn Fn(usize, usize) -> Vec<f64> + Sync),
) -> Vec<f64> {
    let bands = bands.max(1);
    let threads = Threads::for_len(numbers);
    let pieces = threads::map(threads, columns * bands, &|piece| {
        of_piece(piece / bands, piece % bands)
    });
    if bands == 1 {
        return pieces.concat();
    }
    let mut sums = Vec::with_capacity(pieces.iter().step_by(bands).map(Vec::len).sum());
    for pieces in pieces.chunks(bands) {
        let start = sums.len();
        sums.extend_from_slice(&pieces[0]);
        for more in &pieces[1..] {
            let sums = sums[start..].iter_mut().zip(more);
            sums.for_each(|(sum, more)| *sum += more);
        }
    }
    sums
}

struct SumLines<'a, T> {
    lines: Lines<'a>,
    slice: usize,
    /// Which lines of the slice.
    of_slice: Range<usize>,
    /// Which numbers of each line.
    of_line: Range<usize>,
    factors: &'a [T],
}

impl<T: Computed> NullaryFnOnce for SumLines<'_, T> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        let width = self.of_line.len();
        let mut sum = vec![0.0; width];
        let mut short = vec![T::ZERO; width];
        let mut widened: Vec<T> = Vec::new();
        // Whole lines lie one after the other.
        let at_once = if width == self.lines.len { DEPTH } else { 1 };
        let mut all = self.of_slice;
        while !all.is_empty() {
            let end = all.end.min(all.start + DEPTH);
            for start in (all.start..end).step_by(at_once) {
                let some = start..end.min(start + at_once);
                let factors = &self.factors[some.clone()];
                let numbers = self.lines.part(self.slice, some, self.of_line.clone());
                let numbers = widen_all(numbers, &mut widened);
                for (line, factor) in numbers.chunks(width).zip(factors) {
                    for (short, number) in short.iter_mut().zip(line) {
                        *short = *short + *number * *factor;
                    }
                }
            }
            for (sum, short) in sum.iter_mut().zip(&mut short) {
                *sum += short.to_f64();
                *short = T::ZERO;
            }
            all.start = end;
        }
        sum
    }
}

struct MultiplyLines<'a, T> {
    lines: Lines<'a>,
    slices: Range<usize>,
    /// Which lines of each slice.
    of_slice: Range<usize>,
    vector: &'a [T],
}

impl<T: Computed> NullaryFnOnce for MultiplyLines<'_, T> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        let len = self.lines.len;
        let mut widened: Vec<T> = Vec::new();
        let mut products = vec![0.0; self.of_slice.len()];
        for slice in self.slices {
            let numbers = self.lines.part(slice, self.of_slice.clone(), 0..len);
            let numbers = widen_all(numbers, &mut widened);
            let vector = &self.vector[slice * len..(slice + 1) * len];
            for (product, line) in products.iter_mut().zip(numbers.chunks(len.max(1))) {
                let [more] = of_run::<_, _, 1>(Product, line, vector, T::ZERO);
                *product += more;
            }
        }
        products
    }
}

struct AddOuter<'a, T, F> {
    first_line: usize,
    len: usize,
    read: Option<AnySlice<'a>>,
    out: AnySliceMut<'a>,
    divisor: T,
    line: F,
}

impl<'b, T: Computed, F: Fn(usize) -> (T, &'b [T])> NullaryFnOnce for AddOuter<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut out = match T::as_mut_slice(self.out) {
            Ok(out) => {
                let read = self.read.and_then(T::as_slice);
                for (i, out) in out.chunks_mut(self.len).enumerate() {
                    let (k, vector) = (self.line)(self.first_line + i);
                    if let Some(read) = read {
                        out.copy_from_slice(&read[i * self.len..(i + 1) * self.len]);
                    }
                    add(out, self.divisor, k, vector);
                }
                return;
            }
            Err(out) => out,
        };
        let mut widened = vec![T::ZERO; self.len];
        for i in 0..out.len() / self.len {
            let (k, vector) = (self.line)(self.first_line + i);
            let range = i * self.len..(i + 1) * self.len;
            let read = self.read.unwrap_or(out.as_ref());
            T::widen(read.part(range.clone()), &mut widened);
            add(&mut widened, self.divisor, k, vector);
            T::round_to(&widened, out.part(range));
        }
    }
}

/// `out ← out / divisor + k · vector`
#[inline(always)]
fn add<T: Wide>(out: &mut [T], divisor: T, k: T, vector: &[T]) {
    for (out, number) in out.iter_mut().zip(vector) {
        *out = *out / divisor + *number * k;
    }
}

/// The numbers themselves, or widened into `buffer`: at once, since they are at most those of a part.
#[inline(always)]
fn widen_all<'a, T: Computed>(numbers: AnySlice<'a>, buffer: &'a mut Vec<T>) -> &'a [T] {
    if let Some(numbers) = T::as_slice(numbers) {
        return numbers;
    }
    buffer.resize(numbers.len(), T::ZERO);
    T::widen(numbers, buffer);
    buffer
}
