//! What the loop over the elements of a tensor does with each element.

use crate::real::Real;

/// The part of a [`Step`](crate::step::Step) that the CPU backend's loop calls.
pub(crate) trait ElementStep<const S: usize>: Copy + Send + Sync {
    /// The new weight and state of one element; marked `#[inline(always)]`.
    fn element<T: Real>(self, weight: T, grad: T, state: [T; S]) -> (T, [T; S]);
}
