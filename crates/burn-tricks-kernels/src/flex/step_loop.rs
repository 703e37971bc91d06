//! The innermost loop, compiled for the processor that it runs on.

use super::any_slice::{AnySlice, AnySliceMut, Computed};
use super::vector::Wide;
use super::vectorized::has_vectors;
use crate::step::{OfStep, Step};
use pulp::{Simd, WithSimd};
use std::array::from_fn;

/// A step as a loop over thousands of elements. It is called through a pointer, so that the code around it is not
/// compiled for every step.
pub(crate) trait StepLoop<T>: Sync {
    /// Takes the step on every element, with the new state in the buffers of the old. All slices are of one length.
    fn run(&self, numbers: Numbers<'_, T>, state: &mut [&mut [T]]);
}

/// The weight and its gradient, one of which the new weight overwrites.
pub(crate) enum Numbers<'a, T> {
    OverWeight(&'a mut [T], &'a [T]),
    OverGrad(&'a [T], &'a mut [T]),
}

impl<'a, T> Numbers<'a, T> {
    fn len(&self) -> usize {
        self.both().0.len()
    }

    /// The weight and its gradient.
    fn both(&self) -> (&[T], &[T]) {
        match self {
            Self::OverWeight(weight, grad) => (weight, grad),
            Self::OverGrad(weight, grad) => (weight, grad),
        }
    }

    /// What the new weight overwrites.
    fn written(&mut self) -> &mut [T] {
        match self {
            Self::OverWeight(written, _) | Self::OverGrad(_, written) => written,
        }
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        match self {
            Self::OverWeight(weight, grad) => {
                let ((weight, more), (grad, rest)) = (weight.split_at_mut(at), grad.split_at(at));
                (Self::OverWeight(weight, grad), Self::OverWeight(more, rest))
            }
            Self::OverGrad(weight, grad) => {
                let ((weight, rest), (grad, more)) = (weight.split_at(at), grad.split_at_mut(at));
                (Self::OverGrad(weight, grad), Self::OverGrad(rest, more))
            }
        }
    }
}

/// A [`StepLoop`] over each type in which there is arithmetic.
pub(crate) trait Loops: StepLoop<f32> + StepLoop<f64> {}

impl<L: StepLoop<f32> + StepLoop<f64>> Loops for L {}

impl<R: Step<S>, const S: usize> StepLoop<f32> for OfStep<R, S> {
    fn run(&self, numbers: Numbers<'_, f32>, state: &mut [&mut [f32]]) {
        if has_vectors() {
            in_registers(numbers, array(state), &mut |numbers, state| {
                f32::run(Run::of(self.0, numbers, state));
            });
        } else {
            in_f64::<S>(self, numbers, array(state));
        }
    }
}

impl<R: Step<S>, const S: usize> StepLoop<f64> for OfStep<R, S> {
    fn run(&self, numbers: Numbers<'_, f64>, state: &mut [&mut [f64]]) {
        over_weight(numbers, array(state), &mut |numbers, state| {
            in_registers(numbers, state, &mut |numbers, state| {
                f64::run(Run::of(self.0, numbers, state));
            });
        });
    }
}

struct Run<'a, T, R, const S: usize> {
    step: R,
    /// The weight or the gradient, which the new weight overwrites.
    written: &'a mut [T],
    /// The other of the two.
    read: &'a [T],
    is_over_grad: bool,
    state: [&'a mut [T]; S],
}

impl<T: Wide, R: Step<S>, const S: usize> WithSimd for Run<'_, T, R, S> {
    type Output = ();

    /// Takes the step register by register. What does not fill a register is left.
    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        let (step, is_over_grad) = (self.step, self.is_over_grad);
        let (writes, _) = T::vectors_mut::<V>(self.written);
        let (reads, _) = T::vectors::<V>(self.read);
        let count = writes.len();
        let reads = &reads[..count];
        // Two loops would be as fast, and take twice as long to compile.
        let exchange = T::mask(simd, is_over_grad);
        let states = registers::<T, V, S>(self.state, count);
        for i in 0..count {
            let (weight, grad) = if T::EXCHANGES {
                T::exchanged(simd, exchange, writes[i], reads[i])
            } else {
                (T::load(simd, writes[i]), T::load(simd, reads[i]))
            };
            let state = load::<T, V, S>(simd, &states, i);
            let (new, now) = step.element(weight, grad, state);
            writes[i] = T::store(new);
            for k in 0..S {
                states[k][i] = T::store(now[k]);
            }
        }
    }
}

impl<'a, T: Wide, R: Step<S>, const S: usize> Run<'a, T, R, S> {
    fn of(step: R, numbers: Numbers<'a, T>, state: [&'a mut [T]; S]) -> Self {
        let (written, read, is_over_grad) = match numbers {
            Numbers::OverWeight(weight, grad) => (weight, grad, false),
            Numbers::OverGrad(weight, grad) => (grad, weight, true),
        };
        Self {
            step,
            written,
            read,
            is_over_grad,
            state,
        }
    }
}

// These are compiled for each number of tensors, but not for each step.

/// The slices, of which there are `S`.
fn array<'a, T, const S: usize>(state: &'a mut [&mut [T]]) -> [&'a mut [T]; S] {
    let mut state = state.iter_mut();
    from_fn(|_| &mut **state.next().expect("as many tensors as the step has"))
}

/// `count` full registers of each.
#[inline(always)]
fn registers<T: Wide, V: Simd, const S: usize>(
    state: [&mut [T]; S],
    count: usize,
) -> [&mut [T::Raw<V>]; S] {
    state.map(|all| &mut T::vectors_mut::<V>(all).0[..count])
}

/// The register at one place of each.
#[inline(always)]
fn load<T: Wide, V: Simd, const S: usize>(
    simd: V,
    states: &[&mut [T::Raw<V>]; S],
    at: usize,
) -> [T::Vector<V>; S] {
    from_fn(|k| T::load(simd, states[k][at]))
}

/// A number of numbers that fills whole registers.
const FULL: usize = 8;

/// What steps over numbers and their states.
type Steps<'a, T, const S: usize> = &'a mut dyn FnMut(Numbers<'_, T>, [&mut [T]; S]);

/// Gives `run` full registers: the numbers, and those at the end that fill none, with zeros behind them.
fn in_registers<T: Wide, const S: usize>(
    numbers: Numbers<'_, T>,
    state: [&mut [T]; S],
    run: Steps<'_, T, S>,
) {
    let len = numbers.len();
    let full = len - len % FULL;
    if len == full {
        return run(numbers, state);
    }
    let (numbers, mut rest) = numbers.split_at(full);
    let mut state_rest = [[T::ZERO; FULL]; S];
    let mut ends = [(); S].map(|()| Default::default());
    let mut k = 0;
    let state = state.map(|state| {
        let (state, end) = state.split_at_mut(full);
        ends[k] = end;
        k += 1;
        state
    });
    if full > 0 {
        run(numbers, state);
    }
    let ends: [&mut [T]; S] = ends;
    for (rest, end) in state_rest.iter_mut().zip(&ends) {
        rest[..end.len()].copy_from_slice(end);
    }
    let (mut weights, mut grads) = ([T::ZERO; FULL], [T::ZERO; FULL]);
    let (weight, grad) = rest.both();
    weights[..weight.len()].copy_from_slice(weight);
    grads[..grad.len()].copy_from_slice(grad);
    let states = state_rest.each_mut().map(|rest| &mut rest[..]);
    run(Numbers::OverWeight(&mut weights, &grads), states);
    let new = rest.written();
    new.copy_from_slice(&weights[..new.len()]);
    for (rest, end) in state_rest.iter().zip(ends) {
        end.copy_from_slice(&rest[..end.len()]);
    }
}

/// How many numbers are copied or widened at a time.
const BLOCK: usize = 256;

/// Gives `run` numbers of which the new weight overwrites the weight: a gradient that it is to overwrite is moved away
/// before.
fn over_weight<const S: usize>(
    numbers: Numbers<'_, f64>,
    mut state: [&mut [f64]; S],
    run: Steps<'_, f64, S>,
) {
    let (weight, grad) = match numbers {
        Numbers::OverWeight(..) => return run(numbers, state),
        Numbers::OverGrad(weight, grad) => (weight, grad),
    };
    let mut moved = [0.0; BLOCK];
    let blocks = weight.chunks(BLOCK).zip(grad.chunks_mut(BLOCK));
    for (at, (weight, grad)) in blocks.enumerate() {
        let (start, len) = (at * BLOCK, weight.len());
        moved[..len].copy_from_slice(grad);
        grad.copy_from_slice(weight);
        let state = (state.each_mut()).map(|state| &mut state[start..start + len]);
        run(Numbers::OverWeight(grad, &moved[..len]), state);
    }
}

/// Takes the step in `f64`.
fn in_f64<const S: usize>(
    step: &dyn StepLoop<f64>,
    mut numbers: Numbers<'_, f32>,
    mut state: [&mut [f32]; S],
) {
    let (mut weights, mut grads) = ([0.0; BLOCK], [0.0; BLOCK]);
    let mut states = [const { [0.0; BLOCK] }; S];
    for start in (0..numbers.len()).step_by(BLOCK) {
        let range = start..numbers.len().min(start + BLOCK);
        let len = range.len();
        let (weight, grad) = numbers.both();
        f64::widen(AnySlice::F32(&weight[range.clone()]), &mut weights[..len]);
        f64::widen(AnySlice::F32(&grad[range.clone()]), &mut grads[..len]);
        for (wide, state) in states.iter_mut().zip(&state) {
            f64::widen(AnySlice::F32(&state[range.clone()]), &mut wide[..len]);
        }
        let both = Numbers::OverWeight(&mut weights[..len], &grads[..len]);
        step.run(both, &mut states.each_mut().map(|wide| &mut wide[..len]));
        let new = &mut numbers.written()[range.clone()];
        f64::round_to(&weights[..len], AnySliceMut::F32(new));
        for (wide, state) in states.iter().zip(&mut state) {
            f64::round_to(&wide[..len], AnySliceMut::F32(&mut state[range.clone()]));
        }
    }
}
