//! Multiplication by a number.

use super::map::{Change, map};
use crate::real::Real;
use crate::special_factor::SpecialFactor;
use burn::backend::DispatchTensor;

/// `factor · x`. The tensor must be one of this backend.
pub(crate) fn scale(tensor: DispatchTensor, factor: f64, special: SpecialFactor) -> DispatchTensor {
    map(tensor, Times { factor, special })
}

#[derive(Clone, Copy)]
struct Times {
    factor: f64,
    special: SpecialFactor,
}

impl Change for Times {
    #[inline(always)]
    fn changed<T: Real>(self, number: T) -> T {
        number * self.factor
    }

    fn constant(self) -> Option<f64> {
        (self.special == SpecialFactor::ZeroErases && self.factor == 0.0).then_some(0.0)
    }
}
