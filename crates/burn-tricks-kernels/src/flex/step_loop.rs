//! The innermost loop, compiled for the processor that it runs on.

use super::vector::Wide;
use crate::step::{OfStep, Step};
use pulp::{Arch, Scalar, Simd, WithSimd};
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

/// A [`StepLoop`] over each type in which there is arithmetic.
pub(crate) trait Loops: StepLoop<f32> + StepLoop<f64> {}

impl<L: StepLoop<f32> + StepLoop<f64>> Loops for L {}

impl<T: Wide, R: Step<S>, const S: usize> StepLoop<T> for OfStep<R, S> {
    fn run(&self, numbers: Numbers<'_, T>, state: &mut [&mut [T]]) {
        one_by_one(Arch::new().dispatch(Run::of(self.0, numbers, state)));
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
    /// What does not fill a register: all, on a processor without vector instructions that we use.
    type Output = Self;

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) -> Self {
        if V::IS_SCALAR {
            return self;
        }
        self.full_registers(simd)
    }
}

/// The loop over single numbers, compiled once for each step and type.
#[inline(never)]
fn one_by_one<T: Wide, R: Step<S>, const S: usize>(run: Run<'_, T, R, S>) {
    run.full_registers(Scalar); // of one number each
}

impl<'a, T: Wide, R: Step<S>, const S: usize> Run<'a, T, R, S> {
    fn of(step: R, numbers: Numbers<'a, T>, state: &'a mut [&mut [T]]) -> Self {
        let (written, read, is_over_grad) = match numbers {
            Numbers::OverWeight(weight, grad) => (weight, grad, false),
            Numbers::OverGrad(weight, grad) => (grad, weight, true),
        };
        Self {
            step,
            written,
            read,
            is_over_grad,
            state: array(state),
        }
    }

    /// Takes the step register by register, and returns the numbers that do not fill a register.
    #[inline(always)]
    fn full_registers<V: Simd>(self, simd: V) -> Self {
        let (step, is_over_grad) = (self.step, self.is_over_grad);
        let (writes, written) = T::vectors_mut::<V>(self.written);
        let (reads, read) = T::vectors::<V>(self.read);
        let count = writes.len();
        let reads = &reads[..count];
        // Two loops would be as fast, and take twice as long to compile.
        let exchange = T::mask(simd, is_over_grad);
        let (states, state) = registers::<T, V, S>(self.state, count);
        for i in 0..count {
            let (weight, grad) = T::exchanged(simd, exchange, writes[i], reads[i]);
            let state = load::<T, V, S>(simd, &states, i);
            let (new, now) = step.element(weight, grad, state);
            writes[i] = T::store(new);
            for k in 0..S {
                states[k][i] = T::store(now[k]);
            }
        }
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

/// `count` full registers of each, and the numbers that do not fill a register.
#[inline(always)]
#[allow(clippy::type_complexity)]
fn registers<T: Wide, V: Simd, const S: usize>(
    state: [&mut [T]; S],
    count: usize,
) -> ([&mut [T::Raw<V>]; S], [&mut [T]; S]) {
    let mut rest = [(); S].map(|()| Default::default());
    let mut k = 0;
    let vectors = state.map(|all| {
        let vectors;
        (vectors, rest[k]) = T::vectors_mut::<V>(all);
        k += 1;
        &mut vectors[..count]
    });
    (vectors, rest)
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
