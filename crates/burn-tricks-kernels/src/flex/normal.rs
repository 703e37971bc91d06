//! Noise added in one pass.

use super::GRAIN;
use super::any_slice::{AnySliceMut, Computed, copied};
use super::buffer::{close, dense, open};
use super::gauss::normals;
use super::threads::{self, Threads};
use super::vectorized::vectorized;
use crate::normal_keys::{Keys, uniform};
use burn::backend::DispatchTensor;
use pulp::NullaryFnOnce;

/// `x + σ z`. The tensor must be one of this backend.
pub(crate) fn add_normal(tensor: DispatchTensor, sigma: f64, key: u64) -> DispatchTensor {
    let mut tensor = dense(open(tensor));
    let keys = Keys::new(key);
    if let Some(numbers) = AnySliceMut::of(&mut tensor) {
        add_all(numbers, sigma, keys);
        return close(tensor);
    }
    let mut new = copied(&tensor);
    add_all(AnySliceMut::of_new(&mut new), sigma, keys);
    close(new)
}

/// Adds noise at each place together with the place half a tensor behind it.
fn add_all(mut second: AnySliceMut<'_>, sigma: f64, keys: Keys) {
    let pairs = second.len() / 2;
    let mut first = second.take(second.len().div_ceil(2));
    if first.len() > pairs {
        let noise = [pair(&keys, pairs as u32)[0]];
        add_some(first.part(pairs..pairs + 1), &noise, sigma);
    }
    let threads = if pairs > PIECE {
        Threads::All
    } else {
        Threads::One
    };
    let starts = (0..pairs).step_by(PIECE);
    let pieces = starts.map(|start| {
        let len = PIECE.min(pairs - start);
        (start, first.take(len), second.take(len))
    });
    threads::map_items(threads, pieces.collect(), &|(start, first, second)| {
        vectorized(AddPairs {
            start,
            first,
            second,
            sigma,
            keys,
        });
    });
}

/// How many pairs a thread takes at a time.
const PIECE: usize = GRAIN / 8;

/// How many pairs are made side by side.
const BLOCK: usize = 128;

/// Pairs from the place `start` on.
struct AddPairs<'a> {
    start: usize,
    first: AnySliceMut<'a>,
    second: AnySliceMut<'a>,
    sigma: f64,
    keys: Keys,
}

impl NullaryFnOnce for AddPairs<'_> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let mut noise = [[0.0; BLOCK]; 2];
        for at in (0..self.first.len()).step_by(BLOCK) {
            let start = (self.start + at) as u32;
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
            let range = at..self.first.len().min(at + BLOCK);
            add_some(self.first.part(range.clone()), &noise[0], self.sigma);
            add_some(self.second.part(range), &noise[1], self.sigma);
        }
    }
}

/// The two normal numbers for `place` and for the place half a tensor behind it.
#[inline(always)]
fn pair(keys: &Keys, place: u32) -> [f32; 2] {
    normals(uniform(keys.radius, place), uniform(keys.angle, place))
}

/// Adds noise to at most a block of numbers.
#[inline(always)]
fn add_some(numbers: AnySliceMut<'_>, noise: &[f32], sigma: f64) {
    match numbers {
        AnySliceMut::F64(_) => add::<f64>(numbers, noise, sigma),
        _ => add::<f32>(numbers, noise, sigma),
    }
}

#[inline(always)]
fn add<T: Computed>(mut numbers: AnySliceMut<'_>, noise: &[f32], sigma: f64) {
    let mut block = [T::ZERO; BLOCK];
    let block = &mut block[..numbers.len()];
    T::widen(numbers.as_ref(), block);
    let sigma = T::of(sigma);
    for (number, noise) in block.iter_mut().zip(noise) {
        *number = *number + T::of(f64::from(*noise)) * sigma;
    }
    let len = block.len();
    T::round_to(block, numbers.part(0..len));
}
