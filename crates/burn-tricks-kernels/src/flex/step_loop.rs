//! The innermost loop, compiled for the processor that it runs on.

use super::any_slice::{AnySlice, AnySliceMut, Computed};
use super::vector::Wide;
use super::vectorized::has_vectors;
use crate::step::{OfStep, Step};
use pulp::{Simd, WithSimd};

/// A step as a loop over full registers. It is called through a pointer, so that the code around it is not compiled for
/// every step.
pub(crate) trait StepLoop<T>: Sync {
    /// Takes the step on every element, with the new state in the buffers of the old. All slices are of one length, a
    /// multiple of [`FULL`].
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

impl<T: Computed, R: Step<S>, const S: usize> StepLoop<T> for OfStep<R, S> {
    fn run(&self, numbers: Numbers<'_, T>, state: &mut [&mut [T]]) {
        let (written, read, is_over_grad) = match numbers {
            Numbers::OverWeight(weight, grad) => (weight, grad, false),
            Numbers::OverGrad(weight, grad) => (grad, weight, true),
        };
        T::run(Run {
            step: self.0,
            written,
            read,
            is_over_grad,
            state: state.try_into().expect("as many tensors as the step has"),
        });
    }
}

struct Run<'a, 'b, T, R, const S: usize> {
    step: R,
    /// The weight or the gradient, which the new weight overwrites.
    written: &'a mut [T],
    /// The other of the two.
    read: &'a [T],
    is_over_grad: bool,
    state: &'a mut [&'b mut [T]; S],
}

impl<T: Wide, R: Step<S>, const S: usize> WithSimd for Run<'_, '_, T, R, S> {
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
            let state = load::<T, V, S>(simd, &states, i, weight);
            let (new, now) = step.element(weight, grad, state);
            writes[i] = T::store(new);
            for k in 0..S {
                states[k][i] = T::store(now[k]);
            }
        }
    }
}

// Loops, since a `map` of an array is many functions for each closure and length.

const fn none<'a, T>() -> &'a mut [T] {
    &mut []
}

/// `count` full registers of each.
#[inline(always)]
fn registers<'a, T: Wide, V: Simd, const S: usize>(
    state: &'a mut [&mut [T]; S],
    count: usize,
) -> [&'a mut [T::Raw<V>]; S] {
    let mut registers = [const { none() }; S];
    for (registers, all) in registers.iter_mut().zip(state) {
        *registers = &mut T::vectors_mut::<V>(all).0[..count];
    }
    registers
}

/// The register at one place of each; `like` is any register.
#[inline(always)]
fn load<T: Wide, V: Simd, const S: usize>(
    simd: V,
    states: &[&mut [T::Raw<V>]; S],
    at: usize,
    like: T::Vector<V>,
) -> [T::Vector<V>; S] {
    let mut here = [like; S];
    for (here, state) in here.iter_mut().zip(states) {
        *here = T::load(simd, state[at]);
    }
    here
}

/// A number of numbers that fills whole registers.
const FULL: usize = 8;

/// A type in which steps are taken.
pub(super) trait Stepped: Wide {
    /// Takes the step on every element, with the new state in the buffers of the old. All slices are of one length.
    fn step(step: &dyn Loops, numbers: Numbers<'_, Self>, state: &mut [&mut [Self]]);
}

impl Stepped for f32 {
    fn step(step: &dyn Loops, numbers: Numbers<'_, Self>, state: &mut [&mut [Self]]) {
        if has_vectors() {
            in_registers::<f32>(step, numbers, state);
        } else {
            in_f64(step, numbers, state);
        }
    }
}

impl Stepped for f64 {
    fn step(step: &dyn Loops, numbers: Numbers<'_, Self>, state: &mut [&mut [Self]]) {
        over_weight(step, numbers, state);
    }
}

/// Takes the step on full registers: the numbers, and those at the end that fill none, with zeros behind them.
fn in_registers<T: Wide>(step: &dyn StepLoop<T>, numbers: Numbers<'_, T>, state: &mut [&mut [T]]) {
    let len = numbers.len();
    let full = len - len % FULL;
    if len == full {
        return step.run(numbers, state);
    }
    let (numbers, mut rest) = numbers.split_at(full);
    let mut ends = Vec::with_capacity(state.len());
    let mut fulls = Vec::with_capacity(state.len());
    for state in state {
        let (numbers, end) = state.split_at_mut(full);
        fulls.push(numbers);
        ends.push(end);
    }
    if full > 0 {
        step.run(numbers, &mut fulls);
    }
    let (mut weights, mut grads) = ([T::ZERO; FULL], [T::ZERO; FULL]);
    let (weight, grad) = rest.both();
    weights[..weight.len()].copy_from_slice(weight);
    grads[..grad.len()].copy_from_slice(grad);
    let mut padded = vec![[T::ZERO; FULL]; ends.len()];
    fulls.clear();
    for (padded, end) in padded.iter_mut().zip(&ends) {
        padded[..end.len()].copy_from_slice(end);
        fulls.push(padded);
    }
    step.run(Numbers::OverWeight(&mut weights, &grads), &mut fulls);
    let new = rest.written();
    new.copy_from_slice(&weights[..new.len()]);
    for (padded, end) in padded.iter().zip(ends) {
        end.copy_from_slice(&padded[..end.len()]);
    }
}

/// How many numbers are copied or widened at a time.
const BLOCK: usize = 256;

/// Takes the step with the new weight in place of the weight: a gradient that it is to overwrite is moved away before.
fn over_weight(step: &dyn StepLoop<f64>, numbers: Numbers<'_, f64>, state: &mut [&mut [f64]]) {
    let (weight, grad) = match numbers {
        Numbers::OverWeight(..) => return in_registers(step, numbers, state),
        Numbers::OverGrad(weight, grad) => (weight, grad),
    };
    let mut moved = [0.0; BLOCK];
    for start in (0..weight.len()).step_by(BLOCK) {
        let range = start..weight.len().min(start + BLOCK);
        let (weight, grad) = (&weight[range.clone()], &mut grad[range.clone()]);
        let moved = &mut moved[..grad.len()];
        moved.copy_from_slice(grad);
        grad.copy_from_slice(weight);
        let mut here = Vec::with_capacity(state.len());
        for state in &mut *state {
            here.push(&mut state[range.clone()]);
        }
        in_registers(step, Numbers::OverWeight(grad, moved), &mut here);
    }
}

/// Takes the step in `f64`.
fn in_f64(step: &dyn StepLoop<f64>, mut numbers: Numbers<'_, f32>, state: &mut [&mut [f32]]) {
    let (mut weights, mut grads) = ([0.0; BLOCK], [0.0; BLOCK]);
    let mut states = vec![[0.0; BLOCK]; state.len()];
    for start in (0..numbers.len()).step_by(BLOCK) {
        let range = start..numbers.len().min(start + BLOCK);
        let len = range.len();
        let (weight, grad) = numbers.both();
        f64::widen(AnySlice::F32(&weight[range.clone()]), &mut weights[..len]);
        f64::widen(AnySlice::F32(&grad[range.clone()]), &mut grads[..len]);
        for (wide, state) in states.iter_mut().zip(&*state) {
            f64::widen(AnySlice::F32(&state[range.clone()]), &mut wide[..len]);
        }
        let both = Numbers::OverWeight(&mut weights[..len], &grads[..len]);
        let mut wide = Vec::with_capacity(states.len());
        for states in &mut states {
            wide.push(&mut states[..len]);
        }
        in_registers(step, both, &mut wide);
        let new = &mut numbers.written()[range.clone()];
        f64::round_to(&weights[..len], AnySliceMut::F32(new));
        for (wide, state) in states.iter().zip(&mut *state) {
            f64::round_to(&wide[..len], AnySliceMut::F32(&mut state[range.clone()]));
        }
    }
}
