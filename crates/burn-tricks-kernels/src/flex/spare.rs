//! Buffers that are kept for the next use.
//!
//! An allocator returns a large buffer to the system when it is freed, and each page of the next one is then mapped anew,
//! which takes longer than the arithmetic on the numbers in it. Steps in half precision need such buffers for each weight.

use super::FlexTensor;
use super::buffer::{look, open};
use crate::any_tensor::AnyTensor;
use burn::tensor::DType;
use std::cell::RefCell;

/// How many buffers a thread keeps: for a weight and its gradient.
const MOST: usize = 2;

/// How many numbers a buffer that is kept has at least: 128 KB, from which on glibc at first asks the system. Smaller
/// ones, such as those of biases, would take the places of large ones.
const SMALLEST: usize = 1 << 15;

/// How many numbers a buffer that is kept may have: 16 MB.
const LARGEST: usize = 1 << 22;

thread_local! {
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer for so many numbers, to be overwritten.
pub(super) fn numbers(len: usize) -> Vec<f32> {
    let fits = |spare: &Vec<f32>| (len..=2 * len).contains(&spare.capacity());
    let spare = SPARE.with_borrow_mut(|spare| {
        let at = spare.iter().position(fits)?;
        Some(spare.swap_remove(at))
    });
    match spare {
        Some(mut numbers) => {
            numbers.resize(len, 0.0);
            numbers
        }
        None => vec![0.0; len],
    }
}

/// Keeps the buffer of a tensor of `f32` that nobody else holds, if it is worth keeping; the last two are kept.
pub(crate) fn keep(tensor: AnyTensor) {
    let is_spare = |buffer: &FlexTensor| {
        buffer.dtype() == DType::F32
            && buffer.is_unique()
            && (SMALLEST..=LARGEST).contains(&buffer.layout().num_elements())
    };
    if !look(&tensor.0).is_some_and(is_spare) {
        return;
    }
    let Ok(numbers) = open(tensor.open()).into_data().try_into_vec::<f32>() else {
        return;
    };
    SPARE.with_borrow_mut(|spare| {
        if spare.len() == MOST {
            spare.remove(0);
        }
        spare.push(numbers);
    });
}
