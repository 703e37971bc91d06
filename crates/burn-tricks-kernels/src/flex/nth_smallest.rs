//! Selection in linear time.

use super::buffer::{close, from_numbers, numbers, open};
use super::element_type::{Stored, with_element_type};
use super::vector::Wide as _;
use burn::backend::DispatchTensor;
use burn::tensor::Shape;

/// The numbers at these positions of the sorted tensor, which must be one of this backend and long enough.
pub(crate) fn nth_smallest<const N: usize>(
    tensor: DispatchTensor,
    positions: [usize; N],
) -> [DispatchTensor; N] {
    let tensor = open(tensor);
    with_element_type!(tensor.dtype(), E => {
        let mut all = numbers::<E>(&tensor).into_owned();
        positions.map(|position| {
            let (_, number, _) =
                all.select_nth_unstable_by(position, |a, b| wide(*a).total_cmp(&wide(*b)));
            close(from_numbers(vec![*number], Shape::new([1])))
        })
    })
}

fn wide<E: Stored>(number: E) -> f64 {
    let mut wide = [E::Wide::ZERO];
    E::load(&[number], &mut wide);
    wide[0].to_f64()
}
