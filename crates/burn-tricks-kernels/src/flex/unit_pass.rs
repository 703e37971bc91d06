//! A map over units from one tensor, or two, to a new tensor or in place.

use super::FlexTensor;
use super::buffer::{dense, from_numbers};
use super::element_type::Stored;
use super::unit_map::Combine;
use super::units::Units;
use burn::backend::TensorMetadata as _;

/// A new tensor from `a`, with the coefficients of each unit.
pub(super) fn mapped<E: Stored, F: Combine<K>, const K: usize>(
    units: Units,
    combine: F,
    a: &FlexTensor,
    coefs: &[Vec<E::Wide>; K],
) -> FlexTensor {
    let numbers = a.storage::<E>();
    let mut new = vec![E::zeroed(); numbers.len()];
    units.map(combine, &mut new, Some(numbers), numbers, coefs);
    from_numbers(new, a.shape())
}

/// A tensor from `a` and `b`, in the buffer of `a` if nobody else holds it.
pub(super) fn combined<E: Stored, F: Combine<K>, const K: usize>(
    units: Units,
    combine: F,
    a: FlexTensor,
    b: &FlexTensor,
    coefs: &[Vec<E::Wide>; K],
) -> FlexTensor {
    let mut a = dense(a);
    let b = b.storage::<E>();
    if let Some(numbers) = a.try_storage_mut::<E>() {
        units.map(combine, numbers, None, b, coefs);
        return a;
    }
    let mut new = vec![E::zeroed(); b.len()];
    units.map(combine, &mut new, Some(a.storage::<E>()), b, coefs);
    from_numbers(new, a.shape())
}
