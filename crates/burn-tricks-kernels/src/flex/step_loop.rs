//! The innermost loop, compiled for the processor that it runs on.

use super::any_slice::{AnySlice, AnySliceMut, Computed};
use super::lanes::{Four, Lanes, Two, ahead, groups, groups_mut};
use super::prefetch::prefetch;
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
    pub(super) fn both(&self) -> (&[T], &[T]) {
        match self {
            Self::OverWeight(weight, grad) => (weight, grad),
            Self::OverGrad(weight, grad) => (weight, grad),
        }
    }

    /// What the new weight overwrites.
    pub(super) fn written(&mut self) -> &mut [T] {
        match self {
            Self::OverWeight(written, _) | Self::OverGrad(_, written) => written,
        }
    }

    /// Takes the first `at` numbers off.
    pub(super) fn cut(&mut self, at: usize) -> Self {
        match self {
            Self::OverWeight(weight, grad) => {
                Self::OverWeight(first_mut(weight, at), first(grad, at))
            }
            Self::OverGrad(weight, grad) => Self::OverGrad(first(weight, at), first_mut(grad, at)),
        }
    }
}

/// Takes the first `at` numbers off.
pub(super) fn first<'a, T>(numbers: &mut &'a [T], at: usize) -> &'a [T] {
    numbers.split_off(..at).expect("so many are left")
}

/// Like [`first`], mutably.
pub(super) fn first_mut<'a, T>(numbers: &mut &'a mut [T], at: usize) -> &'a mut [T] {
    numbers.split_off_mut(..at).expect("so many are left")
}

/// A [`StepLoop`] over each type in which there is arithmetic.
pub(crate) trait Loops: StepLoop<f32> + StepLoop<f64> {}

impl<L: StepLoop<f32> + StepLoop<f64>> Loops for L {}

impl<T: Computed, R: Step<S>, const S: usize> StepLoop<T> for OfStep<R, S> {
    fn run(&self, numbers: Numbers<'_, T>, state: &mut [&mut [T]]) {
        let (step, state) = (
            self.0,
            state.try_into().expect("as many tensors as the step has"),
        );
        match numbers {
            Numbers::OverWeight(written, read) => T::run(Run::<_, _, S, false> {
                step,
                written,
                read,
                state,
            }),
            // Over `f64` there is no such loop: it would only take its time to compile.
            Numbers::OverGrad(read, written) if T::OVER_GRAD => T::run(Run::<_, _, S, true> {
                step,
                written,
                read,
                state,
            }),
            Numbers::OverGrad(..) => unreachable!("the gradient has been moved"),
        }
    }
}

struct Run<'a, 'b, T, R, const S: usize, const OVER_GRAD: bool> {
    step: R,
    /// What the new weight overwrites: the weight, or with `OVER_GRAD` the gradient.
    written: &'a mut [T],
    /// The other of the two.
    read: &'a [T],
    state: &'a mut [&'b mut [T]; S],
}

impl<T: Wide, R: Step<S>, const S: usize, const OVER_GRAD: bool> WithSimd
    for Run<'_, '_, T, R, S, OVER_GRAD>
{
    type Output = ();

    /// Takes the step register by register. What does not fill [`FULL`] numbers is left.
    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        // A step with a state needs the registers for it.
        if S == 0 {
            self.over::<V, Four, 4>(simd);
        } else {
            self.over::<V, Two, 2>(simd);
        }
    }
}

impl<T: Wide, R: Step<S>, const S: usize, const OVER_GRAD: bool> Run<'_, '_, T, R, S, OVER_GRAD> {
    #[inline(always)]
    fn over<V: Simd, L: Lanes<N>, const N: usize>(self, simd: V) {
        let writes = groups_mut::<T, V, N>(self.written);
        let count = writes.len();
        let reads = &groups::<T, V, N>(self.read)[..count];
        let states = groups_of_all::<T, V, N, S>(self.state, count);
        for i in 0..count {
            let later = i + ahead(N);
            if later < count {
                prefetch(&writes[later]);
                prefetch(&reads[later]);
                for state in &states {
                    prefetch(&state[later]);
                }
            }
            let written = L::load::<T, V>(simd, writes[i]);
            let read = L::load::<T, V>(simd, reads[i]);
            let (weight, grad) = if OVER_GRAD {
                (read, written)
            } else {
                (written, read)
            };
            let state = load_all::<T, V, L, N, S>(simd, &states, i, weight);
            let (new, now) = self.step.element(weight, grad, state);
            writes[i] = L::store::<T, V>(new);
            for k in 0..S {
                states[k][i] = L::store::<T, V>(now[k]);
            }
        }
    }
}

// Loops, since a `map` of an array is many functions for each closure and length.

const fn none<'a, T>() -> &'a mut [T] {
    &mut []
}

/// `count` groups of full registers of each.
#[inline(always)]
fn groups_of_all<'a, T: Wide, V: Simd, const N: usize, const S: usize>(
    state: &'a mut [&mut [T]; S],
    count: usize,
) -> [&'a mut [[T::Raw<V>; N]]; S] {
    let mut groups = [const { none() }; S];
    for (groups, all) in groups.iter_mut().zip(state) {
        *groups = &mut groups_mut::<T, V, N>(all)[..count];
    }
    groups
}

/// The registers at one place of each; `like` are any registers.
#[inline(always)]
fn load_all<T: Wide, V: Simd, L: Lanes<N>, const N: usize, const S: usize>(
    simd: V,
    states: &[&mut [[T::Raw<V>; N]]; S],
    at: usize,
    like: L::Vectors<T, V>,
) -> [L::Vectors<T, V>; S] {
    let mut here = [like; S];
    for (here, state) in here.iter_mut().zip(states) {
        *here = L::load::<T, V>(simd, state[at]);
    }
    here
}

/// A number of numbers that fills whole groups of registers.
const FULL: usize = 32;

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
    let mut rest = numbers;
    let numbers = rest.cut(full);
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
