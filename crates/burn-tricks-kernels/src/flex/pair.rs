//! Two registers that a loop works on together.

use crate::real::Real;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Two registers, or two pairs.
#[derive(Clone, Copy)]
pub(super) struct Pair<R>(pub(super) R, pub(super) R);

impl<R: Real> Real for Pair<R> {
    #[inline(always)]
    fn of(self, constant: f64) -> Self {
        Self(self.0.of(constant), self.1.of(constant))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.sqrt(), self.1.sqrt())
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs(), self.1.abs())
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0), self.1.max(other.1))
    }

    #[inline(always)]
    fn if_zero(self, then: Self, otherwise: Self) -> Self {
        Self(
            self.0.if_zero(then.0, otherwise.0),
            self.1.if_zero(then.1, otherwise.1),
        )
    }

    #[inline(always)]
    fn if_equal(self, other: Self, then: Self, otherwise: Self) -> Self {
        Self(
            self.0.if_equal(other.0, then.0, otherwise.0),
            self.1.if_equal(other.1, then.1, otherwise.1),
        )
    }

    #[inline(always)]
    fn if_negative(self, then: Self, otherwise: Self) -> Self {
        Self(
            self.0.if_negative(then.0, otherwise.0),
            self.1.if_negative(then.1, otherwise.1),
        )
    }
}

impl<R: Real> Neg for Pair<R> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0, -self.1)
    }
}

macro_rules! operators {
    ($($trait:ident, $name:ident);*) => {$(
        impl<R: Real> $trait for Pair<R> {
            type Output = Self;

            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Self($trait::$name(self.0, other.0), $trait::$name(self.1, other.1))
            }
        }
    )*};
}
operators!(Add, add; Sub, sub; Mul, mul; Div, div);

macro_rules! by_constant {
    ($($trait:ident, $name:ident);*) => {$(
        impl<R: Real> $trait<f64> for Pair<R> {
            type Output = Self;

            #[inline(always)]
            fn $name(self, constant: f64) -> Self {
                Self($trait::$name(self.0, constant), $trait::$name(self.1, constant))
            }
        }
    )*};
}
by_constant!(Add, add; Mul, mul; Div, div);
