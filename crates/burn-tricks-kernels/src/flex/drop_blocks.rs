//! Blocks that are dropped: the places where they begin from random numbers, and one pass over the tensor.

use super::FlexTensor;
use super::GRAIN;
use super::any_slice::{AnySliceMut, Computed, copied};
use super::buffer::dense;
use super::noise::draw_key;
use super::philox::{self, GROUP};
use super::threads::{self, Threads};
use super::tracked::{self, Operation};
use super::vector::Wide as _;
use super::vectorized::vectorized;
use crate::drop_blocks::Blocks;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use pulp::NullaryFnOnce;
use std::ops::Range;

/// `x` without some blocks, or the unchanged tensor if there is no kernel for it.
#[allow(clippy::result_large_err)]
pub(crate) fn drop_blocks(
    x: DispatchTensor,
    blocks: Blocks,
) -> Result<DispatchTensor, DispatchTensor> {
    if !tracked::has_kernel(&x) {
        return Err(x);
    }
    let operation = Dropping {
        blocks,
        key: draw_key(),
    };
    match tracked::run(operation, [x]) {
        Ok((x, ())) => Ok(x),
        Err([x]) => Err(x),
    }
}

struct Dropping {
    blocks: Blocks,
    key: u64,
}

impl Operation<1> for Dropping {
    type Saved = ();
    type Extra = ();

    const IS_LIGHT: bool = true;

    fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, (), ()) {
        (self.applied(x), (), ())
    }

    fn backward(&self, (): &(), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(self.applied(grad))]
    }
}

impl Dropping {
    /// The numbers times their factors, in their own buffer if nobody else holds it.
    fn applied(&self, x: FlexTensor) -> FlexTensor {
        let mut x = dense(x);
        let shape = x.shape();
        let shape = std::array::from_fn(|axis| shape[axis]);
        let keep = self.keep(shape);
        if let Some(numbers) = AnySliceMut::of(&mut x) {
            self.multiply(numbers, &keep, shape);
            return x;
        }
        let mut new = copied(&x);
        self.multiply(AnySliceMut::of_new(&mut new), &keep, shape);
        new
    }

    /// 0 inside of blocks and 1 elsewhere, mask after mask.
    fn keep(&self, shape @ [_, _, height, width]: [usize; 4]) -> Vec<u8> {
        let [samples, channels, rows, columns] = self.blocks.begins(shape);
        let [tall, wide] = self.blocks.size;
        let mut keep = vec![1; samples * channels * height * width];
        for place in self.begins(samples * channels * rows * columns) {
            let (map, place) = (place / (rows * columns), place % (rows * columns));
            let (row, column) = (place / columns, place % columns);
            for row in row..row + tall {
                let start = (map * height + row) * width + column;
                keep[start..start + wide].fill(0);
            }
        }
        keep
    }

    /// At which of so many places a block begins.
    fn begins(&self, places: usize) -> Vec<usize> {
        let piece = |i: usize| {
            vectorized(Find {
                key: self.key,
                bound: (self.blocks.prob * 4_294_967_296.0) as u32,
                range: i * GRAIN..places.min((i + 1) * GRAIN),
            })
        };
        let pieces = places.div_ceil(GRAIN);
        threads::map(Threads::for_len(places), pieces, &piece).concat()
    }

    fn multiply(&self, numbers: AnySliceMut<'_>, keep: &[u8], shape: [usize; 4]) {
        let kept: usize = keep.iter().map(|keep| usize::from(*keep)).sum();
        let scale = match kept {
            0 => 0.0,
            _ => keep.len() as f64 / kept as f64,
        };
        let [_, channels, height, width] = shape;
        let len = (height * width).max(1);
        let [of_samples, of_channels] = self.blocks.masks;
        // 0 or 1, whichever the mask has of them.
        let one_of = |of: usize, at: usize| if of == 1 { 0 } else { at };
        let maps = (GRAIN / 4 / len).max(1);
        let pass = |part: usize, mut numbers: AnySliceMut<'_>| {
            for (i, start) in (0..numbers.len()).step_by(len).enumerate() {
                let map = part * maps + i;
                let mask = one_of(of_samples, map / channels) * of_channels
                    + one_of(of_channels, map % channels);
                let keep = &keep[mask * len..(mask + 1) * len];
                let numbers = numbers.part(start..start + len);
                match numbers {
                    AnySliceMut::F64(_) => vectorized(Multiply {
                        scale,
                        keep,
                        numbers,
                    }),
                    _ => vectorized(Multiply {
                        scale: f32::of(scale),
                        keep,
                        numbers,
                    }),
                }
            }
        };
        let threads = Threads::for_len(numbers.len());
        numbers.for_each_chunk(threads, maps * len, &pass);
    }
}

/// The places of a range whose random number lies below the bound. The range begins with a group of random numbers.
struct Find {
    key: u64,
    bound: u32,
    range: Range<usize>,
}

impl NullaryFnOnce for Find {
    type Output = Vec<usize>;

    #[inline(always)]
    fn call(self) -> Vec<usize> {
        let mut found = Vec::new();
        let mut bits = [0; GROUP];
        for start in self.range.clone().step_by(GROUP) {
            philox::fill(self.key, (start / GROUP) as u64, &mut bits);
            let bits = &bits[..GROUP.min(self.range.end - start)];
            let places = bits.iter().enumerate();
            let places = places.filter(|(_, bits)| **bits < self.bound);
            found.extend(places.map(|(i, _)| start + i));
        }
        found
    }
}

/// The multiplication of a map.
struct Multiply<'a, T> {
    scale: T,
    keep: &'a [u8],
    numbers: AnySliceMut<'a>,
}

/// How many numbers are widened at a time.
const BLOCK: usize = 256;

impl<T: Computed> NullaryFnOnce for Multiply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        // Inlined at both places, so that it can be compiled for the vector instructions around it.
        #[inline(always)]
        fn scaled<T: Computed>(numbers: &mut [T], keep: &[u8], scale: T) {
            for (x, keep) in numbers.iter_mut().zip(keep) {
                let factor = if *keep == 0 { T::ZERO } else { scale };
                *x = *x * factor;
            }
        }
        let mut numbers = match T::as_mut_slice(self.numbers) {
            Ok(numbers) => return scaled(numbers, self.keep, self.scale),
            Err(numbers) => numbers,
        };
        let mut block = [T::ZERO; BLOCK];
        for (i, keep) in self.keep.chunks(BLOCK).enumerate() {
            let range = i * BLOCK..i * BLOCK + keep.len();
            let block = &mut block[..keep.len()];
            T::widen(numbers.as_ref().part(range.clone()), block);
            scaled(block, keep, self.scale);
            T::round_to(block, numbers.part(range));
        }
    }
}
