//! The innermost loop, compiled for the processor that it runs on.

use super::vector::Wide;
use crate::Step;
use pulp::{Arch, Scalar, Simd, WithSimd};
use std::array::from_fn;

/// Takes the step on every element. All slices are of one length.
pub(super) fn run<T: Wide, R: Step<N>, const N: usize>(
    step: R,
    weight: &mut [T],
    grad: &[T],
    state: [&mut [T]; N],
) {
    Arch::new().dispatch(Run {
        step,
        weight,
        grad,
        state,
    });
}

struct Run<'a, T, R, const N: usize> {
    step: R,
    weight: &'a mut [T],
    grad: &'a [T],
    state: [&'a mut [T]; N],
}

impl<T: Wide, R: Step<N>, const N: usize> WithSimd for Run<'_, T, R, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rest = self.full_registers(simd);
        rest.full_registers(Scalar); // of one number each
    }
}

impl<'a, T: Wide, R: Step<N>, const N: usize> Run<'a, T, R, N> {
    /// Takes the step register by register, and gives back the numbers that do not fill one.
    #[inline(always)]
    fn full_registers<S: Simd>(self, simd: S) -> Self {
        let step = self.step;
        let (weights, weight) = T::vectors_mut::<S>(self.weight);
        let (grads, grad) = T::vectors::<S>(self.grad);
        let mut state: [&'a mut [T]; N] = from_fn(|_| Default::default());
        let mut k = 0;
        let states = self.state.map(|all| {
            let (vectors, rest) = T::vectors_mut::<S>(all);
            state[k] = rest;
            k += 1;
            vectors
        });
        let count = weights.len();
        let grads = &grads[..count];
        let states = states.map(|state| &mut state[..count]);
        for i in 0..count {
            let (new, now) = step.element(
                T::load(simd, weights[i]),
                T::load(simd, grads[i]),
                from_fn(|k| T::load(simd, states[k][i])),
            );
            weights[i] = T::store(new);
            for k in 0..N {
                states[k][i] = T::store(now[k]);
            }
        }
        Self {
            step,
            weight,
            grad,
            state,
        }
    }
}
