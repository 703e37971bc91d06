//! One pass of a step over a weight, its gradient and its state.

use super::buffer::{close, dense, from_numbers, look, on_flex, open};
use super::element_type::{Stored, with_element_type};
use super::step_loop;
use super::vector::Wide;
use super::{FlexTensor, GRAIN};
use crate::element_step::ElementStep;
use crate::precision::accumulation_dtype;
use burn::backend::DispatchTensor;
use burn::backend::TensorMetadata as _;
use burn::tensor::DType;

/// The new weight and state.
pub(crate) type Done<const S: usize> = (DispatchTensor, [DispatchTensor; S]);
/// Weight, gradient and state, unchanged.
pub(crate) type NotOurs<const S: usize> = (DispatchTensor, DispatchTensor, [DispatchTensor; S]);

/// The new weight and state, or the unchanged arguments if this backend has no kernel for them.
#[allow(clippy::result_large_err)]
pub(crate) fn update<R: ElementStep<S>, const S: usize>(
    step: R,
    weight: DispatchTensor,
    grad: DispatchTensor,
    state: [DispatchTensor; S],
) -> Result<Done<S>, NotOurs<S>> {
    if !is_ours(&weight, &grad, &state) {
        return Err((weight, grad, state));
    }
    let (weight, grad, state) = (open(weight), open(grad), state.map(open));
    let (weight, state) = with_element_type!(weight.dtype(), E => {
        whole::<E, R, S>(step, weight, grad, state)
    });
    Ok((close(weight), state.map(close)))
}

/// Whether all are on this backend, have one shape, and have types for which there is a kernel.
fn is_ours(weight: &DispatchTensor, grad: &DispatchTensor, state: &[DispatchTensor]) -> bool {
    if !on_flex([weight, grad].into_iter().chain(state)) {
        return false;
    }
    let wide: DType = accumulation_dtype(weight.dtype()).into();
    let fits = |tensor: &DispatchTensor, dtype| {
        look(tensor).is_some_and(|buffer| {
            buffer.dtype() == dtype
                && look(weight).is_some_and(|w| w.layout().shape() == buffer.layout().shape())
        })
    };
    fits(grad, weight.dtype()) && state.iter().all(|state| fits(state, wide))
}

fn whole<E: Stored, R: ElementStep<S>, const S: usize>(
    step: R,
    weight: FlexTensor,
    grad: FlexTensor,
    state: [FlexTensor; S],
) -> (FlexTensor, [FlexTensor; S]) {
    let (mut weight, mut grad) = (dense(weight), dense(grad));
    let mut state = state.map(dense);
    // A state that somebody else holds too is copied here.
    let numbers = state.each_mut().map(FlexTensor::storage_mut::<E::Wide>);
    if let Some(weight_numbers) = weight.try_storage_mut() {
        let grad = grad.storage();
        split(step, Weight::<E>::InPlace(weight_numbers, grad), numbers);
        return (weight, state);
    }
    if let Some(grad_numbers) = grad.try_storage_mut() {
        let weight = weight.storage();
        split(step, Weight::<E>::OverGrad(weight, grad_numbers), numbers);
        return (grad, state);
    }
    let shape = weight.shape();
    let mut new = vec![E::zeroed(); shape.num_elements()];
    let apart = Weight::<E>::Apart(weight.storage(), grad.storage(), &mut new);
    split(step, apart, numbers);
    (from_numbers(new, shape), state)
}

/// A stretch of the weight and of its gradient, and where the new weight is written.
enum Weight<'a, E> {
    /// The weight is not shared: it is overwritten.
    InPlace(&'a mut [E], &'a [E]),
    /// The weight is shared, for example by Burn's `Learner`, but the gradient is not, and its buffer is
    /// overwritten.
    OverGrad(&'a [E], &'a mut [E]),
    /// Both are shared.
    Apart(&'a [E], &'a [E], &'a mut [E]),
}

impl<E> Weight<'_, E> {
    fn len(&self) -> usize {
        match self {
            Self::InPlace(_, grad) => grad.len(),
            Self::OverGrad(weight, _) | Self::Apart(weight, ..) => weight.len(),
        }
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        match self {
            Self::InPlace(weight, grad) => {
                let (weight, grad) = (weight.split_at_mut(at), grad.split_at(at));
                (
                    Self::InPlace(weight.0, grad.0),
                    Self::InPlace(weight.1, grad.1),
                )
            }
            Self::OverGrad(weight, grad) => {
                let (weight, grad) = (weight.split_at(at), grad.split_at_mut(at));
                (
                    Self::OverGrad(weight.0, grad.0),
                    Self::OverGrad(weight.1, grad.1),
                )
            }
            Self::Apart(weight, grad, new) => {
                let (weight, grad) = (weight.split_at(at), grad.split_at(at));
                let new = new.split_at_mut(at);
                (
                    Self::Apart(weight.0, grad.0, new.0),
                    Self::Apart(weight.1, grad.1, new.1),
                )
            }
        }
    }
}

/// Halves the work until it is small. Elements are independent of each other, so the result does not depend on
/// where the work is cut.
fn split<E: Stored, R: ElementStep<S>, const S: usize>(
    step: R,
    weight: Weight<'_, E>,
    state: [&mut [E::Wide]; S],
) {
    let len = weight.len();
    if len <= GRAIN {
        return straight(step, weight, state);
    }
    let at = (len / 2).next_multiple_of(BLOCK);
    let (left, right) = weight.split_at(at);
    let (left_state, right_state) = cut(state, at);
    rayon::join(
        || split(step, left, left_state),
        || split(step, right, right_state),
    );
}

/// The first `at` numbers of each, and the others.
#[allow(clippy::type_complexity)]
fn cut<T, const S: usize>(state: [&mut [T]; S], at: usize) -> ([&mut [T]; S], [&mut [T]; S]) {
    let mut both = state.map(|state| state.split_at_mut(at));
    let left = both.each_mut().map(|(left, _)| std::mem::take(left));
    (left, both.map(|(_, right)| right))
}

/// How many numbers are copied or widened at a time, so that they stay in the nearest cache.
const BLOCK: usize = 1024;

fn straight<E: Stored, R: ElementStep<S>, const S: usize>(
    step: R,
    mut weight: Weight<'_, E>,
    state: [&mut [E::Wide]; S],
) {
    match &mut weight {
        Weight::InPlace(weight, grad) => {
            if let (Some(weight), Some(grad)) = (E::as_wide_mut(weight), E::as_wide(grad)) {
                return step_loop::run(step, weight, grad, state);
            }
        }
        Weight::OverGrad(weight, grad) => {
            if let (Some(weight), Some(grad)) = (E::as_wide(weight), E::as_wide_mut(grad)) {
                return step_loop::run_over_grad(step, weight, grad, state);
            }
        }
        Weight::Apart(..) => {}
    }
    let mut weight_block = [E::Wide::ZERO; BLOCK];
    let mut grad_block = [E::Wide::ZERO; BLOCK];
    let mut rest = state;
    let len = weight.len();
    for start in (0..len).step_by(BLOCK) {
        let end = len.min(start + BLOCK);
        let (from, grad): (&[E], &[E]) = match &weight {
            Weight::InPlace(weight, grad) => (weight, grad),
            Weight::OverGrad(weight, grad) => (weight, grad),
            Weight::Apart(weight, grad, _) => (weight, grad),
        };
        let numbers = &mut weight_block[..end - start];
        E::load(&from[start..end], numbers);
        let grad = match E::as_wide(&grad[start..end]) {
            Some(grad) => grad,
            None => {
                let block = &mut grad_block[..end - start];
                E::load(&grad[start..end], block);
                block
            }
        };
        let now;
        (now, rest) = cut(rest, end - start);
        step_loop::run(step, numbers, grad, now);
        let to = match &mut weight {
            Weight::InPlace(to, _) | Weight::OverGrad(_, to) | Weight::Apart(_, _, to) => to,
        };
        E::store(numbers, &mut to[start..end]);
    }
}
