//! Stored numbers whose type is known at run time.
//!
//! A function over an [`AnySlice`] exists once, and a loop with arithmetic twice, for `f32` and for `f64`. Half precision is
//! widened and rounded a block at a time, around the loop for `f32`; where that cannot run, all types are, around the loop
//! for `f64`.

use super::FlexTensor;
use super::bfloat;
use super::buffer::from_numbers;
use super::element_type::{Stored, with_element_type};
use super::threads::{self, Threads};
use super::vector::Wide;
use super::vectorized::{has_vectors, with_vectors, without_vectors};
use burn::backend::TensorMetadata as _;
use burn::tensor::{DType, Shape};
use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use pulp::WithSimd;
use std::ops::Range;

/// Numbers to read.
#[derive(Clone, Copy)]
pub(super) enum AnySlice<'a> {
    F16(&'a [f16]),
    BF16(&'a [bf16]),
    F32(&'a [f32]),
    F64(&'a [f64]),
}

/// Numbers to write.
pub(super) enum AnySliceMut<'a> {
    F16(&'a mut [f16]),
    BF16(&'a mut [bf16]),
    F32(&'a mut [f32]),
    F64(&'a mut [f64]),
}

/// The same for the slice of any type; the result is one of the slice's own kind.
macro_rules! same {
    ($self:expr, $slice:ident => $body:expr) => {
        match $self {
            Self::F16($slice) => Self::F16($body),
            Self::BF16($slice) => Self::BF16($body),
            Self::F32($slice) => Self::F32($body),
            Self::F64($slice) => Self::F64($body),
        }
    };
}

/// The same for the slice of any type.
macro_rules! each {
    ($self:expr, $slice:ident => $body:expr) => {
        match $self {
            Self::F16($slice) => $body,
            Self::BF16($slice) => $body,
            Self::F32($slice) => $body,
            Self::F64($slice) => $body,
        }
    };
}

impl<'a> AnySlice<'a> {
    /// The numbers of a tensor in which they lie in order.
    pub(super) fn of(tensor: &'a FlexTensor) -> Self {
        fn slice<E: Stored>(tensor: &FlexTensor) -> &[E] {
            tensor.as_slice().expect("the numbers lie in order")
        }
        match tensor.dtype() {
            DType::F16 => Self::F16(slice(tensor)),
            DType::BF16 => Self::BF16(slice(tensor)),
            DType::F32 => Self::F32(slice(tensor)),
            DType::F64 => Self::F64(slice(tensor)),
            other => panic!("no kernel calculates with numbers of type {other:?}"),
        }
    }

    pub(super) fn len(self) -> usize {
        each!(self, slice => slice.len())
    }

    pub(super) fn dtype(self) -> DType {
        match self {
            Self::F16(_) => DType::F16,
            Self::BF16(_) => DType::BF16,
            Self::F32(_) => DType::F32,
            Self::F64(_) => DType::F64,
        }
    }

    pub(super) fn part(self, range: Range<usize>) -> Self {
        same!(self, slice => &slice[range])
    }

    pub(super) fn at(self, index: usize) -> f64 {
        each!(self, slice => slice[index].to_f64())
    }

    /// Other numbers, rounded to the type in which these are calculated with.
    pub(super) fn all_rounded(self, numbers: Vec<f64>) -> Vec<f64> {
        match self {
            Self::F64(_) => numbers,
            _ => numbers
                .into_iter()
                .map(|number| rounded(DType::F32, number))
                .collect(),
        }
    }

    /// The numbers in `f64`.
    pub(super) fn widened(self) -> Vec<f64> {
        match self {
            Self::F64(slice) => slice.to_vec(),
            other => {
                let mut wide = vec![0.0_f32; other.len()];
                f32::widen(other, &mut wide);
                wide.into_iter().map(f64::from).collect()
            }
        }
    }
}

impl<'a> AnySliceMut<'a> {
    /// The numbers of a tensor in which they lie in order, if nobody else holds it.
    pub(super) fn of(tensor: &'a mut FlexTensor) -> Option<Self> {
        Some(match tensor.dtype() {
            DType::F16 => Self::F16(tensor.try_storage_mut()?),
            DType::BF16 => Self::BF16(tensor.try_storage_mut()?),
            DType::F32 => Self::F32(tensor.try_storage_mut()?),
            DType::F64 => Self::F64(tensor.try_storage_mut()?),
            other => panic!("no kernel calculates with numbers of type {other:?}"),
        })
    }

    /// The numbers of a tensor that was just made.
    pub(super) fn of_new(tensor: &'a mut FlexTensor) -> Self {
        Self::of(tensor).expect("nobody else holds a new tensor")
    }

    pub(super) fn len(&self) -> usize {
        each!(self, slice => slice.len())
    }

    pub(super) fn as_ref(&self) -> AnySlice<'_> {
        match self {
            Self::F16(slice) => AnySlice::F16(slice),
            Self::BF16(slice) => AnySlice::BF16(slice),
            Self::F32(slice) => AnySlice::F32(slice),
            Self::F64(slice) => AnySlice::F64(slice),
        }
    }

    pub(super) fn part(&mut self, range: Range<usize>) -> AnySliceMut<'_> {
        match self {
            Self::F16(slice) => AnySliceMut::F16(&mut slice[range]),
            Self::BF16(slice) => AnySliceMut::BF16(&mut slice[range]),
            Self::F32(slice) => AnySliceMut::F32(&mut slice[range]),
            Self::F64(slice) => AnySliceMut::F64(&mut slice[range]),
        }
    }

    /// Takes the first `len` numbers off.
    pub(super) fn take(&mut self, len: usize) -> Self {
        let take = "so many are left";
        same!(self, slice => slice.split_off_mut(..len).expect(take))
    }

    pub(super) fn fill(&mut self, number: f64) {
        match self {
            Self::F16(slice) => slice.fill(f16::from_f64(number)),
            Self::BF16(slice) => slice.fill(bf16::from_f64(number)),
            Self::F32(slice) => slice.fill(f32::of(number)),
            Self::F64(slice) => slice.fill(number),
        }
    }

    /// Calls `work` with the number of each chunk of `len` numbers, and with the chunk.
    pub(super) fn for_each_chunk(
        self,
        threads: Threads,
        len: usize,
        work: &(dyn Fn(usize, AnySliceMut<'_>) + Sync),
    ) {
        use threads::for_each_chunk as each;
        match self {
            Self::F16(slice) => each(threads, slice, len, &|i, x| work(i, AnySliceMut::F16(x))),
            Self::BF16(slice) => each(threads, slice, len, &|i, x| work(i, AnySliceMut::BF16(x))),
            Self::F32(slice) => each(threads, slice, len, &|i, x| work(i, AnySliceMut::F32(x))),
            Self::F64(slice) => each(threads, slice, len, &|i, x| work(i, AnySliceMut::F64(x))),
        }
    }
}

/// `f32` or `f64`, to calculate with.
pub(super) trait Computed: Wide {
    /// Runs a loop over this type.
    fn run<L: WithSimd>(work: L) -> L::Output;

    /// The stored numbers themselves, if they are of this type.
    fn as_slice(stored: AnySlice<'_>) -> Option<&[Self]>;

    /// Like [`as_slice`](Self::as_slice), mutably; otherwise the slice again.
    fn as_mut_slice(stored: AnySliceMut<'_>) -> Result<&mut [Self], AnySliceMut<'_>>;

    /// Converts stored numbers to this type.
    fn widen(stored: AnySlice<'_>, into: &mut [Self]);

    /// Rounds numbers to the stored type.
    fn round_to(numbers: &[Self], into: AnySliceMut<'_>);
}

impl Computed for f32 {
    fn run<L: WithSimd>(work: L) -> L::Output {
        with_vectors(work)
    }

    #[inline(always)]
    fn as_slice(stored: AnySlice<'_>) -> Option<&[Self]> {
        match stored {
            AnySlice::F32(numbers) => Some(numbers),
            _ => None,
        }
    }

    #[inline(always)]
    fn as_mut_slice(stored: AnySliceMut<'_>) -> Result<&mut [Self], AnySliceMut<'_>> {
        match stored {
            AnySliceMut::F32(numbers) => Ok(numbers),
            other => Err(other),
        }
    }

    fn widen(stored: AnySlice<'_>, into: &mut [Self]) {
        match stored {
            AnySlice::F16(numbers) => numbers.convert_to_f32_slice(into),
            AnySlice::BF16(numbers) => bfloat::widen(numbers, into),
            AnySlice::F32(numbers) => into.copy_from_slice(numbers),
            AnySlice::F64(_) => unreachable!("`f64` is not narrowed"),
        }
    }

    fn round_to(numbers: &[Self], into: AnySliceMut<'_>) {
        match into {
            AnySliceMut::F16(into) => into.convert_from_f32_slice(numbers),
            AnySliceMut::BF16(into) => bfloat::round(numbers, into),
            AnySliceMut::F32(into) => into.copy_from_slice(numbers),
            AnySliceMut::F64(_) => unreachable!("`f64` is not narrowed"),
        }
    }
}

impl Computed for f64 {
    fn run<L: WithSimd>(work: L) -> L::Output {
        without_vectors(work)
    }

    #[inline(always)]
    fn as_slice(stored: AnySlice<'_>) -> Option<&[Self]> {
        match stored {
            AnySlice::F64(numbers) => Some(numbers),
            _ => None,
        }
    }

    #[inline(always)]
    fn as_mut_slice(stored: AnySliceMut<'_>) -> Result<&mut [Self], AnySliceMut<'_>> {
        match stored {
            AnySliceMut::F64(numbers) => Ok(numbers),
            other => Err(other),
        }
    }

    fn widen(stored: AnySlice<'_>, into: &mut [Self]) {
        if let AnySlice::F64(numbers) = stored {
            return into.copy_from_slice(numbers);
        }
        let mut block = [0.0_f32; BLOCK];
        for (at, into) in into.chunks_mut(BLOCK).enumerate() {
            let (start, block) = (at * BLOCK, &mut block[..into.len()]);
            f32::widen(stored.part(start..start + block.len()), block);
            for (into, number) in into.iter_mut().zip(block) {
                *into = f64::from(*number);
            }
        }
    }

    #[allow(clippy::cast_possible_truncation)]
    fn round_to(numbers: &[Self], into: AnySliceMut<'_>) {
        let mut into = match into {
            AnySliceMut::F64(into) => return into.copy_from_slice(numbers),
            other => other,
        };
        let mut block = [0.0_f32; BLOCK];
        for numbers in numbers.chunks(BLOCK) {
            let block = &mut block[..numbers.len()];
            for (narrow, number) in block.iter_mut().zip(numbers) {
                *narrow = *number as f32;
            }
            f32::round_to(block, into.take(numbers.len()));
        }
    }
}

/// How many numbers are widened to `f32` at a time, on the way to `f64`.
const BLOCK: usize = 256;

/// `with_wide_type!(dtype, T => body)`: the body with the type `T` in which numbers of type `dtype` are calculated with.
macro_rules! with_wide_type {
    ($dtype:expr, $t:ident => $body:expr) => {
        if $crate::flex::any_slice::is_computed_in_f32($dtype) {
            type $t = f32;
            $body
        } else {
            type $t = f64;
            $body
        }
    };
}
pub(super) use with_wide_type;

/// Whether numbers of this type are calculated with in `f32`, and not in `f64`.
pub(super) fn is_computed_in_f32(dtype: DType) -> bool {
    dtype != DType::F64 && has_vectors()
}

/// The number, rounded to the type of results in numbers of type `dtype`.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn rounded(dtype: DType, number: f64) -> f64 {
    match dtype {
        DType::F64 => number,
        _ => f64::from(number as f32),
    }
}

/// A tensor of zeros.
pub(super) fn zeros(dtype: DType, shape: Shape) -> FlexTensor {
    with_element_type!(dtype, E => from_numbers(vec![E::default(); shape.num_elements()], shape))
}

/// A copy that nobody else holds, of a tensor in which the numbers lie in order.
pub(super) fn copied(tensor: &FlexTensor) -> FlexTensor {
    with_element_type!(tensor.dtype(), E => {
        from_numbers(tensor.storage::<E>().to_vec(), tensor.shape())
    })
}

/// A tensor of one dimension.
pub(super) fn vector(dtype: DType, numbers: &[f64]) -> FlexTensor {
    let mut vector = zeros(dtype, Shape::new([numbers.len()]));
    let into = AnySliceMut::of_new(&mut vector);
    with_wide_type!(dtype, T => T::round_to(&narrowed::<T>(numbers), into));
    vector
}

/// The numbers in the type that is calculated with.
pub(super) fn narrowed<T: Wide>(numbers: &[f64]) -> Vec<T> {
    numbers.iter().map(|number| T::of(*number)).collect()
}
