//! The numbers with which the arithmetic of an element is written.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number of type `f32` or `f64`, or as many such numbers as a register of the processor holds.
///
/// [`Step::element`](crate::Step::element) is written once for all of these. As with Burn's tensors, `x * 0.5`
/// multiplies by a constant, which is rounded to the type first. Code cannot branch on values: use
/// [`if_zero`](Real::if_zero), [`if_equal`](Real::if_equal) and [`if_negative`](Real::if_negative) to select.
pub trait Real:
    Copy
    + Add<Output = Self>
    + Add<f64, Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Mul<f64, Output = Self>
    + Div<Output = Self>
    + Div<f64, Output = Self>
    + Neg<Output = Self>
{
    /// The constant, in this type.
    fn of(self, constant: f64) -> Self;

    /// √x
    fn sqrt(self) -> Self;

    /// |x|
    fn abs(self) -> Self;

    /// The larger of both, and `self` if `other` is NaN.
    fn max(self, other: Self) -> Self;

    /// `then` where this number is 0, else `otherwise`.
    fn if_zero(self, then: Self, otherwise: Self) -> Self;

    /// `then` where this number equals `other`, else `otherwise`.
    fn if_equal(self, other: Self, then: Self, otherwise: Self) -> Self;

    /// `then` where this number is less than 0, else `otherwise`.
    fn if_negative(self, then: Self, otherwise: Self) -> Self;
}
