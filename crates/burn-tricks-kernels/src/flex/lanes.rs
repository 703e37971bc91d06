//! The innermost loop, compiled for the processor that it runs on.

use crate::{Real, Step};
use pulp::{Arch, NullaryFnOnce};
use std::array::from_fn;

/// Elements that are worked on together: four vector registers of `f32` with AVX2.
const LANES: usize = 32;

/// Takes the step on every element. All slices are of one length.
pub(super) fn run<T: Real, R: Step<S>, const S: usize>(
    step: R,
    weight: &mut [T],
    grad: &[T],
    state: [&mut [T]; S],
) {
    Arch::new().dispatch(Run {
        step,
        weight,
        grad,
        state,
    });
}

struct Run<'a, T, R, const S: usize> {
    step: R,
    weight: &'a mut [T],
    grad: &'a [T],
    state: [&'a mut [T]; S],
}

impl<T: Real, R: Step<S>, const S: usize> NullaryFnOnce for Run<'_, T, R, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            step,
            weight,
            grad,
            state,
        } = self;
        let (weights, weight_rest) = weight.as_chunks_mut::<LANES>();
        let (grads, grad_rest) = grad.as_chunks::<LANES>();
        let states = state.map(|state| state.as_chunks_mut::<LANES>());
        for (i, (weight, grad)) in weights.iter_mut().zip(grads).enumerate() {
            let mut state: [[T; LANES]; S] = from_fn(|s| states[s].0[i]);
            for lane in 0..LANES {
                let (new, now) = step.element(weight[lane], grad[lane], from_fn(|s| state[s][lane]));
                weight[lane] = new;
                for s in 0..S {
                    state[s][lane] = now[s];
                }
            }
            for s in 0..S {
                states[s].0[i] = state[s];
            }
        }
        for (i, (weight, grad)) in weight_rest.iter_mut().zip(grad_rest).enumerate() {
            let (new, now) = step.element(*weight, *grad, from_fn(|s| states[s].1[i]));
            *weight = new;
            for s in 0..S {
                states[s].1[i] = now[s];
            }
        }
    }
}
