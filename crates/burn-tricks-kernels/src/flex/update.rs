//! One pass of a step over a weight, its gradient and its state.

use super::buffer::{
    close, dense, for_each_tensor, from_numbers, look, look_mut, make_dense, numbers, numbers_mut,
    open,
};
use super::element_type::{Stored, has_kernels, with_element_type};
use super::share::share;
use super::step_loop::{Loops, Numbers, Stepped, first, first_mut};
use super::threads::Threads;
use super::vector::Wide;
use super::{FlexTensor, GRAIN, elements};
use crate::any_tensor::AnyTensor;
use crate::precision::accumulation_dtype;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::DType;
use std::collections::VecDeque;

/// The new weight and state.
pub(crate) type Done = (AnyTensor, Vec<AnyTensor>);
/// Weight, gradient and state, unchanged.
pub(crate) type NotOurs = (AnyTensor, AnyTensor, Vec<AnyTensor>);

/// The new weight and state, or the unchanged arguments if this backend has no kernel for them.
#[allow(clippy::result_large_err)]
pub(crate) fn update(
    step: &dyn Loops,
    weight: AnyTensor,
    grad: AnyTensor,
    mut state: Vec<AnyTensor>,
) -> Result<Done, NotOurs> {
    if !are_ours(&weight.0, &grad.0, &state) {
        return Err((weight, grad, state));
    }
    let (weight, grad) = (dense(open(weight.0.open())), dense(open(grad.0.open())));
    let weight = with_element_type!(weight.dtype(), E => {
        whole::<E>(step, weight, grad, &mut state)
    });
    Ok((AnyTensor::new(close(weight)), state))
}

/// Takes the step of each weight with the gradient at the same place, where the weight stands. `false`, and nothing is
/// changed, if this backend has no kernel for one of the pairs.
pub(crate) fn update_all(
    step: &dyn Loops,
    weights: &mut [DispatchTensor],
    grads: &VecDeque<DispatchTensor>,
) -> bool {
    let mut pairs = weights.iter().zip(grads);
    if !pairs.all(|(weight, grad)| are_ours(weight, grad, &[])) {
        return false;
    }
    let all = elements(&*weights);
    let are_large = all / weights.len().max(1) > GRAIN;
    if are_large && large_in_place(step, weights, grads) {
        return true;
    }
    let threads = if are_large {
        Threads::One // which shares each tensor with the others
    } else {
        Threads::for_len(all)
    };
    for_each_tensor(threads, weights, grads, &|number, weight| {
        if let (Some(weight), Some(grad)) = (look_mut(weight), look(&grads[number])) {
            with_element_type!(weight.dtype(), E => in_place::<E>(step, weight, grad));
        }
    });
    true
}

/// Takes the steps of large `f32` tensors where they stand. No thread waits for the others at the end of a tensor: it goes on
/// with the next. `false`, and no number is changed, if a tensor is of another type or its numbers are shared or out of order.
fn large_in_place(
    step: &dyn Loops,
    weights: &mut [DispatchTensor],
    grads: &VecDeque<DispatchTensor>,
) -> bool {
    let mut all = Vec::with_capacity(weights.len());
    for (weight, grad) in weights.iter_mut().zip(grads) {
        let grad = look(grad).and_then(|grad| grad.as_slice::<f32>());
        let weight = look_mut(weight).filter(|weight| weight.dtype() == DType::F32);
        let Some((weight, grad)) = weight.zip(grad) else {
            return false;
        };
        make_dense(weight);
        let Some(weight) = weight.try_storage_mut() else {
            return false;
        };
        let weight = Weight::Over(Numbers::OverWeight(weight, grad));
        let state = Vec::new();
        all.push(Stretch { weight, state });
    }
    share(Stretches(all), |piece| straight::<f32>(step, piece));
    true
}

/// Stretches of several tensors, of which pieces are taken from the last one that has some left.
struct Stretches<'a>(Vec<Stretch<'a, f32>>);

impl<'a> Iterator for Stretches<'a> {
    type Item = Stretch<'a, f32>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.last_mut()?.next() {
                Some(piece) => return Some(piece),
                None => self.0.pop(),
            };
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let least = self.0.iter().map(|stretch| stretch.size_hint().0);
        (least.sum(), None)
    }
}

/// One step without a state.
fn in_place<E: Stored>(step: &dyn Loops, weight: &mut FlexTensor, grad: &FlexTensor) {
    make_dense(weight);
    let grad = numbers::<E>(grad);
    if let Some(weight) = weight.try_storage_mut() {
        let numbers = Numbers::<E>::OverWeight(weight, &grad);
        return run(step, Weight::Over(numbers), Vec::new());
    }
    let mut new = vec![E::zeroed(); grad.len()];
    let apart = Weight::<E>::Apart(weight.storage(), &grad, &mut new);
    run(step, apart, Vec::new());
    *weight = from_numbers(new, weight.layout().shape().clone());
}

/// Whether all are on this backend, have one shape, and have types for which there is a kernel.
fn are_ours(weight: &DispatchTensor, grad: &DispatchTensor, state: &[AnyTensor]) -> bool {
    let Some(weight) = look(weight).filter(|weight| has_kernels(weight.dtype())) else {
        return false;
    };
    let (dtype, shape) = (weight.dtype(), weight.layout().shape());
    let wide: DType = accumulation_dtype(dtype).into();
    let fits = |tensor, dtype| {
        look(tensor)
            .is_some_and(|buffer| buffer.dtype() == dtype && buffer.layout().shape() == shape)
    };
    fits(grad, dtype) && state.iter().all(|state| fits(&state.0, wide))
}

/// The new weight; the state is overwritten. A state that somebody else holds too is copied before.
fn whole<E: Stored>(
    step: &dyn Loops,
    mut weight: FlexTensor,
    mut grad: FlexTensor,
    state: &mut [AnyTensor],
) -> FlexTensor {
    let state = state.iter_mut().map(|state| numbers_mut(&mut state.0));
    let state = state.collect();
    if let Some(weight_numbers) = weight.try_storage_mut() {
        let numbers = Numbers::<E>::OverWeight(weight_numbers, grad.storage());
        run(step, Weight::Over(numbers), state);
        return weight;
    }
    if let Some(grad_numbers) = grad.try_storage_mut() {
        let numbers = Numbers::<E>::OverGrad(weight.storage(), grad_numbers);
        run(step, Weight::Over(numbers), state);
        return grad;
    }
    let shape = weight.shape();
    let mut new = vec![E::zeroed(); shape.num_elements()];
    let apart = Weight::<E>::Apart(weight.storage(), grad.storage(), &mut new);
    run(step, apart, state);
    from_numbers(new, shape)
}

fn run<E: Stored>(step: &dyn Loops, weight: Weight<'_, E>, state: Vec<&mut [E::Wide]>) {
    let all = Stretch { weight, state };
    if all.weight.len() <= GRAIN {
        return straight(step, all);
    }
    share(all, |piece| straight(step, piece));
}

/// A stretch of the weight and of its gradient, and where the new weight is written.
enum Weight<'a, E> {
    /// Over the weight; or over the gradient, where the weight is shared, for example by Burn's `Learner`, and the gradient
    /// is not.
    Over(Numbers<'a, E>),
    /// Into a new buffer, since both are shared.
    Apart(&'a [E], &'a [E], &'a mut [E]),
}

impl<E> Weight<'_, E> {
    fn len(&self) -> usize {
        self.both().0.len()
    }

    /// The weight and its gradient.
    fn both(&self) -> (&[E], &[E]) {
        match self {
            Self::Over(numbers) => numbers.both(),
            Self::Apart(weight, grad, _) => (weight, grad),
        }
    }

    /// Where the new weight is written.
    fn written(&mut self) -> &mut [E] {
        match self {
            Self::Over(numbers) => numbers.written(),
            Self::Apart(.., new) => new,
        }
    }

    /// Takes the first `at` numbers off.
    fn cut(&mut self, at: usize) -> Self {
        match self {
            Self::Over(numbers) => Self::Over(numbers.cut(at)),
            Self::Apart(weight, grad, new) => {
                Self::Apart(first(weight, at), first(grad, at), first_mut(new, at))
            }
        }
    }
}

/// A stretch of a weight and of its state, from which pieces are taken.
struct Stretch<'a, E: Stored> {
    weight: Weight<'a, E>,
    state: Vec<&'a mut [E::Wide]>,
}

impl<'a, E: Stored> Stretch<'a, E> {
    /// The first `at` numbers of the state are taken off, into an empty list.
    fn cut_state(&mut self, at: usize, into: &mut Vec<&'a mut [E::Wide]>) {
        for state in &mut self.state {
            into.push(first_mut(state, at));
        }
    }
}

/// The pieces on which threads work, each a thread's share of what is left: memory is faster where each thread reads one
/// long stretch, and the last pieces are short, so that no thread waits long for another. Elements are independent of each
/// other, so the result does not depend on where the work is cut.
impl<E: Stored> Iterator for Stretch<'_, E> {
    type Item = Self;

    fn next(&mut self) -> Option<Self> {
        let len = self.weight.len();
        if len == 0 {
            return None;
        }
        let share = (len / rayon::current_num_threads()).next_multiple_of(BLOCK);
        let at = share.max(GRAIN).min(len);
        let mut state = Vec::with_capacity(self.state.len());
        self.cut_state(at, &mut state);
        let weight = self.weight.cut(at);
        Some(Self { weight, state })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = self.weight.len().div_ceil(GRAIN);
        (most.min(rayon::current_num_threads()), Some(most))
    }
}

/// How many numbers are copied or widened at a time, so that they stay in the nearest cache.
const BLOCK: usize = 1024;

fn straight<E: Stored>(step: &dyn Loops, mut stretch: Stretch<'_, E>) {
    let numbers = match &mut stretch.weight {
        Weight::Over(Numbers::OverWeight(weight, grad)) => E::as_wide_mut(weight)
            .zip(E::as_wide(grad))
            .map(|(weight, grad)| Numbers::OverWeight(weight, grad)),
        Weight::Over(Numbers::OverGrad(weight, grad)) => E::as_wide(weight)
            .zip(E::as_wide_mut(grad))
            .map(|(weight, grad)| Numbers::OverGrad(weight, grad)),
        Weight::Apart(..) => None,
    };
    if let Some(numbers) = numbers {
        return E::Wide::step(step, numbers, &mut stretch.state);
    }
    let mut weight_block = [E::Wide::ZERO; BLOCK];
    let mut grad_block = [E::Wide::ZERO; BLOCK];
    let mut state = Vec::with_capacity(stretch.state.len());
    loop {
        let len = stretch.weight.len().min(BLOCK);
        if len == 0 {
            return;
        }
        state.clear();
        stretch.cut_state(len, &mut state);
        let mut weight = stretch.weight.cut(len);
        let (from, grad) = weight.both();
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
        E::Wide::step(step, Numbers::OverWeight(numbers, grad), &mut state);
        E::store(numbers, weight.written());
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // tests read what they compare
mod tests {
    use super::{GRAIN, Numbers, Stretch, Stretches, Weight};
    use crate::{TensorList, lerp, lerp_all};
    use burn::tensor::{DType, Device, Tensor};

    /// `width × (GRAIN + 7)` numbers that follow no pattern.
    fn numbers(seed: usize, width: usize, dtype: DType) -> Tensor<2> {
        let count = width * (GRAIN + 7);
        let places = Tensor::arange(0..count as i64, &Device::flex()).float();
        let numbers = (places * 0.7 + seed as f64).sin();
        numbers.cast(dtype).reshape([width, GRAIN + 7])
    }

    /// Five pairs, moved together and one after the other.
    fn equal(what: &str, make: impl Fn(usize) -> (Tensor<2>, Tensor<2>)) {
        let (mut x, mut y) = (TensorList::new(), TensorList::new());
        let pairs: Vec<_> = (1..6).map(&make).collect();
        for (held, towards) in (1..6).map(&make) {
            x.push(held);
            y.push(towards);
        }
        let mut together = lerp_all(x, &y, 0.25);
        for (number, (held, towards)) in pairs.into_iter().enumerate() {
            let moved: Tensor<2> = together.pop().expect("as many");
            let alone = lerp(held, towards, 0.25);
            assert_eq!(moved.into_data(), alone.into_data(), "{what}, {number}");
        }
    }

    #[test]
    fn no_more_pieces_are_promised_than_there_are() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build();
        pool.expect("a pool").install(|| {
            for len in [1, GRAIN, GRAIN + 1, 5 * GRAIN, 9 * GRAIN + 7] {
                let (mut weights, grad) = (vec![vec![0.0_f32; len]; 3], vec![0.0; len]);
                let stretches = weights.iter_mut().map(|weight| Stretch {
                    weight: Weight::Over(Numbers::OverWeight(weight, &grad)),
                    state: Vec::new(),
                });
                let pieces = Stretches(stretches.collect());
                let (least, _) = pieces.size_hint();
                let count = pieces.count();
                assert!(least <= count, "{least}, but {count} of {len} numbers");
            }
        });
    }

    #[test]
    fn large_tensors_are_stepped_together_as_alone() {
        let (a, b) = (DType::F32, DType::F64);
        let pair = |dtype: DType, seed| {
            let of = |seed| numbers(seed, seed % 4 + 1, dtype);
            (of(seed), of(seed + 4))
        };
        equal("f32", |seed| pair(a, seed));
        equal("f64", |seed| pair(b, seed));
        equal("both", |seed| pair(if seed == 3 { b } else { a }, seed));
        let across = |seed| {
            let (x, y) = pair(a, seed);
            (
                x,
                y.transpose().reshape([GRAIN + 7, seed % 4 + 1]).transpose(),
            )
        };
        equal("gradients out of order", across);
        equal("weights out of order", |seed| {
            let (x, y) = across(seed);
            (y, x)
        });
        let kept = pair(a, 4);
        equal("a shared weight", |seed| match seed {
            4 => kept.clone(),
            _ => pair(a, seed),
        });
    }
}
