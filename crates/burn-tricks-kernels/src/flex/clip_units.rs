//! The norms of units in one read, and the multiplication of those that are clipped.

use super::any_slice::{AnySlice, AnySliceMut, Computed, copied, with_wide_type};
use super::buffer::{for_each_tensor, look, look_mut, make_dense, ordered};
use super::threads::{self, Threads};
use super::unit_sums::{FEW, Sums, TILE};
use super::{FlexTensor, GRAIN, elements};
use crate::clip_units::assert_fit;
use crate::unit_clip::UnitClip;
use burn::backend::DispatchTensor;
use pulp::NullaryFnOnce;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::Range;

/// Clips every unit of each gradient, where it stands. All must be tensors of this backend, a weight and its gradient of one
/// type.
pub(crate) fn clip_units(
    clip: UnitClip,
    weights: &VecDeque<DispatchTensor>,
    grads: &mut [DispatchTensor],
    axes: &[Option<usize>],
) {
    let all = elements(&*grads);
    let work = |at: usize, grad: &mut DispatchTensor| {
        let weight = look(&weights[at]).expect(ON_FLEX);
        let grad = look_mut(grad).expect(ON_FLEX);
        let axis = axes[at];
        assert_fit(weight.layout().shape(), grad.layout().shape(), axis);
        let threads = Threads::for_share(grad.layout().num_elements(), all);
        with_wide_type!(grad.dtype(), T => clip_one::<T>(clip, weight, grad, axis, threads));
    };
    for_each_tensor(Threads::for_len(all), grads, weights, &work);
}

const ON_FLEX: &str = "a tensor of this backend";

fn clip_one<T: Computed>(
    clip: UnitClip,
    weight: &FlexTensor,
    grad: &mut FlexTensor,
    axis: Option<usize>,
    threads: Threads,
) {
    let shape = grad.layout().shape();
    if shape.num_elements() == 0 {
        return;
    }
    let units = Units::of(shape, axis, threads);
    let weight = ordered(weight);
    let weight = AnySlice::of(&weight);
    make_dense(grad);
    if units.rows == 1
        && let Some(grad) = AnySliceMut::of(grad)
    {
        return units.clip_each::<T>(clip, weight, grad);
    }
    let factors = units.factors::<T>(clip, weight, AnySlice::of(grad));
    if factors.iter().all(|factor| factor.to_f64() == 1.0) {
        return;
    }
    if let Some(grad) = AnySliceMut::of(grad) {
        return units.multiply(grad, &factors);
    }
    *grad = copied(grad);
    units.multiply(AnySliceMut::of_new(grad), &factors);
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
const WIDE: usize = FEW;

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
    fn clip_each<T: Computed>(self, clip: UnitClip, weight: AnySlice<'_>, grad: AnySliceMut<'_>) {
        let len = self.run * (GRAIN / 2 / self.run).max(1);
        let clip_some = |part: usize, grad: AnySliceMut<'_>| {
            let weight = weight.part(part * len..part * len + grad.len());
            let units = Self {
                count: grad.len().div_ceil(self.run),
                ..self
            };
            let factors = units.factors::<T>(clip, weight, grad.as_ref());
            if factors.iter().any(|factor| factor.to_f64() != 1.0) {
                units.multiply(grad, &factors);
            }
        };
        let threads = self.threads_for(grad.len());
        grad.for_each_chunk(threads, len, &clip_some);
    }

    /// The factor of each unit; 1 where it is not clipped.
    fn factors<T: Computed>(
        self,
        clip: UnitClip,
        weight: AnySlice<'_>,
        grad: AnySlice<'_>,
    ) -> Vec<T> {
        let wide = self.wide();
        let mut few = [[0.0; FEW]; 2];
        let mut many = [const { Vec::new() }; 2];
        let mut sums = if wide.count <= FEW {
            few.each_mut().map(|sums| &mut sums[..wide.count])
        } else {
            many.fill(vec![0.0; wide.count]);
            many.each_mut().map(Vec::as_mut_slice)
        };
        wide.sums::<T>(weight, grad, &mut sums);
        let [of_weight, of_grad] = sums.map(|sums| folded(sums, self.count));
        let factor = |unit: usize| {
            let (of_weight, of_grad) = (of_weight[unit], of_grad[unit]);
            if self.is_within::<T>(clip, of_weight, of_grad) {
                return T::of(1.0);
            }
            let (scale, root) = self.norm::<T>(weight, unit, of_weight, clip.epsilon);
            let length = scale * root;
            let longest = if length < clip.epsilon {
                clip.epsilon
            } else {
                length
            };
            let bound = longest * clip.clip_factor;
            let (scale, root) = self.norm::<T>(grad, unit, of_grad, bound);
            // One by one: the norm itself may overflow.
            let factor = bound / scale / root;
            T::of(if factor < 1.0 { factor } else { 1.0 })
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
    fn is_within<T: Computed>(self, clip: UnitClip, of_weight: f64, of_grad: f64) -> bool {
        let (_, safe) = squares_of::<T>();
        let least = (self.rows * self.run) as f64 * safe;
        let bound = clip.clip_factor * clip.clip_factor * of_weight;
        of_weight >= least
            && of_grad >= least
            && bound < f64::MAX
            && of_grad <= bound * (1.0 - 1e-12)
    }

    /// The norm of a unit as two factors, from its sum of squares; any number up to `enough`, if the norm is not larger.
    fn norm<T: Computed>(
        self,
        numbers: AnySlice<'_>,
        unit: usize,
        sum: f64,
        enough: f64,
    ) -> (f64, f64) {
        let len = (self.rows * self.run) as f64;
        let (error, safe) = squares_of::<T>();
        if sum.is_nan() || (sum.is_finite() && sum >= len * safe) {
            return (1.0, sum.sqrt());
        }
        let at_most = (sum + len * error).sqrt();
        if at_most <= enough {
            return (1.0, at_most);
        }
        let each = || {
            let places = (0..self.rows).flat_map(move |row| {
                let start = (row * self.count + unit) * self.run;
                start..numbers.len().min(start + self.run)
            });
            places.map(move |place| numbers.at(place))
        };
        let largest = each().map(f64::abs).fold(0.0, f64::max);
        if largest == 0.0 || largest.is_infinite() {
            return (1.0, largest);
        }
        let sum: f64 = each().map(|x| (x / largest) * (x / largest)).sum();
        (largest, sum.sqrt())
    }

    /// Adds the squares of each unit to its sum, those of the weight and those of the gradient. The order of the additions
    /// depends only on the shape.
    fn sums<T: Computed>(
        self,
        weight: AnySlice<'_>,
        grad: AnySlice<'_>,
        sums: &mut [&mut [f64]; 2],
    ) {
        let is_one_row_of_runs = self.rows == 1 && self.run > 1;
        let width = if is_one_row_of_runs { GRAIN } else { TILE };
        let tile = (width / self.run).clamp(1, self.count);
        let height = (GRAIN / (tile * self.run)).clamp(1, self.rows);
        let (across, down) = (self.count.div_ceil(tile), self.rows.div_ceil(height));
        let add_part = |part: usize, sums: [&mut [f64]; 2]| {
            let (column, row) = (part / down, part % down);
            let units = column * tile..self.count.min((column + 1) * tile);
            let rows = row * height..self.rows.min((row + 1) * height);
            T::run(Sums::<T> {
                count: self.count,
                run: self.run,
                units,
                rows,
                weight,
                grad,
                sums,
                computed: PhantomData,
            });
        };
        let add_part: &(dyn Fn(usize, [&mut [f64]; 2]) + Sync) = &add_part;
        if across * down == 1 {
            return add_part(0, sums.each_mut().map(|sums| &mut **sums));
        }
        let of_part = |part: usize| {
            let units = tile.min(self.count - part / down * tile);
            let mut sums = [vec![0.0; units], vec![0.0; units]];
            add_part(part, sums.each_mut().map(Vec::as_mut_slice));
            sums
        };
        let parts = threads::map(self.threads_for(grad.len()), across * down, &of_part);
        for (part, more) in parts.into_iter().enumerate() {
            let start = part / down * tile;
            for (sums, more) in sums.iter_mut().zip(more) {
                let sums = sums[start..].iter_mut().zip(more);
                sums.for_each(|(sum, more)| *sum += more);
            }
        }
    }

    /// Multiplies each unit by its factor.
    fn multiply<T: Computed>(self, grad: AnySliceMut<'_>, factors: &[T]) {
        let wide = self.wide();
        if wide.count > self.count {
            return wide.multiply(grad, &factors.repeat(wide.count / self.count));
        }
        let runs = (GRAIN / self.run).max(1);
        let multiply = |part: usize, grad: AnySliceMut<'_>| {
            T::run(Multiply {
                run: self.run,
                first: part * runs % self.count,
                factors,
                grad,
            });
        };
        let multiply: &(dyn Fn(usize, AnySliceMut<'_>) + Sync) = &multiply;
        let (mut grad, len) = (grad, runs * self.run);
        match self.threads_for(grad.len()) {
            Threads::All => grad.for_each_chunk(Threads::All, len, multiply),
            Threads::One => {
                // What was read last is in the cache.
                for part in (0..grad.len().div_ceil(len)).rev() {
                    let range = part * len..grad.len().min((part + 1) * len);
                    multiply(part, grad.part(range));
                }
            }
        }
    }
}

/// The sums of `count` units, from those of their copies.
fn folded(sums: &mut [f64], count: usize) -> &[f64] {
    let (first, copies) = sums.split_at_mut(count);
    for copy in copies.chunks(count) {
        for (sum, more) in first.iter_mut().zip(copy) {
            *sum += more;
        }
    }
    first
}

/// By how much a square may be too small, and from which mean on that is nothing.
fn squares_of<T: Computed>() -> (f64, f64) {
    if size_of::<T>() == size_of::<f64>() {
        (1e-320, 1e-300)
    } else {
        (1e-44, 1e-36)
    }
}

/// The multiplication of a part of the gradient that begins with a run of the unit `first`.
struct Multiply<'a, T> {
    run: usize,
    first: usize,
    factors: &'a [T],
    grad: AnySliceMut<'a>,
}

impl<T: Computed> NullaryFnOnce for Multiply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let is_one = |factor: &T| factor.to_f64() == 1.0;
        let len = self.grad.len();
        let mut grad = T::as_mut_slice(self.grad);
        if self.run > 1 {
            let factors = self.factors.iter().cycle().skip(self.first);
            for (start, factor) in (0..len).step_by(self.run).zip(factors) {
                if !is_one(factor) {
                    in_blocks(&mut grad, start..len.min(start + self.run), |_, numbers| {
                        numbers.iter_mut().for_each(|x| *x = *x * *factor);
                    });
                }
            }
            return;
        }
        let mut start = 0;
        let mut factors = &self.factors[self.first..];
        while start < len {
            for factors in factors.chunks(PIECE) {
                let range = start..len.min(start + factors.len());
                start = range.end;
                if !factors.iter().all(is_one) {
                    in_blocks(&mut grad, range, |at, numbers| {
                        let pairs = numbers.iter_mut().zip(&factors[at..]);
                        pairs.for_each(|(x, factor)| *x = *x * *factor);
                    });
                }
            }
            factors = self.factors;
        }
    }
}

/// Changes stored numbers, widened a block at a time, or all at once if they are as wide already; with where the block
/// begins.
#[inline(always)]
fn in_blocks<T: Computed>(
    numbers: &mut Result<&mut [T], AnySliceMut<'_>>,
    range: Range<usize>,
    mut change: impl FnMut(usize, &mut [T]),
) {
    // To fill a block takes as long as the work on a short run: only where there is something to widen.
    let mut block = None;
    let len = match numbers {
        Ok(_) => range.len(),
        Err(_) => BLOCK,
    };
    // The change is called at one place, where it is inlined, for the vector instructions.
    for start in range.clone().step_by(len.max(1)) {
        let some = start..range.end.min(start + len);
        let wide = match numbers {
            Ok(numbers) => &mut numbers[some.clone()],
            Err(numbers) => {
                let block = &mut block.get_or_insert([T::ZERO; BLOCK])[..some.len()];
                T::widen(numbers.as_ref().part(some.clone()), block);
                block
            }
        };
        change(start - range.start, wide);
        if let (Err(numbers), Some(block)) = (&mut *numbers, &block) {
            T::round_to(&block[..some.len()], numbers.part(some));
        }
    }
}
