//! Leaves out the steps that go up the gradient, in a pass that counts them and one that changes the weights.

use super::buffer::{close, dense, from_numbers, numbers, open};
use super::element_type::{Stored, with_element_type};
use super::threads::{self, Threads};
use super::vector::Wide;
use super::vectorized::vectorized;
use super::{FlexTensor, GRAIN};
use burn::backend::{DispatchTensor, TensorMetadata as _};
use pulp::NullaryFnOnce;

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

/// The new weights, of new and old ones and a gradient. They must be tensors of this backend, of one type and shape.
pub(crate) fn cautious(all: [DispatchTensor; 3], least_share: Option<f64>) -> DispatchTensor {
    let [new, old, grad] = all.map(open);
    close(with_element_type!(new.dtype(), E => kept::<E>(new, &old, &grad, least_share)))
}

fn kept<E: Stored>(
    new: FlexTensor,
    old: &FlexTensor,
    grad: &FlexTensor,
    least_share: Option<f64>,
) -> FlexTensor {
    let mut new = dense(new);
    let (old, grad) = (numbers::<E>(old), numbers::<E>(grad));
    let more = match least_share {
        None => None,
        Some(least) => {
            let down = count_down(new.storage(), &old, &grad);
            if down == old.len() {
                return new;
            }
            Some(1.0 / (down as f64 / old.len() as f64).max(least) - 1.0)
        }
    };
    if let Some(numbers) = new.try_storage_mut::<E>() {
        keep_all(numbers, &old, &grad, more);
        return new;
    }
    let shape = new.shape();
    let mut numbers = new.storage::<E>().to_vec();
    keep_all(&mut numbers, &old, &grad, more);
    from_numbers(numbers, shape)
}

fn count_down<E: Stored>(new: &[E], old: &[E], grad: &[E]) -> usize {
    let counts = threads::map(Threads::All, new.len().div_ceil(GRAIN), &|part| {
        let range = part * GRAIN..new.len().min((part + 1) * GRAIN);
        vectorized(Count {
            new: &new[range.clone()],
            old: &old[range.clone()],
            grad: &grad[range],
        })
    });
    counts.iter().sum()
}

fn keep_all<E: Stored>(new: &mut [E], old: &[E], grad: &[E], more: Option<f64>) {
    threads::for_each_chunk(Threads::All, new, GRAIN, &|part, new| {
        let range = part * GRAIN..part * GRAIN + new.len();
        vectorized(Keep {
            new,
            old: &old[range.clone()],
            grad: &grad[range],
            more,
        });
    });
}

/// Whether the step does not go down. A NaN goes nowhere.
#[inline(always)]
fn is_against<T: Wide>(new: T, old: T, grad: T) -> bool {
    (new >= old) & (grad >= T::ZERO) | (new <= old) & (grad <= T::ZERO)
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
struct Count<'a, E> {
    new: &'a [E],
    old: &'a [E],
    grad: &'a [E],
}

impl<E: Stored> NullaryFnOnce for Count<'_, E> {
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
        let Self { new, old, grad } = self;
        let wide = (E::as_wide(new), E::as_wide(old), E::as_wide(grad));
        if let (Some(new), Some(old), Some(grad)) = wide {
            return down(new, old, grad);
        }
        let mut blocks = [[E::Wide::ZERO; BLOCK]; 3];
        let mut count = 0;
        let parts = new.chunks(BLOCK).zip(old.chunks(BLOCK));
        for ((new, old), grad) in parts.zip(grad.chunks(BLOCK)) {
            let [new, old, grad] = widened(&mut blocks, [new, old, grad]);
            count += down(new, old, grad);
        }
        count
    }
}

/// Changes the new weights: the old ones where the step goes up, elsewhere, if there is a `more`, the step `1 + more` times.
struct Keep<'a, E> {
    new: &'a mut [E],
    old: &'a [E],
    grad: &'a [E],
    more: Option<f64>,
}

impl<E: Stored> NullaryFnOnce for Keep<'_, E> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        #[inline(always)]
        fn keep<T: Wide>(new: &mut [T], old: &[T], grad: &[T], more: Option<T>) {
            let all = new.iter_mut().zip(old).zip(grad);
            match more {
                None => all.for_each(|((new, old), grad)| {
                    *new = choose(*new, *old, *grad, *new);
                }),
                Some(more) => all.for_each(|((new, old), grad)| {
                    *new = choose(*new, *old, *grad, *new + (*new - *old) * more);
                }),
            }
        }
        let Self { new, old, grad, .. } = self;
        let more = self.more.map(E::Wide::of);
        if let (Some(old), Some(grad)) = (E::as_wide(old), E::as_wide(grad))
            && let Some(new) = E::as_wide_mut(new)
        {
            return keep(new, old, grad, more);
        }
        let mut blocks = [[E::Wide::ZERO; BLOCK]; 3];
        let parts = new.chunks_mut(BLOCK).zip(old.chunks(BLOCK));
        for ((stored, old), grad) in parts.zip(grad.chunks(BLOCK)) {
            let [new, old, grad] = widened(&mut blocks, [stored, old, grad]);
            keep(new, old, grad, more);
            E::store(new, stored);
        }
    }
}

/// Stored numbers in their blocks.
#[inline(always)]
fn widened<'a, E: Stored>(
    blocks: &'a mut [[E::Wide; BLOCK]; 3],
    stored: [&[E]; 3],
) -> [&'a mut [E::Wide]; 3] {
    let mut stored = stored.into_iter();
    blocks.each_mut().map(|block| {
        let stored = stored.next().unwrap_or_default();
        let block = &mut block[..stored.len()];
        E::load(stored, block);
        block
    })
}
