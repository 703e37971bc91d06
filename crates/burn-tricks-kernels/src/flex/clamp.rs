//! Numbers of bounded magnitude.

use super::map::{Change, map};
use crate::real::Real;
use burn::backend::DispatchTensor;

/// `x` in `[−bound, bound]`. The tensor must be one of this backend.
pub(crate) fn clamp(tensor: DispatchTensor, bound: f64) -> DispatchTensor {
    map(tensor, Clamp { bound })
}

#[derive(Clone, Copy)]
struct Clamp {
    bound: f64,
}

impl Change for Clamp {
    #[inline(always)]
    fn changed<T: Real>(self, number: T) -> T {
        // Of both, `max` keeps its left side where that is NaN.
        let low = number.of(-self.bound);
        -(-number.max(low)).max(low)
    }
}
