//! Blocks that are dropped: the places where they begin from random numbers, and one pass over the tensor.

use super::FlexTensor;
use super::GRAIN;
use super::any_slice::{AnySliceMut, Computed, copied, with_wide_type};
use super::buffer::dense;
use super::noise::draw_key;
use super::philox::{self, GROUP};
use super::threads::{self, Threads};
use super::tracked::{self, Operation};
use super::vector::Wide as _;
use super::vectorized::vectorized;
use crate::any_tensor::AnyTensor;
use crate::drop_blocks::Blocks;
use burn::backend::TensorMetadata as _;
use pulp::NullaryFnOnce;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `x` without some blocks, or the unchanged tensor if there is no kernel for it.
#[allow(clippy::result_large_err)]
pub(crate) fn drop_blocks(x: AnyTensor, blocks: Blocks) -> Result<AnyTensor, AnyTensor> {
    if !tracked::has_kernel(&x.0) {
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
    /// Multiplied, in its own buffer if nobody else holds it.
    fn applied(&self, x: FlexTensor) -> FlexTensor {
        let mut x = dense(x);
        let shape = x.shape();
        let mask = self.mask(std::array::from_fn(|axis| shape[axis]));
        if let Some(numbers) = AnySliceMut::of(&mut x) {
            mask.apply(numbers);
            return x;
        }
        let mut new = copied(&x);
        mask.apply(AnySliceMut::of_new(&mut new));
        new
    }

    fn mask(&self, shape @ [_, channels, height, width]: [usize; 4]) -> Mask {
        let [samples, of_channels, rows, columns] = self.blocks.begins(shape);
        let map = height * width;
        let mut covered = vec![0; samples * of_channels * map];
        let count = AtomicUsize::new(0);
        let maps = (PIECE / map).max(1);
        let pass = |part: usize, covered: &mut [u8]| {
            let of_part = vectorized(Cover {
                blocks: self.blocks,
                key: self.key,
                map: [height, width],
                begins: [rows, columns],
                first: part * maps * rows * columns,
                covered,
            });
            count.fetch_add(of_part, Ordering::Relaxed);
        };
        let threads = Threads::for_len(covered.len());
        threads::for_each_chunk(threads, &mut covered, maps * map, &pass);
        let kept = covered.len() - count.into_inner();
        Mask {
            scale: match kept {
                0 => 0.0,
                _ => covered.len() as f64 / kept as f64,
            },
            covered,
            map,
            shared_by: if of_channels == channels { 1 } else { channels },
        }
    }
}

/// How many numbers a thread takes at a time, or one map if it has more.
const PIECE: usize = GRAIN / 4;

/// How many numbers are copied or widened at a time.
const BLOCK: usize = 256;

/// The places that blocks cover, in the maps of the masks from the place `first` on where a block can begin.
struct Cover<'a> {
    blocks: Blocks,
    key: u64,
    /// Height and width of a map.
    map: [usize; 2],
    /// In so many rows and columns of a map blocks can begin.
    begins: [usize; 2],
    first: usize,
    /// All 0 before.
    covered: &'a mut [u8],
}

impl NullaryFnOnce for Cover<'_> {
    /// How many places are covered.
    type Output = usize;

    #[inline(always)]
    fn call(self) -> usize {
        let [height, width] = self.map;
        let [rows, columns] = self.begins;
        let (map, places) = (height * width, rows * columns);
        let all = self.first..self.first + self.covered.len() / map * places;
        let bound = (self.blocks.prob * 4_294_967_296.0) as u32;
        let (mut bits, mut found) = ([0; GROUP], [0; GROUP]);
        // The map that is looked at: where it begins, and its first place.
        let (mut start, mut first) = (0, all.start);
        for group in all.start / GROUP..all.end.div_ceil(GROUP) {
            philox::fill(self.key, group as u64, &mut bits);
            let group = group * GROUP;
            let of_group = all.start.max(group) - group..all.end.min(group + GROUP) - group;
            // Without a branch, which nothing could predict.
            let mut count = 0;
            for at in of_group {
                found[count] = group + at;
                count += usize::from(bits[at] < bound);
            }
            for place in &found[..count] {
                while *place >= first + places {
                    (start, first) = (start + map, first + places);
                }
                let place = place - first;
                self.covered[start + place / columns * width + place % columns] = 1;
            }
        }
        // A block ends in its row and in its map.
        let [tall, wide] = self.blocks.size;
        spread(self.covered, wide, 1);
        spread(self.covered, tall, width);
        let sizes = self.covered.iter().map(|covered| usize::from(*covered));
        sizes.sum()
    }
}

/// Each 1 becomes `count`, at distances of `step`: in each pass twice as many, if no more.
#[inline(always)]
fn spread(places: &mut [u8], count: usize, step: usize) {
    let mut before = [0; BLOCK];
    let mut done = 1;
    while done < count {
        let more = done.min(count - done);
        let distance = more * step;
        // From the back, so that what is read is not yet changed.
        let mut end = places.len();
        while end > distance {
            let start = end.saturating_sub(BLOCK).max(distance);
            let before = &mut before[..end - start];
            before.copy_from_slice(&places[start - distance..end - distance]);
            for (place, before) in places[start..end].iter_mut().zip(before) {
                *place |= *before;
            }
            end = start;
        }
        done += more;
    }
}

/// What the tensor is multiplied by.
struct Mask {
    /// The factor of what stays.
    scale: f64,
    /// 1 where a block covers a place of the masks, which follow each other.
    covered: Vec<u8>,
    /// How many numbers a map has.
    map: usize,
    /// So many maps have one mask. After the last mask the first one comes again.
    shared_by: usize,
}

impl Mask {
    fn apply(&self, numbers: AnySliceMut<'_>) {
        let pass = |part: usize, numbers: AnySliceMut<'_>| {
            let (mask, start) = (self, part * PIECE);
            with_wide_type!(numbers.as_ref().dtype(), T => T::run(Multiply {
                scale: T::of(self.scale),
                mask,
                start,
                numbers,
            }));
        };
        let threads = Threads::for_len(numbers.len());
        numbers.for_each_chunk(threads, PIECE, &pass);
    }

    /// The places of the number `at` and of those behind it, in the masks.
    #[inline(always)]
    fn from(&self, at: usize) -> &[u8] {
        let Self { map, shared_by, .. } = *self;
        if shared_by == 1 {
            return &self.covered[at % self.covered.len()..];
        }
        let start = (at / (map * shared_by) * map + at % map) % self.covered.len();
        &self.covered[start..start - start % map + map]
    }
}

/// A piece of the tensor, from the number `start` on.
struct Multiply<'a, T> {
    scale: T,
    mask: &'a Mask,
    start: usize,
    numbers: AnySliceMut<'a>,
}

impl<T: Computed> NullaryFnOnce for Multiply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let all = self.numbers.len();
        let mut numbers = T::as_mut_slice(self.numbers);
        let mut block = [T::ZERO; BLOCK];
        let mut at = 0;
        while at < all {
            let covered = self.mask.from(self.start + at);
            let len = covered.len().min(all - at);
            let len = if numbers.is_ok() { len } else { len.min(BLOCK) };
            let range = at..at + len;
            let wide = match &mut numbers {
                Ok(numbers) => &mut numbers[range.clone()],
                Err(numbers) => {
                    T::widen(numbers.as_ref().part(range.clone()), &mut block[..len]);
                    &mut block[..len]
                }
            };
            for (x, covered) in wide.iter_mut().zip(covered) {
                let factor = if *covered == 0 { self.scale } else { T::ZERO };
                *x = *x * factor;
            }
            if let Err(numbers) = &mut numbers {
                T::round_to(&block[..len], numbers.part(range));
            }
            at += len;
        }
    }
}
