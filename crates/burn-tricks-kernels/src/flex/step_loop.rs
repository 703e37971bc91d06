//! The innermost loop, compiled for the processor that it runs on.

use super::vector::Wide;
use crate::element_step::ElementStep;
use pulp::{Arch, Scalar, Simd, WithSimd};
use std::array::from_fn;

/// Takes the step on every element, in the weight's own buffer. All slices are of one length.
pub(super) fn run<T: Wide, R: ElementStep<N>, const N: usize>(
    step: R,
    weight: &mut [T],
    grad: &[T],
    state: [&mut [T]; N],
) {
    Arch::new().dispatch(Run::<_, _, N, false> {
        step,
        written: weight,
        read: grad,
        state,
    });
}

/// Like [`run`], with the new weight in the gradient's buffer.
pub(super) fn run_over_grad<T: Wide, R: ElementStep<N>, const N: usize>(
    step: R,
    weight: &[T],
    grad: &mut [T],
    state: [&mut [T]; N],
) {
    Arch::new().dispatch(Run::<_, _, N, true> {
        step,
        written: grad,
        read: weight,
        state,
    });
}

struct Run<'a, T, R, const N: usize, const OVER_GRAD: bool> {
    step: R,
    /// The weight or the gradient, which the new weight overwrites.
    written: &'a mut [T],
    /// The other of the two.
    read: &'a [T],
    state: [&'a mut [T]; N],
}

impl<T, R, const N: usize, const OVER_GRAD: bool> WithSimd for Run<'_, T, R, N, OVER_GRAD>
where
    T: Wide,
    R: ElementStep<N>,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rest = self.full_registers(simd);
        rest.full_registers(Scalar); // of one number each
    }
}

impl<'a, T, R, const N: usize, const OVER_GRAD: bool> Run<'a, T, R, N, OVER_GRAD>
where
    T: Wide,
    R: ElementStep<N>,
{
    /// Takes the step register by register, and returns the numbers that do not fill a register.
    #[inline(always)]
    fn full_registers<S: Simd>(self, simd: S) -> Self {
        let step = self.step;
        let (writes, written) = T::vectors_mut::<S>(self.written);
        let (reads, read) = T::vectors::<S>(self.read);
        let mut state: [&'a mut [T]; N] = from_fn(|_| Default::default());
        let mut k = 0;
        let states = self.state.map(|all| {
            let (vectors, rest) = T::vectors_mut::<S>(all);
            state[k] = rest;
            k += 1;
            vectors
        });
        let count = writes.len();
        let reads = &reads[..count];
        let states = states.map(|state| &mut state[..count]);
        for i in 0..count {
            let (written, read) = (T::load(simd, writes[i]), T::load(simd, reads[i]));
            let (weight, grad) = if OVER_GRAD {
                (read, written)
            } else {
                (written, read)
            };
            let state = from_fn(|k| T::load(simd, states[k][i]));
            let (new, now) = step.element(weight, grad, state);
            writes[i] = T::store(new);
            for k in 0..N {
                states[k][i] = T::store(now[k]);
            }
        }
        Self {
            step,
            written,
            read,
            state,
        }
    }
}
