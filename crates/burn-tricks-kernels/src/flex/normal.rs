//! Noise added in one pass.

use super::GRAIN;
use super::any_slice::{AnySliceMut, Computed, copied};
use super::buffer::{close, dense, open};
use super::gauss::normals_of;
use super::philox::{self, GROUP};
use super::threads::Threads;
use super::vectorized::vectorized;
use crate::any_tensor::AnyTensor;
use pulp::NullaryFnOnce;

/// `x + σ z`. The tensor must be one of this backend.
pub(crate) fn add_normal(tensor: AnyTensor, sigma: f64, key: u64) -> AnyTensor {
    let mut tensor = dense(open(tensor.open()));
    if let Some(numbers) = AnySliceMut::of(&mut tensor) {
        add_all(numbers, sigma, key);
        return AnyTensor::new(close(tensor));
    }
    let mut new = copied(&tensor);
    add_all(AnySliceMut::of_new(&mut new), sigma, key);
    AnyTensor::new(close(new))
}

fn add_all(numbers: AnySliceMut<'_>, sigma: f64, key: u64) {
    let threads = if numbers.len() > PIECE {
        Threads::All
    } else {
        Threads::One
    };
    numbers.for_each_chunk(threads, PIECE, &|piece, numbers| {
        let first = (piece * (PIECE / GROUP)) as u64;
        vectorized(Add {
            numbers,
            sigma,
            key,
            first,
        });
    });
}

/// How many numbers a thread takes at a time: whole groups of random numbers.
const PIECE: usize = GRAIN / 4;

/// Noise for numbers that begin with the group `first` of the stream.
struct Add<'a> {
    numbers: AnySliceMut<'a>,
    sigma: f64,
    key: u64,
    first: u64,
}

impl NullaryFnOnce for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let (mut bits, mut noise) = ([0; GROUP], [0.0; GROUP]);
        for (group, start) in (self.first..).zip((0..self.numbers.len()).step_by(GROUP)) {
            philox::fill(self.key, group, &mut bits);
            normals_of(&bits, &mut noise, |z| z);
            let range = start..self.numbers.len().min(start + GROUP);
            let numbers = self.numbers.part(range);
            match numbers {
                AnySliceMut::F64(_) => add::<f64>(numbers, &noise, self.sigma),
                _ => add::<f32>(numbers, &noise, self.sigma),
            }
        }
    }
}

/// Adds noise to at most a group of numbers.
#[inline(always)]
fn add<T: Computed>(mut numbers: AnySliceMut<'_>, noise: &[f32], sigma: f64) {
    let mut block = [T::ZERO; GROUP];
    let block = &mut block[..numbers.len()];
    T::widen(numbers.as_ref(), block);
    let sigma = T::of(sigma);
    for (number, noise) in block.iter_mut().zip(noise) {
        *number = *number + T::of(f64::from(*noise)) * sigma;
    }
    let len = block.len();
    T::round_to(block, numbers.part(0..len));
}
