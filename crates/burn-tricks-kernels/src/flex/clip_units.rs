//! The norms of units in one read, and the multiplication of those that are clipped.

use super::buffer::{close, dense, from_numbers, numbers, open};
use super::element_type::{Stored, with_element_type};
use super::threads::{self, Threads};
use super::unit_sums::{Sums, TILE};
use super::vector::Wide;
use super::vectorized::vectorized;
use super::{FlexTensor, GRAIN};
use crate::unit_clip::UnitClip;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use pulp::NullaryFnOnce;
use std::any::TypeId;

/// The gradient with every unit clipped. Both must be tensors of this backend, of one type and shape.
pub(crate) fn clip_units(
    clip: UnitClip,
    weight: DispatchTensor,
    grad: DispatchTensor,
    axis: Option<usize>,
    threads: Threads,
) -> DispatchTensor {
    let (weight, grad) = (open(weight), open(grad));
    close(with_element_type!(grad.dtype(), E => {
        clipped::<E>(clip, &weight, grad, axis, threads)
    }))
}

fn clipped<E: Stored>(
    clip: UnitClip,
    weight: &FlexTensor,
    grad: FlexTensor,
    axis: Option<usize>,
    threads: Threads,
) -> FlexTensor {
    let shape = grad.shape();
    let units = Units::of(&shape, axis, threads);
    let mut grad = dense(grad);
    let weight = numbers::<E>(weight);
    if shape.num_elements() == 0 {
        return grad;
    }
    if units.rows == 1
        && let Some(grad_numbers) = grad.try_storage_mut::<E>()
    {
        units.clip_each(clip, &weight, grad_numbers);
        return grad;
    }
    let factors = units.factors(clip, &weight, grad.storage());
    if factors.iter().all(|factor| factor.to_f64() == 1.0) {
        return grad;
    }
    if let Some(grad_numbers) = grad.try_storage_mut::<E>() {
        units.multiply(grad_numbers, &factors);
        return grad;
    }
    let mut new = grad.storage::<E>().to_vec();
    units.multiply(&mut new, &factors);
    from_numbers(new, shape)
}

/// How the units lie in memory: `rows` times, `count` runs of `run` numbers each, the first run of the first unit, the
/// second of the second. With one unit the last run may be shorter.
#[derive(Debug, Clone, Copy)]
struct Units {
    rows: usize,
    count: usize,
    run: usize,
    threads: Threads,
}

/// From this width on a row is worth a loop of its own.
const WIDE: usize = 128;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// How many numbers are multiplied or left alone together, where neighbours belong to different units: at most a block.
const PIECE: usize = 64;

impl Units {
    fn of(shape: &[usize], axis: Option<usize>, threads: Threads) -> Self {
        match axis {
            Some(axis) if shape[axis] != 1 => Self {
                rows: shape[..axis].iter().product(),
                count: shape[axis],
                run: shape[axis + 1..].iter().product(),
                threads,
            },
            _ => Self::one(shape.iter().product(), threads),
        }
    }

    /// One unit, cut into runs so that threads can share them.
    fn one(len: usize, threads: Threads) -> Self {
        Self {
            rows: len.div_ceil(GRAIN),
            count: 1,
            run: len.min(GRAIN),
            threads,
        }
    }

    /// The threads for work on so many numbers.
    fn threads_for(self, len: usize) -> Threads {
        match self.threads {
            Threads::One => Threads::One,
            Threads::All => Threads::for_len(len),
        }
    }

    /// Clips units that are contiguous in memory, some at a time, so that they are in the cache when they are
    /// multiplied.
    fn clip_each<E: Stored>(self, clip: UnitClip, weight: &[E], grad: &mut [E]) {
        let len = self.run * (GRAIN / 2 / self.run).max(1);
        let clip_some = |part: usize, grad: &mut [E]| {
            let weight = &weight[part * len..part * len + grad.len()];
            let units = Self {
                count: grad.len().div_ceil(self.run),
                ..self
            };
            let factors = units.factors(clip, weight, grad);
            if factors.iter().any(|factor| factor.to_f64() != 1.0) {
                units.multiply(grad, &factors);
            }
        };
        threads::for_each_chunk(self.threads_for(grad.len()), grad, len, &clip_some);
    }

    /// The factor of each unit; 1 where it is not clipped.
    fn factors<E: Stored>(self, clip: UnitClip, weight: &[E], grad: &[E]) -> Vec<E::Wide> {
        let [of_weight, of_grad] = self.wide().sums(weight, grad);
        let factor = |unit: usize| {
            let of = |sums: &[f64]| sums.iter().skip(unit).step_by(self.count).sum();
            let (of_weight, of_grad) = (of(&of_weight), of(&of_grad));
            if self.is_within::<E>(clip, of_weight, of_grad) {
                return E::Wide::of(1.0);
            }
            let (scale, root) = self.norm(weight, unit, of_weight, clip.epsilon);
            let length = scale * root;
            let longest = if length < clip.epsilon {
                clip.epsilon
            } else {
                length
            };
            let bound = longest * clip.clip_factor;
            let (scale, root) = self.norm(grad, unit, of_grad, bound);
            // One by one: the norm itself may overflow.
            let factor = bound / scale / root;
            E::Wide::of(if factor < 1.0 { factor } else { 1.0 })
        };
        (0..self.count).map(factor).collect()
    }

    /// The same numbers in longer rows, if each unit has only one number in a row and there are few units: as if there
    /// were several copies of each.
    fn wide(self) -> Self {
        if self.run > 1 || self.rows == 1 || self.count >= WIDE {
            return self;
        }
        let copies = (WIDE / self.count).min(self.rows);
        Self {
            rows: self.rows.div_ceil(copies),
            count: self.count * copies,
            ..self
        }
    }

    /// Whether sums of squares show without roots and divisions that the unit is not clipped. Where rounding could matter,
    /// it says no.
    fn is_within<E: Stored>(self, clip: UnitClip, of_weight: f64, of_grad: f64) -> bool {
        let (_, safe) = squares_of::<E>();
        let least = (self.rows * self.run) as f64 * safe;
        let bound = clip.clip_factor * clip.clip_factor * of_weight;
        of_weight >= least
            && of_grad >= least
            && bound < f64::MAX
            && of_grad <= bound * (1.0 - 1e-12)
    }

    /// The norm of a unit as two factors, from its sum of squares; any number up to `enough`, if the norm is not larger.
    fn norm<E: Stored>(self, numbers: &[E], unit: usize, sum: f64, enough: f64) -> (f64, f64) {
        let len = (self.rows * self.run) as f64;
        let (error, safe) = squares_of::<E>();
        if sum.is_nan() || (sum.is_finite() && sum >= len * safe) {
            return (1.0, sum.sqrt());
        }
        let at_most = (sum + len * error).sqrt();
        if at_most <= enough {
            return (1.0, at_most);
        }
        let each = || {
            let stored = (0..self.rows).flat_map(move |row| self.run_of(numbers, row, unit));
            stored.map(|number| {
                let mut wide = [E::Wide::ZERO];
                E::load(std::slice::from_ref(number), &mut wide);
                wide[0].to_f64()
            })
        };
        let largest = each().map(f64::abs).fold(0.0, f64::max);
        if largest == 0.0 || largest.is_infinite() {
            return (1.0, largest);
        }
        let sum: f64 = each().map(|x| (x / largest) * (x / largest)).sum();
        (largest, sum.sqrt())
    }

    fn run_of<E>(self, numbers: &[E], row: usize, unit: usize) -> &[E] {
        let start = (row * self.count + unit) * self.run;
        &numbers[start..numbers.len().min(start + self.run)]
    }

    /// The sums of squares of each unit, of the weight and of the gradient. The order of the additions depends only on
    /// the shape.
    fn sums<E: Stored>(self, weight: &[E], grad: &[E]) -> [Vec<f64>; 2] {
        let is_one_row_of_runs = self.rows == 1 && self.run > 1;
        let width = if is_one_row_of_runs { GRAIN } else { TILE };
        let tile = (width / self.run).clamp(1, self.count);
        let height = (GRAIN / (tile * self.run)).clamp(1, self.rows);
        let (across, down) = (self.count.div_ceil(tile), self.rows.div_ceil(height));
        let of_part = |part: usize| {
            let (column, row) = (part / down, part % down);
            let units = column * tile..self.count.min((column + 1) * tile);
            let rows = row * height..self.rows.min((row + 1) * height);
            let mut sums = [vec![0.0; units.len()], vec![0.0; units.len()]];
            vectorized(Sums {
                count: self.count,
                run: self.run,
                units,
                rows,
                weight,
                grad,
                sums: &mut sums,
            });
            sums
        };
        let of_part: &(dyn Fn(usize) -> _ + Sync) = &of_part;
        if across * down == 1 {
            return of_part(0);
        }
        let parts = threads::map(self.threads_for(grad.len()), across * down, of_part);
        let mut sums = [vec![0.0; self.count], vec![0.0; self.count]];
        for (part, more) in parts.into_iter().enumerate() {
            let start = part / down * tile;
            for (sums, more) in sums.iter_mut().zip(more) {
                let sums = sums[start..].iter_mut().zip(more);
                sums.for_each(|(sum, more)| *sum += more);
            }
        }
        sums
    }

    /// Multiplies each unit by its factor.
    fn multiply<E: Stored>(self, grad: &mut [E], factors: &[E::Wide]) {
        let wide = self.wide();
        if wide.count > self.count {
            return wide.multiply(grad, &factors.repeat(wide.count / self.count));
        }
        let runs = (GRAIN / self.run).max(1);
        let multiply = |part: usize, grad: &mut [E]| {
            vectorized(Multiply {
                run: self.run,
                first: part * runs % self.count,
                factors,
                grad,
            });
        };
        let multiply: &(dyn Fn(usize, &mut [E]) + Sync) = &multiply;
        let len = runs * self.run;
        match self.threads_for(grad.len()) {
            Threads::All => threads::for_each_chunk(Threads::All, grad, len, multiply),
            Threads::One => {
                // What was read last is in the cache.
                let parts = grad.chunks_mut(len).enumerate().rev();
                parts.for_each(|(part, grad)| multiply(part, grad));
            }
        }
    }
}

/// By how much a square may be too small, and from which mean on that is nothing.
fn squares_of<E: Stored>() -> (f64, f64) {
    if TypeId::of::<E::Wide>() == TypeId::of::<f64>() {
        (1e-320, 1e-300)
    } else {
        (1e-44, 1e-36)
    }
}

/// The multiplication of a part of the gradient that begins with a run of the unit `first`.
struct Multiply<'a, E: Stored> {
    run: usize,
    first: usize,
    factors: &'a [E::Wide],
    grad: &'a mut [E],
}

impl<E: Stored> NullaryFnOnce for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let is_one = |factor: &E::Wide| factor.to_f64() == 1.0;
        if self.run > 1 {
            let factors = self.factors.iter().cycle().skip(self.first);
            for (run, factor) in self.grad.chunks_mut(self.run).zip(factors) {
                if !is_one(factor) {
                    in_blocks(run, |numbers| {
                        numbers.iter_mut().for_each(|x| *x = *x * *factor);
                    });
                }
            }
            return;
        }
        let mut rest = self.grad;
        let mut factors = &self.factors[self.first..];
        while !rest.is_empty() {
            let row;
            (row, rest) = rest.split_at_mut(rest.len().min(factors.len()));
            for (piece, factors) in row.chunks_mut(PIECE).zip(factors.chunks(PIECE)) {
                if !factors.iter().all(is_one) {
                    in_blocks(piece, |numbers| {
                        let pairs = numbers.iter_mut().zip(factors);
                        pairs.for_each(|(x, factor)| *x = *x * *factor);
                    });
                }
            }
            factors = self.factors;
        }
    }
}

/// Changes stored numbers, widened a block at a time, or all at once if they are as wide already.
#[inline(always)]
fn in_blocks<E: Stored>(numbers: &mut [E], mut change: impl FnMut(&mut [E::Wide])) {
    if let Some(numbers) = E::as_wide_mut(numbers) {
        return change(numbers);
    }
    let mut block = [E::Wide::ZERO; BLOCK];
    for numbers in numbers.chunks_mut(BLOCK) {
        let block = &mut block[..numbers.len()];
        E::load(numbers, block);
        change(block);
        E::store(block, numbers);
    }
}
