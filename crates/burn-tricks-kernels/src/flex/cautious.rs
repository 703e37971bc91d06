//! Leaves out the steps that go up the gradient, in a pass that counts them and one that changes the weights.

use super::any_slice::{
    AnySlice, AnySliceMut, Computed, copied, is_computed_in_f32, with_wide_type,
};
use super::buffer::{close, dense, open};
use super::threads::{self, Threads};
use super::vector::Wide;
use super::{FlexTensor, GRAIN};
use burn::backend::DispatchTensor;
use pulp::NullaryFnOnce;
use std::marker::PhantomData;
use std::ops::Range;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// The new weights, of new and old ones and a gradient. They must be tensors of this backend, of one type and shape.
pub(crate) fn cautious(all: [DispatchTensor; 3], least_share: Option<f64>) -> DispatchTensor {
    let [new, old, grad] = all.map(open).map(dense);
    close(with_wide_type!(new.dtype(), T => kept::<T>(new, &old, &grad, least_share)))
}

fn kept<T: Computed>(
    mut new: FlexTensor,
    old: &FlexTensor,
    grad: &FlexTensor,
    least_share: Option<f64>,
) -> FlexTensor {
    let (old, grad) = (AnySlice::of(old), AnySlice::of(grad));
    let more = match least_share {
        None => None,
        Some(least) => {
            let down = count_down::<T>(AnySlice::of(&new), old, grad);
            if down == old.len() {
                return new;
            }
            let share = (down as f64 / old.len() as f64).max(least);
            Some(T::of(more(share, is_computed_in_f32(new.dtype()))))
        }
    };
    if let Some(numbers) = AnySliceMut::of(&mut new) {
        keep_all(numbers, old, grad, more);
        return new;
    }
    let mut new = copied(&new);
    keep_all(AnySliceMut::of_new(&mut new), old, grad, more);
    new
}

/// By how much more than before a step goes, rounded as in the twin.
#[allow(clippy::cast_possible_truncation)]
fn more(share: f64, in_f32: bool) -> f64 {
    if in_f32 {
        f64::from(1.0 / share as f32 - 1.0)
    } else {
        1.0 / share - 1.0
    }
}

fn count_down<T: Computed>(new: AnySlice<'_>, old: AnySlice<'_>, grad: AnySlice<'_>) -> usize {
    let (threads, parts) = (Threads::for_len(new.len()), new.len().div_ceil(GRAIN));
    let counts = threads::map(threads, parts, &|part| {
        let range = part * GRAIN..new.len().min((part + 1) * GRAIN);
        T::run(Count::<T> {
            all: [new, old, grad].map(|all| all.part(range.clone())),
            computed: PhantomData,
        })
    });
    counts.iter().sum()
}

fn keep_all<T: Computed>(
    new: AnySliceMut<'_>,
    old: AnySlice<'_>,
    grad: AnySlice<'_>,
    more: Option<T>,
) {
    let threads = Threads::for_len(new.len());
    new.for_each_chunk(threads, GRAIN, &|part, new| {
        let range = part * GRAIN..part * GRAIN + new.len();
        T::run(Keep {
            new,
            old: old.part(range.clone()),
            grad: grad.part(range),
            more,
        });
    });
}

/// Whether the step goes up or there is no gradient. A NaN goes nowhere, and so does a step that is lost in rounding.
#[inline(always)]
fn is_against<T: Wide>(new: T, old: T, grad: T) -> bool {
    (new > old) & (grad > T::ZERO) | (new < old) & (grad < T::ZERO) | (grad == T::ZERO)
}

#[inline(always)]
fn choose<T: Wide>(new: T, old: T, grad: T, stepped: T) -> T {
    if is_against(new, old, grad) {
        old
    } else {
        stepped
    }
}

/// Counts the steps that go down.
struct Count<'a, T> {
    /// New weights, old ones and the gradient.
    all: [AnySlice<'a>; 3],
    computed: PhantomData<T>,
}

impl<T: Computed> NullaryFnOnce for Count<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn call(self) -> usize {
        #[inline(always)]
        fn down<T: Wide>(new: &[T], old: &[T], grad: &[T]) -> usize {
            let mut against = 0_u32; // of at most `GRAIN`
            for ((new, old), grad) in new.iter().zip(old).zip(grad) {
                against += u32::from(is_against(*new, *old, *grad));
            }
            new.len() - against as usize
        }
        if let [Some(new), Some(old), Some(grad)] = self.all.map(T::as_slice) {
            return down(new, old, grad);
        }
        let mut blocks = [[T::ZERO; BLOCK]; 3];
        let len = self.all[0].len();
        let mut count = 0;
        for start in (0..len).step_by(BLOCK) {
            let range = start..len.min(start + BLOCK);
            let [new, old, grad] = widened(&mut blocks, self.all, range);
            count += down(new, old, grad);
        }
        count
    }
}

/// Changes the new weights: the old ones where the step goes up, elsewhere, if there is a `more`, the step `1 + more` times.
struct Keep<'a, T> {
    new: AnySliceMut<'a>,
    old: AnySlice<'a>,
    grad: AnySlice<'a>,
    more: Option<T>,
}

impl<T: Computed> NullaryFnOnce for Keep<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        #[inline(always)]
        fn keep<T: Wide>(new: &mut [T], old: &[T], grad: &[T], more: Option<T>) {
            // Loops: with closures for `for_each` a step took 1.3 times as long.
            match more {
                None => {
                    for ((new, old), grad) in new.iter_mut().zip(old).zip(grad) {
                        *new = choose(*new, *old, *grad, *new);
                    }
                }
                Some(more) => {
                    for ((new, old), grad) in new.iter_mut().zip(old).zip(grad) {
                        *new = choose(*new, *old, *grad, *new + (*new - *old) * more);
                    }
                }
            }
        }
        let wide = T::as_slice(self.old).zip(T::as_slice(self.grad));
        let mut new = match (T::as_mut_slice(self.new), wide) {
            (Ok(new), Some((old, grad))) => return keep(new, old, grad, self.more),
            (Ok(_), None) => unreachable!("all are of one type"),
            (Err(new), _) => new,
        };
        let mut blocks = [[T::ZERO; BLOCK]; 3];
        for start in (0..new.len()).step_by(BLOCK) {
            let range = start..new.len().min(start + BLOCK);
            let all = [new.as_ref(), self.old, self.grad];
            let [stepped, old, grad] = widened(&mut blocks, all, range.clone());
            keep(stepped, old, grad, self.more);
            T::round_to(stepped, new.part(range));
        }
    }
}

/// Stored numbers in their blocks.
#[inline(always)]
fn widened<'a, T: Computed>(
    blocks: &'a mut [[T; BLOCK]; 3],
    stored: [AnySlice<'_>; 3],
    range: Range<usize>,
) -> [&'a mut [T]; 3] {
    let blocks = blocks.each_mut().map(|block| &mut block[..range.len()]);
    let mut stored = stored.into_iter();
    blocks.map(|block| {
        if let Some(stored) = stored.next() {
            T::widen(stored.part(range.clone()), block);
        }
        block
    })
}
