//! The float types that tensors are stored in.

use crate::Real;
use burn::tensor::Element;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A type that weights are stored in, and how to calculate with it.
pub(super) trait Stored: Element + bytemuck::Pod {
    /// What the arithmetic is done in.
    type Real: Real + Element + bytemuck::Pod;

    /// The numbers themselves, if they are calculated with as they are.
    fn as_real(stored: &[Self]) -> Option<&[Self::Real]>;

    /// As [`as_real`](Self::as_real), to change.
    fn as_real_mut(stored: &mut [Self]) -> Option<&mut [Self::Real]>;

    /// Widens.
    fn load(stored: &[Self], into: &mut [Self::Real]);

    /// Rounds.
    fn store(numbers: &[Self::Real], into: &mut [Self]);
}

macro_rules! stored_as_is {
    ($($type:ty),*) => {$(
        impl Stored for $type {
            type Real = $type;

            fn as_real(stored: &[Self]) -> Option<&[Self]> {
                Some(stored)
            }

            fn as_real_mut(stored: &mut [Self]) -> Option<&mut [Self]> {
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
    ($($type:ty),*) => {$(
        impl Stored for $type {
            type Real = f32;

            fn as_real(_stored: &[Self]) -> Option<&[f32]> {
                None
            }

            fn as_real_mut(_stored: &mut [Self]) -> Option<&mut [f32]> {
                None
            }

            fn load(stored: &[Self], into: &mut [f32]) {
                stored.convert_to_f32_slice(into);
            }

            fn store(numbers: &[f32], into: &mut [Self]) {
                into.convert_from_f32_slice(numbers);
            }
        }
    )*};
}
stored_in_half!(f16, bf16);
