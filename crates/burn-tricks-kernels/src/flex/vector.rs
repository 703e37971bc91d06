//! Registers full of numbers, as [`Real`]s.

use crate::real::Real;
use pulp::Simd;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// `f32` or `f64`, and its vector registers.
pub(super) trait Wide:
    bytemuck::Pod
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + PartialOrd
    + Send
    + Sync
{
    /// A register as stored in memory.
    type Raw<S: Simd>: Copy;
    /// A register to compute with.
    type Vector<S: Simd>: Real;

    /// Zero.
    const ZERO: Self;

    /// Whether there are loops of steps that write the new weights over the gradient.
    const OVER_GRAD: bool;

    /// As many full registers as possible, and the remaining numbers.
    fn vectors<S: Simd>(numbers: &[Self]) -> (&[Self::Raw<S>], &[Self]);

    /// Like [`vectors`](Self::vectors), mutably.
    fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> (&mut [Self::Raw<S>], &mut [Self]);

    fn load<S: Simd>(simd: S, raw: Self::Raw<S>) -> Self::Vector<S>;

    fn store<S: Simd>(vector: Self::Vector<S>) -> Self::Raw<S>;

    fn of(value: f64) -> Self;

    fn to_f64(self) -> f64;
}

macro_rules! vector {
    ($type:ident, $vector:ident, $over_grad:literal) => {
        pastey::paste! {
            #[derive(Clone, Copy)]
            pub(super) struct $vector<S: Simd> {
                simd: S,
                raw: S::[<$type s>],
            }

            impl Wide for $type {
                type Raw<S: Simd> = S::[<$type s>];
                type Vector<S: Simd> = $vector<S>;

                const ZERO: Self = 0.0;

                const OVER_GRAD: bool = $over_grad;

                #[inline(always)]
                fn vectors<S: Simd>(numbers: &[Self]) -> (&[Self::Raw<S>], &[Self]) {
                    S::[<as_simd_ $type s>](numbers)
                }

                #[inline(always)]
                fn vectors_mut<S: Simd>(
                    numbers: &mut [Self],
                ) -> (&mut [Self::Raw<S>], &mut [Self]) {
                    S::[<as_mut_simd_ $type s>](numbers)
                }

                #[inline(always)]
                fn load<S: Simd>(simd: S, raw: Self::Raw<S>) -> $vector<S> {
                    $vector { simd, raw }
                }

                #[inline(always)]
                fn store<S: Simd>(vector: $vector<S>) -> Self::Raw<S> {
                    vector.raw
                }

                #[inline(always)]
                #[allow(clippy::cast_possible_truncation)]
                fn of(value: f64) -> Self {
                    value as Self
                }

                #[inline(always)]
                fn to_f64(self) -> f64 {
                    f64::from(self)
                }
            }

            impl<S: Simd> Real for $vector<S> {
                #[inline(always)]
                fn of(self, constant: f64) -> Self {
                    let Self { simd, .. } = self;
                    let raw = simd.[<splat_ $type s>](<$type as Wide>::of(constant));
                    Self { simd, raw }
                }

                #[inline(always)]
                fn sqrt(self) -> Self {
                    let Self { simd, raw } = self;
                    Self { simd, raw: simd.[<sqrt_ $type s>](raw) }
                }

                #[inline(always)]
                fn abs(self) -> Self {
                    let Self { simd, raw } = self;
                    Self { simd, raw: simd.[<abs_ $type s>](raw) }
                }

                #[inline(always)]
                fn max(self, other: Self) -> Self {
                    let Self { simd, raw } = self;
                    let less = simd.[<less_than_ $type s>](raw, other.raw);
                    Self { simd, raw: simd.[<select_ $type s>](less, other.raw, raw) }
                }

                #[inline(always)]
                fn if_zero(self, then: Self, otherwise: Self) -> Self {
                    let Self { simd, raw } = self;
                    let zero = simd.[<equal_ $type s>](raw, self.of(0.0).raw);
                    Self { simd, raw: simd.[<select_ $type s>](zero, then.raw, otherwise.raw) }
                }

                #[inline(always)]
                fn if_equal(self, other: Self, then: Self, otherwise: Self) -> Self {
                    let Self { simd, raw } = self;
                    let equal = simd.[<equal_ $type s>](raw, other.raw);
                    Self { simd, raw: simd.[<select_ $type s>](equal, then.raw, otherwise.raw) }
                }

                #[inline(always)]
                fn if_negative(self, then: Self, otherwise: Self) -> Self {
                    let Self { simd, raw } = self;
                    let negative = simd.[<less_than_ $type s>](raw, self.of(0.0).raw);
                    Self { simd, raw: simd.[<select_ $type s>](negative, then.raw, otherwise.raw) }
                }
            }

            impl<S: Simd> Neg for $vector<S> {
                type Output = Self;

                #[inline(always)]
                fn neg(self) -> Self {
                    let Self { simd, raw } = self;
                    Self { simd, raw: simd.[<neg_ $type s>](raw) }
                }
            }

            vector!(@ $type, $vector, Add, add, Sub, sub, Mul, mul, Div, div);
        }
    };
    (@ $type:ident, $vector:ident, $($trait:ident, $name:ident),*) => {
        pastey::paste! {$(
            impl<S: Simd> $trait for $vector<S> {
                type Output = Self;

                #[inline(always)]
                fn $name(self, other: Self) -> Self {
                    let Self { simd, raw } = self;
                    Self { simd, raw: simd.[<$name _ $type s>](raw, other.raw) }
                }
            }

            impl<S: Simd> $trait<f64> for $vector<S> {
                type Output = Self;

                #[inline(always)]
                fn $name(self, constant: f64) -> Self {
                    $trait::$name(self, self.of(constant))
                }
            }
        )*}
    };
}
vector!(f32, F32s, true);
vector!(f64, F64s, false);
