//! Products of a weight with a vector, where the weight is a matrix of units and the rest.

use super::GRAIN;
use super::any_slice::{AnySlice, AnySliceMut, Computed, narrowed, with_wide_type};
use super::term_sums::of_run;
use super::threads::{self, Threads};
use super::vector::Wide;
use super::weight_norm::Product;
use pulp::NullaryFnOnce;

/// How many lines are added in the numbers' own type before the sum is continued in `f64`.
const DEPTH: usize = 32;

/// The matrix W `[units, the rest]` of a weight `[before, units, after]`.
pub(super) struct Matrix<'a> {
    numbers: AnySlice<'a>,
    units: usize,
    after: usize,
}

impl<'a> Matrix<'a> {
    /// The units are counted by `axis`.
    pub(super) fn of(numbers: AnySlice<'a>, shape: &[usize], axis: usize) -> Self {
        Self {
            numbers,
            units: shape[axis],
            after: shape[axis + 1..].iter().product(),
        }
    }

    /// `W v`
    pub(super) fn times(&self, v: &[f64]) -> Vec<f64> {
        if self.after == 1 {
            return sum_of_lines(self.numbers, self.units, v);
        }
        let mut product = vec![0.0; self.units];
        for (numbers, v) in self.slices().zip(v.chunks(self.after.max(1))) {
            let products = products_of_lines(numbers, self.after, v);
            let products = product.iter_mut().zip(products);
            products.for_each(|(product, more)| *product += more);
        }
        product
    }

    /// `Wᵀ u`
    pub(super) fn transposed_times(&self, u: &[f64]) -> Vec<f64> {
        if self.after == 1 {
            return products_of_lines(self.numbers, self.units, u);
        }
        self.slices()
            .flat_map(|numbers| sum_of_lines(numbers, self.after, u))
            .collect()
    }

    /// A matrix of units and what lies after them, for each index before.
    fn slices(&self) -> impl Iterator<Item = AnySlice<'a>> {
        let (numbers, len) = (self.numbers, (self.units * self.after).max(1));
        let starts = (0..numbers.len()).step_by(len);
        starts.map(move |start| numbers.part(start..start + len))
    }

    /// `out = factor · read + u vᵀ`; without `read`, of the numbers in `out`.
    pub(super) fn add_outer(
        &self,
        out: AnySliceMut<'_>,
        read: Option<AnySlice<'_>>,
        factor: f64,
        u: &[f64],
        v: &[f64],
    ) {
        with_wide_type!(self.numbers.dtype(), T => self.add_outer_in::<T>(out, read, factor, u, v));
    }

    fn add_outer_in<T: Computed>(
        &self,
        out: AnySliceMut<'_>,
        read: Option<AnySlice<'_>>,
        factor: f64,
        u: &[f64],
        v: &[f64],
    ) {
        let (u, v) = (narrowed::<T>(u), narrowed::<T>(v));
        let len = match self.after {
            1 => self.units,
            after => after,
        };
        let len = len.max(1);
        let lines = (GRAIN / 2 / len).max(1);
        let part = |part: usize, out: AnySliceMut<'_>| {
            let start = part * lines * len;
            T::run(AddOuter {
                first_line: part * lines,
                len,
                read: read.map(|read| read.part(start..start + out.len())),
                out,
                factor: T::of(factor),
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

/// The sum of all lines, each times its number.
fn sum_of_lines(numbers: AnySlice<'_>, len: usize, factors: &[f64]) -> Vec<f64> {
    fn sum_in<T: Computed>(numbers: AnySlice<'_>, len: usize, factors: &[T]) -> Vec<Vec<f64>> {
        let lines = (GRAIN / 2 / len.max(1)).max(1);
        let of_part = |part: usize| {
            let lines = part * lines..factors.len().min((part + 1) * lines);
            T::run(SumLines {
                numbers: numbers.part(lines.start * len..lines.end * len),
                len,
                factors: &factors[lines],
            })
        };
        let threads = Threads::for_len(numbers.len());
        threads::map(threads, factors.len().div_ceil(lines), &of_part)
    }
    let parts = with_wide_type!(numbers.dtype(), T => {
        sum_in::<T>(numbers, len, &narrowed(factors))
    });
    let mut sum = vec![0.0; len];
    for more in parts {
        let sums = sum.iter_mut().zip(more);
        sums.for_each(|(sum, more)| *sum += more);
    }
    sum
}

/// The product of each line with `vector`.
fn products_of_lines(numbers: AnySlice<'_>, len: usize, vector: &[f64]) -> Vec<f64> {
    fn products_in<T: Computed>(numbers: AnySlice<'_>, len: usize, vector: &[T]) -> Vec<f64> {
        let some = (GRAIN / 2 / len.max(1)).max(1) * len.max(1);
        let of_part = |part: usize| {
            T::run(MultiplyLines {
                numbers: numbers.part(part * some..numbers.len().min((part + 1) * some)),
                len: len.max(1),
                vector,
            })
        };
        let threads = Threads::for_len(numbers.len());
        threads::map(threads, numbers.len().div_ceil(some), &of_part).concat()
    }
    with_wide_type!(numbers.dtype(), T => products_in::<T>(numbers, len, &narrowed(vector)))
}

struct SumLines<'a, T> {
    numbers: AnySlice<'a>,
    len: usize,
    factors: &'a [T],
}

impl<T: Computed> NullaryFnOnce for SumLines<'_, T> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        let mut sum = vec![0.0; self.len];
        let mut short = vec![T::ZERO; self.len];
        let mut widened: Vec<T> = Vec::new();
        let lines = widen_all(self.numbers, &mut widened);
        let some = lines.chunks((DEPTH * self.len).max(1));
        for (lines, factors) in some.zip(self.factors.chunks(DEPTH)) {
            for (line, factor) in lines.chunks(self.len).zip(factors) {
                for (short, number) in short.iter_mut().zip(line) {
                    *short = *short + *number * *factor;
                }
            }
            for (sum, short) in sum.iter_mut().zip(&mut short) {
                *sum += short.to_f64();
                *short = T::ZERO;
            }
        }
        sum
    }
}

struct MultiplyLines<'a, T> {
    numbers: AnySlice<'a>,
    len: usize,
    vector: &'a [T],
}

impl<T: Computed> NullaryFnOnce for MultiplyLines<'_, T> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        let mut widened: Vec<T> = Vec::new();
        let lines = widen_all(self.numbers, &mut widened);
        let mut products = Vec::with_capacity(lines.len() / self.len);
        for line in lines.chunks(self.len) {
            let [product] = of_run::<_, _, 1>(Product, line, self.vector, T::ZERO);
            products.push(product);
        }
        products
    }
}

struct AddOuter<'a, T, F> {
    first_line: usize,
    len: usize,
    read: Option<AnySlice<'a>>,
    out: AnySliceMut<'a>,
    factor: T,
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
                    add(out, self.factor, k, vector);
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
            add(&mut widened, self.factor, k, vector);
            T::round_to(&widened, out.part(range));
        }
    }
}

/// `out ← factor · out + k · vector`
#[inline(always)]
fn add<T: Wide>(out: &mut [T], factor: T, k: T, vector: &[T]) {
    for (out, number) in out.iter_mut().zip(vector) {
        *out = *out * factor + *number * k;
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
