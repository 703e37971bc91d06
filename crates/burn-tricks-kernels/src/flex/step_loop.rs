//! The innermost loop, compiled for the processor that it runs on.

use super::vector::Wide;
use crate::element_step::ElementStep;
use pulp::{Arch, Scalar, Simd, WithSimd};
use std::array::from_fn;

/// A step as a loop over thousands of elements. It is called through a pointer, so that the code around it is not
/// compiled for every step.
pub(crate) trait StepLoop<T, const N: usize>: Sync {
    /// Takes the step on every element, in the weight's own buffer. All slices are of one length.
    fn run(&self, weight: &mut [T], grad: &[T], state: [&mut [T]; N]);

    /// Like [`run`](Self::run), with the new weight in the gradient's buffer.
    fn run_over_grad(&self, weight: &[T], grad: &mut [T], state: [&mut [T]; N]);
}

/// A [`StepLoop`] over each type in which there is arithmetic.
pub(crate) trait Loops<const N: usize>: StepLoop<f32, N> + StepLoop<f64, N> {}

impl<R: StepLoop<f32, N> + StepLoop<f64, N>, const N: usize> Loops<N> for R {}

impl<T: Wide, R: ElementStep<N>, const N: usize> StepLoop<T, N> for R {
    fn run(&self, weight: &mut [T], grad: &[T], state: [&mut [T]; N]) {
        let rest = Arch::new().dispatch(Run::<_, _, N, false> {
            step: *self,
            written: weight,
            read: grad,
            state,
        });
        one_by_one(rest);
    }

    fn run_over_grad(&self, weight: &[T], grad: &mut [T], state: [&mut [T]; N]) {
        let rest = Arch::new().dispatch(Run::<_, _, N, true> {
            step: *self,
            written: grad,
            read: weight,
            state,
        });
        over_grad_in_blocks(self, rest.read, rest.written, rest.state);
    }
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
    /// What does not fill a register: all, on a processor without vector instructions that we use.
    type Output = Self;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self {
        if S::IS_SCALAR {
            return self;
        }
        self.full_registers(simd)
    }
}

/// The loop over single numbers, compiled once for each step and type.
#[inline(never)]
fn one_by_one<T: Wide, R: ElementStep<N>, const N: usize>(run: Run<'_, T, R, N, false>) {
    run.full_registers(Scalar); // of one number each
}

/// How many weights are copied at a time.
const BLOCK: usize = 256;

/// [`StepLoop::run_over_grad`] with [`StepLoop::run`], for what does not fill a register.
fn over_grad_in_blocks<T: Wide, const N: usize>(
    step: &dyn StepLoop<T, N>,
    weight: &[T],
    grad: &mut [T],
    mut state: [&mut [T]; N],
) {
    if weight.is_empty() {
        return;
    }
    let mut block = [T::ZERO; BLOCK];
    for (weight, grad) in weight.chunks(BLOCK).zip(grad.chunks_mut(BLOCK)) {
        let block = &mut block[..weight.len()];
        block.copy_from_slice(weight);
        let of_block = state.each_mut().map(|state| {
            let of_block = state.split_off_mut(..block.len());
            of_block.expect("the state has as many numbers as the weight")
        });
        step.run(block, grad, of_block);
        grad.copy_from_slice(block);
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
        let count = writes.len();
        let reads = &reads[..count];
        let (states, state) = registers::<T, S, N>(self.state, count);
        for i in 0..count {
            let (written, read) = (T::load(simd, writes[i]), T::load(simd, reads[i]));
            let (weight, grad) = if OVER_GRAD {
                (read, written)
            } else {
                (written, read)
            };
            let state = load::<T, S, N>(simd, &states, i);
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

// These two are compiled for each number of tensors, but not for each step.

/// `count` full registers of each, and the numbers that do not fill a register.
#[inline(always)]
#[allow(clippy::type_complexity)]
fn registers<T: Wide, S: Simd, const N: usize>(
    state: [&mut [T]; N],
    count: usize,
) -> ([&mut [T::Raw<S>]; N], [&mut [T]; N]) {
    let mut rest = [(); N].map(|()| Default::default());
    let mut k = 0;
    let vectors = state.map(|all| {
        let vectors;
        (vectors, rest[k]) = T::vectors_mut::<S>(all);
        k += 1;
        &mut vectors[..count]
    });
    (vectors, rest)
}

/// The register at one place of each.
#[inline(always)]
fn load<T: Wide, S: Simd, const N: usize>(
    simd: S,
    states: &[&mut [T::Raw<S>]; N],
    at: usize,
) -> [T::Vector<S>; N] {
    from_fn(|k| T::load(simd, states[k][at]))
}
