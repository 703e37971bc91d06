//! Products of a weight with a vector, where the weight is a matrix of units and the rest.

use super::GRAIN;
use super::element_type::Stored;
use super::term_sums::of_run;
use super::threads;
use super::vector::Wide;
use super::weight_norm::Product;
use pulp::{Arch, NullaryFnOnce};

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
            Arch::new().dispatch(AddOuter {
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
        if out.len() <= GRAIN {
            return out
                .chunks_mut(lines * len)
                .enumerate()
                .for_each(|(i, out)| part(i, out));
        }
        threads::for_each_chunk(out, lines * len, &part);
    }
}

fn narrow<T: Wide>(numbers: &[f64]) -> Vec<T> {
    numbers.iter().map(|number| T::of(*number)).collect()
}

/// The sum of all lines, each times its number.
fn sum_of_lines<E: Stored>(numbers: &[E], len: usize, factors: &[E::Wide]) -> Vec<f64> {
    let lines = (GRAIN / 2 / len.max(1)).max(1);
    let of_part = |(numbers, factors): (&[E], &[E::Wide])| {
        Arch::new().dispatch(SumLines {
            numbers,
            len,
            factors,
        })
    };
    let mut sum = vec![0.0; len];
    let mut add = |more: Vec<f64>| {
        let sums = sum.iter_mut().zip(more);
        sums.for_each(|(sum, more)| *sum += more);
    };
    if numbers.len() <= GRAIN {
        let parts = numbers
            .chunks((lines * len).max(1))
            .zip(factors.chunks(lines));
        parts.map(of_part).for_each(&mut add);
    } else {
        let parts = numbers.chunks(lines * len).zip(factors.chunks(lines));
        let parts = threads::map_items(parts.collect(), &of_part);
        parts.into_iter().for_each(&mut add);
    }
    sum
}

/// The product of each line with `vector`.
fn products_of_lines<E: Stored>(numbers: &[E], len: usize, vector: &[E::Wide]) -> Vec<f64> {
    let lines = (GRAIN / 2 / len.max(1)).max(1);
    let of_part = |numbers: &[E]| {
        Arch::new().dispatch(MultiplyLines {
            numbers,
            len,
            vector,
        })
    };
    if numbers.len() <= GRAIN {
        let parts = numbers.chunks((lines * len).max(1));
        return parts.flat_map(of_part).collect();
    }
    let parts = numbers.chunks(lines * len).collect();
    threads::map_items(parts, &of_part).concat()
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
