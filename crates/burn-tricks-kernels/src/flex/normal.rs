//! Noise added in one pass.

use super::buffer::{close, dense, from_numbers, open};
use super::element_type::{Stored, with_element_type};
use super::vector::Wide;
use super::{FlexTensor, GRAIN};
use crate::normal_keys::Keys;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use rayon::prelude::*;

/// `x + σ z`. The tensor must be one of this backend.
pub(crate) fn add_normal(tensor: DispatchTensor, sigma: f64, key: u64) -> DispatchTensor {
    let tensor = open(tensor);
    let keys = Keys::new(key);
    close(with_element_type!(tensor.dtype(), E => added::<E>(tensor, sigma, keys)))
}

fn added<E: Stored>(tensor: FlexTensor, sigma: f64, keys: Keys) -> FlexTensor {
    let mut tensor = dense(tensor);
    if let Some(numbers) = tensor.try_storage_mut::<E>() {
        add_all(numbers, sigma, keys);
        return tensor;
    }
    let shape = tensor.shape();
    let mut new = tensor.storage::<E>().to_vec();
    add_all(&mut new, sigma, keys);
    from_numbers(new, shape)
}

/// Adds noise at each place together with the place half a tensor behind it.
fn add_all<E: Stored>(numbers: &mut [E], sigma: f64, keys: Keys) {
    let pairs = numbers.len() / 2;
    let (first, second) = numbers.split_at_mut(numbers.len().div_ceil(2));
    if let Some(alone) = first.get_mut(pairs) {
        add(alone, keys.pair(pairs as u32).0, sigma);
    }
    let firsts = first[..pairs].par_chunks_mut(GRAIN).enumerate();
    let chunks = firsts.zip(second.par_chunks_mut(GRAIN));
    chunks.for_each(|((chunk, first), second)| {
        for (i, (one, other)) in first.iter_mut().zip(second).enumerate() {
            let (z, w) = keys.pair((chunk * GRAIN + i) as u32);
            add(one, z, sigma);
            add(other, w, sigma);
        }
    });
}

fn add<E: Stored>(number: &mut E, noise: f32, sigma: f64) {
    let mut wide = [E::Wide::ZERO];
    E::load(std::slice::from_ref(number), &mut wide);
    wide[0] = E::Wide::of(wide[0].to_f64() + f64::from(noise) * sigma);
    E::store(&wide, std::slice::from_mut(number));
}
