//! The float types that tensors are stored in.

use super::bfloat;
use super::step_loop::Stepped;
use burn::tensor::{DType, Element};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// Whether there are kernels for numbers of this type: those that [`with_element_type`] knows.
pub(super) fn has_kernels(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
}

/// `with_element_type!(dtype, E => body)`: the body with the type `E` that a tensor of type `dtype` is stored
/// in. A type without [kernels](has_kernels) panics.
macro_rules! with_element_type {
    ($dtype:expr, $e:ident => $body:expr) => {
        with_element_type!(@ $dtype, $e, $body, F16: half::f16, BF16: half::bf16, F32: f32, F64: f64)
    };
    (@ $dtype:expr, $e:ident, $body:expr, $($name:ident: $type:ty),*) => {
        match $dtype {
            $(burn::tensor::DType::$name => {
                type $e = $type;
                $body
            })*
            other => panic!("no kernel calculates with numbers of type {other:?}"),
        }
    };
}
pub(super) use with_element_type;

/// A type in which weights are stored, and how to compute with it.
pub(super) trait Stored: Element + bytemuck::Pod {
    /// The type in which the arithmetic is done.
    type Wide: Stepped + Element;

    /// The stored numbers themselves, if the arithmetic uses their own type.
    fn as_wide(stored: &[Self]) -> Option<&[Self::Wide]>;

    /// Like [`as_wide`](Self::as_wide), mutably.
    fn as_wide_mut(stored: &mut [Self]) -> Option<&mut [Self::Wide]>;

    /// Converts stored numbers to the wide type.
    fn load(stored: &[Self], into: &mut [Self::Wide]);

    /// Rounds wide numbers to the stored type.
    fn store(numbers: &[Self::Wide], into: &mut [Self]);
}

macro_rules! stored_as_is {
    ($($type:ty),*) => {$(
        impl Stored for $type {
            type Wide = $type;

            fn as_wide(stored: &[Self]) -> Option<&[Self]> {
                Some(stored)
            }

            fn as_wide_mut(stored: &mut [Self]) -> Option<&mut [Self]> {
                Some(stored)
            }

            fn load(stored: &[Self], into: &mut [Self]) {
                into.copy_from_slice(stored);
            }

            fn store(numbers: &[Self], into: &mut [Self]) {
                into.copy_from_slice(numbers);
            }
        }
    )*};
}
stored_as_is!(f32, f64);

macro_rules! stored_in_half {
    ($($type:ty, $load:expr, $store:expr;)*) => {$(
        impl Stored for $type {
            type Wide = f32;

            fn as_wide(_stored: &[Self]) -> Option<&[f32]> {
                None
            }

            fn as_wide_mut(_stored: &mut [Self]) -> Option<&mut [f32]> {
                None
            }

            fn load(stored: &[Self], into: &mut [f32]) {
                $load(stored, into);
            }

            fn store(numbers: &[f32], into: &mut [Self]) {
                $store(numbers, into);
            }
        }
    )*};
}
stored_in_half! {
    f16, widen, round;
    bf16, bfloat::widen, bfloat::round;
}

/// Each of the numbers, widened. Not inlined, so that the code is not in every kernel.
#[inline(never)]
fn widen(from: &[f16], into: &mut [f32]) {
    from.convert_to_f32_slice(into);
}

/// The nearest to each of the numbers.
#[inline(never)]
fn round(from: &[f32], into: &mut [f16]) {
    into.convert_from_f32_slice(from);
}
