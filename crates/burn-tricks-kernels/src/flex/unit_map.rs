//! A pass that changes each number with the coefficients of its unit.

use super::any_slice::{AnySlice, AnySliceMut, Computed};
use super::vector::Wide;
use pulp::NullaryFnOnce;
use std::ops::Range;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// A number from a number of one tensor, the number at the same place of another, and `K` coefficients of their unit.
pub(super) trait Combine<const K: usize>: Copy + Send + Sync {
    fn of<T: Wide>(self, a: T, b: T, coefs: [T; K]) -> T;
}

/// A [`Combine`] as a loop over thousands of numbers. It is called through a pointer, so that the code around it is not
/// compiled for each.
pub(super) trait MapLoop<T, const K: usize>: Sync {
    fn run(&self, part: MapPart<'_, T, K>);
}

/// A [`MapLoop`] over each type in which there is arithmetic.
pub(super) trait MapLoops<const K: usize>: MapLoop<f32, K> + MapLoop<f64, K> {}

impl<F: MapLoop<f32, K> + MapLoop<f64, K>, const K: usize> MapLoops<K> for F {}

impl<T: Computed, F: Combine<K>, const K: usize> MapLoop<T, K> for F {
    fn run(&self, part: MapPart<'_, T, K>) {
        T::run(Looped {
            combine: *self,
            part,
        });
    }
}

/// A part of the tensor: whole rows of single numbers, or whole runs, the first of which is that of the unit `first`.
pub(super) struct MapPart<'a, T, const K: usize> {
    pub(super) run: usize,
    pub(super) first: usize,
    pub(super) out: AnySliceMut<'a>,
    /// `None`: `out` holds them.
    pub(super) a: Option<AnySlice<'a>>,
    pub(super) b: AnySlice<'a>,
    pub(super) coefs: &'a [Vec<T>; K],
}

struct Looped<'a, T, F, const K: usize> {
    combine: F,
    part: MapPart<'a, T, K>,
}

impl<T: Computed, F: Combine<K>, const K: usize> NullaryFnOnce for Looped<'_, T, F, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { combine, part } = self;
        let MapPart { run, coefs, .. } = part;
        let coefs = of_range(coefs, 0..coefs[0].len());
        let (b, a) = (T::as_slice(part.b), part.a.map(T::as_slice));
        let mut out = T::as_mut_slice(part.out);
        let len = match &out {
            Ok(out) => out.len(),
            Err(out) => out.len(),
        };
        // A block lies in a run, or in a row.
        let count = coefs[0].len();
        let piece = if run == 1 { count } else { run }.max(1);
        let most = if out.is_ok() { piece } else { BLOCK };
        let (mut block, mut block_b) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
        let (mut start, mut at, mut unit) = (0, 0, part.first);
        while start < len {
            let range = start..len.min(start + most.min(piece - at));
            let here = at..at + range.len();
            let (wide_out, a, wide_b) = match &mut out {
                Ok(out) => {
                    let b = b.expect("both are of one type");
                    let a = a.map(|a| &a.expect("both are of one type")[range.clone()]);
                    (&mut out[range.clone()], a, &b[range.clone()])
                }
                Err(out) => {
                    let wide_out = &mut block[..range.len()];
                    let wide_b = &mut block_b[..range.len()];
                    let a = part.a.unwrap_or(out.as_ref());
                    T::widen(a.part(range.clone()), wide_out);
                    T::widen(part.b.part(range.clone()), wide_b);
                    (wide_out, None, &*wide_b)
                }
            };
            // One place where each is called, since they are inlined.
            if run == 1 {
                row(combine, wide_out, a, wide_b, of_range(&coefs, here.clone()));
            } else {
                each(combine, wide_out, a, wide_b, of_unit(&coefs, unit));
            }
            if let Err(out) = &mut out {
                T::round_to(&block[..range.len()], out.part(range.clone()));
            }
            (start, at) = (range.end, here.end);
            if at == piece {
                (at, unit) = (0, if unit + 1 == count { 0 } else { unit + 1 });
            }
        }
    }
}

/// Numbers of different units.
#[inline(always)]
fn row<T: Wide, F: Combine<K>, const K: usize>(
    combine: F,
    out: &mut [T],
    a: Option<&[T]>,
    b: &[T],
    coefs: [&[T]; K],
) {
    let len = out.len();
    let (b, coefs) = (&b[..len], of_range(&coefs, 0..len));
    match a {
        Some(a) => {
            let a = &a[..len];
            for i in 0..len {
                out[i] = combine.of(a[i], b[i], of_unit(&coefs, i));
            }
        }
        None => {
            for i in 0..len {
                out[i] = combine.of(out[i], b[i], of_unit(&coefs, i));
            }
        }
    }
}

/// Numbers of one unit.
#[inline(always)]
fn each<T: Wide, F: Combine<K>, const K: usize>(
    combine: F,
    out: &mut [T],
    a: Option<&[T]>,
    b: &[T],
    coefs: [T; K],
) {
    let len = out.len();
    let b = &b[..len];
    match a {
        Some(a) => {
            let a = &a[..len];
            for i in 0..len {
                out[i] = combine.of(a[i], b[i], coefs);
            }
        }
        None => {
            for i in 0..len {
                out[i] = combine.of(out[i], b[i], coefs);
            }
        }
    }
}

// Loops, since a `map` of an array is many functions for each closure and length.

/// The coefficients of one unit.
#[inline(always)]
fn of_unit<T: Wide, const K: usize>(coefs: &[&[T]; K], unit: usize) -> [T; K] {
    let mut of_unit = [T::ZERO; K];
    for (one, coefs) in of_unit.iter_mut().zip(coefs) {
        *one = coefs[unit];
    }
    of_unit
}

/// The coefficients of some units.
#[inline(always)]
fn of_range<T, C: AsRef<[T]>, const K: usize>(coefs: &[C; K], range: Range<usize>) -> [&[T]; K] {
    let mut of_range: [&[T]; K] = [&[]; K];
    for (some, coefs) in of_range.iter_mut().zip(coefs) {
        *some = &coefs.as_ref()[range.clone()];
    }
    of_range
}
