//! Noise added in one pass.

use super::buffer::{close, dense, from_numbers, open};
use super::element_type::{Stored, with_element_type};
use super::gauss::normals;
use super::threads::{self, Threads};
use super::vector::Wide;
use super::vectorized::vectorized;
use super::{FlexTensor, GRAIN};
use crate::normal_keys::{Keys, uniform};
use burn::backend::{DispatchTensor, TensorMetadata as _};
use pulp::NullaryFnOnce;

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
    if let Some(alone) = first.get_mut(pairs..)
        && !alone.is_empty()
    {
        add(alone, &[pair(&keys, pairs as u32)[0]], sigma);
    }
    let pass = |(chunk, (first, second)): (usize, (&mut [E], &mut [E]))| {
        vectorized(AddPairs {
            start: chunk * PIECE,
            first,
            second,
            sigma,
            keys,
        });
    };
    let first = &mut first[..pairs];
    let threads = if pairs > PIECE {
        Threads::All
    } else {
        Threads::One
    };
    let chunks = first.chunks_mut(PIECE).zip(second.chunks_mut(PIECE));
    threads::map_items(threads, chunks.enumerate().collect(), &pass);
}

/// How many pairs a thread takes at a time.
const PIECE: usize = GRAIN / 8;

/// How many pairs are made side by side.
const BLOCK: usize = 128;

/// Pairs from the place `start` on.
struct AddPairs<'a, E> {
    start: usize,
    first: &'a mut [E],
    second: &'a mut [E],
    sigma: f64,
    keys: Keys,
}

impl<E: Stored> NullaryFnOnce for AddPairs<'_, E> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut noise = [[0.0; BLOCK]; 2];
        let blocks = self
            .first
            .chunks_mut(BLOCK)
            .zip(self.second.chunks_mut(BLOCK));
        for (block, (first, second)) in blocks.enumerate() {
            let start = (self.start + block * BLOCK) as u32;
            let [one, other] = &mut noise;
            // In loops of their own, which the compiler turns into vector instructions.
            for (i, one) in one.iter_mut().enumerate() {
                *one = uniform(self.keys.radius, start.wrapping_add(i as u32));
            }
            for (i, other) in other.iter_mut().enumerate() {
                *other = uniform(self.keys.angle, start.wrapping_add(i as u32));
            }
            for (one, other) in one.iter_mut().zip(other) {
                [*one, *other] = normals(*one, *other);
            }
            add(first, &noise[0], self.sigma);
            add(second, &noise[1], self.sigma);
        }
    }
}

/// The two normal numbers for `place` and for the place half a tensor behind it.
#[inline(always)]
fn pair(keys: &Keys, place: u32) -> [f32; 2] {
    normals(uniform(keys.radius, place), uniform(keys.angle, place))
}

#[inline(always)]
fn add<E: Stored>(numbers: &mut [E], noise: &[f32], sigma: f64) {
    let mut block = [E::Wide::ZERO; BLOCK];
    let block = &mut block[..numbers.len()];
    E::load(numbers, block);
    let sigma = E::Wide::of(sigma);
    for (number, noise) in block.iter_mut().zip(noise) {
        *number = *number + E::Wide::of(f64::from(*noise)) * sigma;
    }
    E::store(block, numbers);
}
