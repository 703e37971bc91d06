//! Selection in linear time.

use super::FlexTensor;
use super::buffer::{close, from_numbers, numbers, open};
use super::element_type::{Stored, with_element_type};
use super::vector::Wide as _;
use burn::backend::DispatchTensor;
use burn::tensor::Shape;

/// The numbers at these positions of the sorted tensor, which must be one of this backend and long enough.
pub(crate) fn nth_smallest(tensor: DispatchTensor, positions: &[usize]) -> Vec<DispatchTensor> {
    let tensor = open(tensor);
    // In `f64`, which has every number of the other types, so that the selection is compiled once.
    let mut all: Vec<f64> = with_element_type!(tensor.dtype(), E => {
        numbers::<E>(&tensor).iter().map(|number| wide(*number)).collect()
    });
    let at = |position: &usize| {
        let (_, number, _) = all.select_nth_unstable_by(*position, f64::total_cmp);
        close(with_element_type!(tensor.dtype(), E => one::<E>(*number)))
    };
    positions.iter().map(at).collect()
}

fn wide<E: Stored>(number: E) -> f64 {
    let mut wide = [E::Wide::ZERO];
    E::load(&[number], &mut wide);
    wide[0].to_f64()
}

/// A tensor of one number, which its type has.
fn one<E: Stored>(number: f64) -> FlexTensor {
    let mut stored = vec![E::zeroed()];
    E::store(&[E::Wide::of(number)], &mut stored);
    from_numbers(stored, Shape::new([1]))
}
