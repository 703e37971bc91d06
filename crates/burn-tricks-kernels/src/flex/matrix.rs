//! Products of a weight with a vector, where the weight is a matrix of units and the rest.

use super::GRAIN;
use super::element_type::Stored;
use super::term_sums::of_run;
use super::threads::{self, Threads};
use super::vector::Wide;
use super::vectorized::vectorized;
use super::weight_norm::Product;
use pulp::NullaryFnOnce;

/// How many lines are added in the numbers' own type before the sum is continued in `f64`.
const DEPTH: usize = 32;

/// The matrix W `[units, the rest]` of a weight `[before, units, after]`.
pub(super) struct Matrix<'a, E> {
    pub(super) numbers: &'a [E],
    pub(super) units: usize,
    pub(super) after: usize,
}

impl<'a, E: Stored> Matrix<'a, E> {
    /// The units are counted by `axis`.
    pub(super) fn of(numbers: &'a [E], shape: &[usize], axis: usize) -> Self {
        Self {
            numbers,
            units: shape[axis],
            after: shape[axis + 1..].iter().product(),
        }
    }

    /// `W v`
    pub(super) fn times(&self, v: &[f64]) -> Vec<f64> {
        if self.after == 1 {
            return sum_of_lines(self.numbers, self.units, &narrow(v));
        }
        let mut product = vec![0.0; self.units];
        for (numbers, v) in self.slices().zip(v.chunks(self.after.max(1))) {
            let products = products_of_lines(numbers, self.after, &narrow(v));
            let products = product.iter_mut().zip(products);
            products.for_each(|(product, more)| *product += more);
        }
        product
    }

    /// `Wᵀ u`
    pub(super) fn transposed_times(&self, u: &[f64]) -> Vec<f64> {
        let u = narrow(u);
        if self.after == 1 {
            return products_of_lines(self.numbers, self.units, &u);
        }
        let slices = self.slices();
        slices
            .flat_map(|numbers| sum_of_lines(numbers, self.after, &u))
            .collect()
    }

    /// A matrix of units and what lies after them, for each index before.
    fn slices(&self) -> std::slice::Chunks<'a, E> {
        self.numbers.chunks((self.units * self.after).max(1))
    }

    /// `out = factor · read + u vᵀ`; without `read`, of the numbers in `out`.
    pub(super) fn add_outer(
        &self,
        out: &mut [E],
        read: Option<&[E]>,
        factor: f64,
        u: &[f64],
        v: &[f64],
    ) {
        let (u, v) = (narrow::<E::Wide>(u), narrow::<E::Wide>(v));
        let len = if self.after == 1 {
            self.units
        } else {
            self.after
        }
        .max(1);
        let lines = (GRAIN / 2 / len).max(1);
        let part = |part: usize, out: &mut [E]| {
            let start = part * lines * len;
            vectorized(AddOuter {
                first_line: part * lines,
                len,
                read: read.map(|read| &read[start..start + out.len()]),
                out,
                factor: E::Wide::of(factor),
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
        threads::for_each_chunk(Threads::for_len(out.len()), out, lines * len, &part);
    }
}

fn narrow<T: Wide>(numbers: &[f64]) -> Vec<T> {
    numbers.iter().map(|number| T::of(*number)).collect()
}

/// The sum of all lines, each times its number.
fn sum_of_lines<E: Stored>(numbers: &[E], len: usize, factors: &[E::Wide]) -> Vec<f64> {
    let lines = (GRAIN / 2 / len.max(1)).max(1);
    let of_part = |part: usize| {
        let lines = part * lines..factors.len().min((part + 1) * lines);
        vectorized(SumLines {
            numbers: &numbers[lines.start * len..lines.end * len],
            len,
            factors: &factors[lines],
        })
    };
    let threads = Threads::for_len(numbers.len());
    let parts = threads::map(threads, factors.len().div_ceil(lines), &of_part);
    let mut sum = vec![0.0; len];
    for more in parts {
        let sums = sum.iter_mut().zip(more);
        sums.for_each(|(sum, more)| *sum += more);
    }
    sum
}

/// The product of each line with `vector`.
fn products_of_lines<E: Stored>(numbers: &[E], len: usize, vector: &[E::Wide]) -> Vec<f64> {
    let lines = (GRAIN / 2 / len.max(1)).max(1);
    let some = (lines * len).max(1);
    let of_part = |part: usize| {
        vectorized(MultiplyLines {
            numbers: &numbers[part * some..numbers.len().min((part + 1) * some)],
            len,
            vector,
        })
    };
    let threads = Threads::for_len(numbers.len());
    threads::map(threads, numbers.len().div_ceil(some), &of_part).concat()
}

struct SumLines<'a, E: Stored> {
    numbers: &'a [E],
    len: usize,
    factors: &'a [E::Wide],
}

impl<E: Stored> NullaryFnOnce for SumLines<'_, E> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        let mut sum = vec![0.0; self.len];
        let mut short = vec![E::Wide::ZERO; self.len];
        let mut widened = Vec::new();
        let some = self.numbers.chunks((DEPTH * self.len).max(1));
        for (numbers, factors) in some.zip(self.factors.chunks(DEPTH)) {
            for (line, factor) in numbers.chunks(self.len).zip(factors) {
                let line = wide(line, &mut widened);
                for (short, number) in short.iter_mut().zip(line) {
                    *short = *short + *number * *factor;
                }
            }
            for (sum, short) in sum.iter_mut().zip(&mut short) {
                *sum += short.to_f64();
                *short = E::Wide::ZERO;
            }
        }
        sum
    }
}

struct MultiplyLines<'a, E: Stored> {
    numbers: &'a [E],
    len: usize,
    vector: &'a [E::Wide],
}

impl<E: Stored> NullaryFnOnce for MultiplyLines<'_, E> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        let zero = E::Wide::ZERO;
        let mut widened = Vec::new();
        let mut products = Vec::with_capacity(self.numbers.len() / self.len.max(1));
        for line in self.numbers.chunks(self.len.max(1)) {
            let line = wide(line, &mut widened);
            let [product] = of_run::<_, _, 1>(Product, line, self.vector, zero);
            products.push(product);
        }
        products
    }
}

struct AddOuter<'a, E: Stored, F> {
    first_line: usize,
    len: usize,
    read: Option<&'a [E]>,
    out: &'a mut [E],
    factor: E::Wide,
    line: F,
}

impl<'b, E: Stored, F: Fn(usize) -> (E::Wide, &'b [E::Wide])> NullaryFnOnce for AddOuter<'_, E, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut widened = Vec::new();
        for (i, out) in self.out.chunks_mut(self.len).enumerate() {
            let (k, vector) = (self.line)(self.first_line + i);
            let range = i * self.len..i * self.len + out.len();
            if let Some(read) = self.read {
                out.copy_from_slice(&read[range]);
            }
            if let Some(out) = E::as_wide_mut(out) {
                add(out, self.factor, k, vector);
                continue;
            }
            widened.resize(out.len(), E::Wide::ZERO);
            E::load(out, &mut widened);
            add(&mut widened, self.factor, k, vector);
            E::store(&widened, out);
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

/// The numbers themselves, if they are as wide already, or widened into `buffer`.
#[inline(always)]
fn wide<'a, E: Stored>(stored: &'a [E], buffer: &'a mut Vec<E::Wide>) -> &'a [E::Wide] {
    if let Some(numbers) = E::as_wide(stored) {
        return numbers;
    }
    buffer.resize(stored.len(), E::Wide::ZERO);
    E::load(stored, buffer);
    buffer
}
