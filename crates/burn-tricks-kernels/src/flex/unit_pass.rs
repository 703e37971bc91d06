//! A map over units from one tensor, or two, to a new tensor or in place.

use super::FlexTensor;
use super::any_slice::{AnySlice, AnySliceMut, zeros};
use super::buffer::dense;
use super::unit_map::MapLoops;
use super::units::Units;
use burn::backend::TensorMetadata as _;

/// A new tensor from `a`, with the coefficients of each unit.
pub(super) fn mapped<const K: usize>(
    units: Units,
    combine: &dyn MapLoops<K>,
    a: &FlexTensor,
    coefs: [Vec<f64>; K],
) -> FlexTensor {
    let mut new = zeros(a.dtype(), a.shape());
    let numbers = AnySlice::of(a);
    let out = AnySliceMut::of_new(&mut new);
    units.map(combine, out, Some(numbers), numbers, coefs);
    new
}

/// A tensor from `a` and `b`, in the buffer of `a` if nobody else holds it.
pub(super) fn combined<const K: usize>(
    units: Units,
    combine: &dyn MapLoops<K>,
    a: FlexTensor,
    b: &FlexTensor,
    coefs: [Vec<f64>; K],
) -> FlexTensor {
    let mut a = dense(a);
    let b = AnySlice::of(b);
    if let Some(numbers) = AnySliceMut::of(&mut a) {
        units.map(combine, numbers, None, b, coefs);
        return a;
    }
    let mut new = zeros(a.dtype(), a.shape());
    let out = AnySliceMut::of_new(&mut new);
    units.map(combine, out, Some(AnySlice::of(&a)), b, coefs);
    new
}
