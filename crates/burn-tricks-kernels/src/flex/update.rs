//! One pass of a step over a weight, its gradient and its state.

use super::buffer::{close, dense, from_numbers, look, on_flex, open};
use super::element_type::{Stored, with_element_type};
use super::share::share;
use super::step_loop::{Loops, StepLoop};
use super::vector::Wide;
use super::{FlexTensor, GRAIN};
use crate::precision::accumulation_dtype;
use burn::backend::DispatchTensor;
use burn::backend::TensorMetadata as _;
use burn::tensor::{DType, Element};

/// The new weight and state.
pub(crate) type Done<const S: usize> = (DispatchTensor, [DispatchTensor; S]);
/// Weight, gradient and state, unchanged.
pub(crate) type NotOurs<const S: usize> = (DispatchTensor, DispatchTensor, [DispatchTensor; S]);

/// The new weight and state, or the unchanged arguments if this backend has no kernel for them.
#[allow(clippy::result_large_err)]
pub(crate) fn update<const S: usize>(
    step: &dyn Loops<S>,
    weight: DispatchTensor,
    grad: DispatchTensor,
    state: [DispatchTensor; S],
) -> Result<Done<S>, NotOurs<S>> {
    if !is_ours(&weight, &grad, &state) {
        return Err((weight, grad, state));
    }
    let (weight, grad) = (dense(open(weight)), dense(open(grad)));
    let state = state.map(|state| dense(open(state)));
    let (weight, state) = with_element_type!(weight.dtype(), E => {
        whole::<E, S>(step, weight, grad, state)
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

fn whole<E: Stored, const S: usize>(
    step: &dyn StepLoop<E::Wide, S>,
    mut weight: FlexTensor,
    mut grad: FlexTensor,
    mut state: [FlexTensor; S],
) -> (FlexTensor, [FlexTensor; S]) {
    let numbers = numbers_of::<E::Wide, S>(&mut state);
    if let Some(weight_numbers) = weight.try_storage_mut() {
        let grad = grad.storage();
        run(step, Weight::<E>::InPlace(weight_numbers, grad), numbers);
        return (weight, state);
    }
    if let Some(grad_numbers) = grad.try_storage_mut() {
        let weight = weight.storage();
        run(step, Weight::<E>::OverGrad(weight, grad_numbers), numbers);
        return (grad, state);
    }
    let shape = weight.shape();
    let mut new = vec![E::zeroed(); shape.num_elements()];
    let apart = Weight::<E>::Apart(weight.storage(), grad.storage(), &mut new);
    run(step, apart, numbers);
    (from_numbers(new, shape), state)
}

// These two are not compiled for each element type in which a weight can be stored.

/// A state that somebody else holds too is copied here.
fn numbers_of<T: Wide + Element, const S: usize>(state: &mut [FlexTensor; S]) -> [&mut [T]; S] {
    state.each_mut().map(FlexTensor::storage_mut::<T>)
}

/// The same slices, for a shorter time.
fn reborrowed<'a, T, const S: usize>(state: &'a mut [&mut [T]; S]) -> [&'a mut [T]; S] {
    state.each_mut().map(|state| &mut **state)
}

fn run<E: Stored, const S: usize>(
    step: &dyn StepLoop<E::Wide, S>,
    weight: Weight<'_, E>,
    state: [&mut [E::Wide]; S],
) {
    let all = Stretch { weight, state };
    if all.weight.len() <= GRAIN {
        return straight(step, all);
    }
    share(all, |piece| straight(step, piece));
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

    /// Takes the first `at` numbers off.
    fn cut(&mut self, at: usize) -> Self {
        match self {
            Self::InPlace(weight, grad) => Self::InPlace(first_mut(weight, at), first(grad, at)),
            Self::OverGrad(weight, grad) => Self::OverGrad(first(weight, at), first_mut(grad, at)),
            Self::Apart(weight, grad, new) => {
                Self::Apart(first(weight, at), first(grad, at), first_mut(new, at))
            }
        }
    }
}

/// Takes the first `at` numbers off.
fn first<'a, T>(numbers: &mut &'a [T], at: usize) -> &'a [T] {
    numbers.split_off(..at).expect("so many are left")
}

/// Like [`first`], mutably.
fn first_mut<'a, T>(numbers: &mut &'a mut [T], at: usize) -> &'a mut [T] {
    numbers.split_off_mut(..at).expect("so many are left")
}

/// A stretch of a weight and of its state, from which pieces are taken.
struct Stretch<'a, E: Stored, const S: usize> {
    weight: Weight<'a, E>,
    state: [&'a mut [E::Wide]; S],
}

impl<E: Stored, const S: usize> Stretch<'_, E, S> {
    fn cut(&mut self, at: usize) -> Self {
        Self {
            weight: self.weight.cut(at),
            state: self.state.each_mut().map(|state| first_mut(state, at)),
        }
    }
}

/// The pieces on which threads work, each a thread's share of what is left: memory is faster where each thread reads one
/// long stretch, and the last pieces are short, so that no thread waits long for another. Elements are independent of each
/// other, so the result does not depend on where the work is cut.
impl<E: Stored, const S: usize> Iterator for Stretch<'_, E, S> {
    type Item = Self;

    fn next(&mut self) -> Option<Self> {
        let len = self.weight.len();
        let share = (len / rayon::current_num_threads()).next_multiple_of(BLOCK);
        (len > 0).then(|| self.cut(share.max(GRAIN).min(len)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = self.weight.len().div_ceil(GRAIN);
        (most.min(rayon::current_num_threads()), Some(most))
    }
}

/// How many numbers are copied or widened at a time, so that they stay in the nearest cache.
const BLOCK: usize = 1024;

fn straight<E: Stored, const S: usize>(
    step: &dyn StepLoop<E::Wide, S>,
    mut stretch: Stretch<'_, E, S>,
) {
    let Stretch { weight, state } = &mut stretch;
    match weight {
        Weight::InPlace(weight, grad) => {
            if let (Some(weight), Some(grad)) = (E::as_wide_mut(weight), E::as_wide(grad)) {
                return step.run(weight, grad, reborrowed(state));
            }
        }
        Weight::OverGrad(weight, grad) => {
            if let (Some(weight), Some(grad)) = (E::as_wide(weight), E::as_wide_mut(grad)) {
                return step.run_over_grad(weight, grad, reborrowed(state));
            }
        }
        Weight::Apart(..) => {}
    }
    let mut weight_block = [E::Wide::ZERO; BLOCK];
    let mut grad_block = [E::Wide::ZERO; BLOCK];
    loop {
        let len = stretch.weight.len().min(BLOCK);
        if len == 0 {
            return;
        }
        let Stretch { weight, state } = stretch.cut(len);
        let (from, grad): (&[E], &[E]) = match &weight {
            Weight::InPlace(weight, grad) => (weight, grad),
            Weight::OverGrad(weight, grad) => (weight, grad),
            Weight::Apart(weight, grad, _) => (weight, grad),
        };
        let numbers = &mut weight_block[..len];
        E::load(from, numbers);
        let grad = match E::as_wide(grad) {
            Some(grad) => grad,
            None => {
                let block = &mut grad_block[..len];
                E::load(grad, block);
                block
            }
        };
        step.run(numbers, grad, state);
        let to = match weight {
            Weight::InPlace(to, _) | Weight::OverGrad(_, to) | Weight::Apart(_, _, to) => to,
        };
        E::store(numbers, to);
    }
}
