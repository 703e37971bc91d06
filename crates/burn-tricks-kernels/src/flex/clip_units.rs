//! The norms of units in one read, and the multiplication of those that are clipped.

use super::any_slice::{AnySlice, AnySliceMut, Computed, copied, with_wide_type};
use super::buffer::{for_each_tensor, look, look_mut, make_dense, ordered};
use super::threads::Threads;
use super::unit_sums::{FEW, Sums};
use super::units::Units;
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
    let units = Units::of(shape, axis);
    let weight = ordered(weight);
    let weight = AnySlice::of(&weight);
    make_dense(grad);
    if units.rows == 1
        && let Some(grad) = AnySliceMut::of(grad)
    {
        return units.clip_each::<T>(clip, weight, grad, threads);
    }
    let factors = units.factors::<T>(clip, weight, AnySlice::of(grad), threads);
    if factors.iter().all(|factor| factor.to_f64() == 1.0) {
        return;
    }
    if let Some(grad) = AnySliceMut::of(grad) {
        return units.multiply(grad, &factors, threads);
    }
    *grad = copied(grad);
    units.multiply(AnySliceMut::of_new(grad), &factors, threads);
}

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// How many numbers are multiplied or left alone together, where neighbours belong to different units: at most a block.
const PIECE: usize = 64;

/// Of these threads, those for work on so many numbers.
fn threads_for(threads: Threads, len: usize) -> Threads {
    match threads {
        Threads::One => Threads::One,
        Threads::All => Threads::for_len(len),
    }
}

impl Units {
    /// Clips units that are contiguous in memory, some at a time, so that they are in the cache when they are
    /// multiplied.
    fn clip_each<T: Computed>(
        self,
        clip: UnitClip,
        weight: AnySlice<'_>,
        grad: AnySliceMut<'_>,
        threads: Threads,
    ) {
        let len = self.run * (GRAIN / 2 / self.run).max(1);
        let clip_some = |part: usize, grad: AnySliceMut<'_>| {
            let weight = weight.part(part * len..part * len + grad.len());
            let units = Self {
                count: grad.len().div_ceil(self.run),
                ..self
            };
            let factors = units.factors::<T>(clip, weight, grad.as_ref(), threads);
            if factors.iter().any(|factor| factor.to_f64() != 1.0) {
                units.multiply(grad, &factors, threads);
            }
        };
        let threads = threads_for(threads, grad.len());
        grad.for_each_chunk(threads, len, &clip_some);
    }

    /// The factor of each unit; 1 where it is not clipped.
    fn factors<T: Computed>(
        self,
        clip: UnitClip,
        weight: AnySlice<'_>,
        grad: AnySlice<'_>,
        threads: Threads,
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
        let threads = threads_for(threads, grad.len());
        let slices = sums.each_mut().map(|sums| &mut **sums);
        wide.add_parts(threads, slices, &|units, rows, sums| {
            T::run(Sums::<T> {
                count: wide.count,
                run: wide.run,
                units,
                rows,
                weight,
                grad,
                sums,
                computed: PhantomData,
            });
        });
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

    /// Multiplies each unit by its factor.
    fn multiply<T: Computed>(self, grad: AnySliceMut<'_>, factors: &[T], threads: Threads) {
        let wide = self.wide();
        if wide.count > self.count {
            let factors = factors.repeat(wide.count / self.count);
            return wide.multiply(grad, &factors, threads);
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
        match threads_for(threads, grad.len()) {
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
