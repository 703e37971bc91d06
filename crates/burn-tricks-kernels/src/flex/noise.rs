//! Noise in the pass that makes it.

use super::FlexTensor;
use super::GRAIN;
use super::any_slice::{
    AnySlice, AnySliceMut, Computed, is_computed_in_f32, with_wide_type, zeros,
};
use super::buffer::{dense, open_int};
use super::gauss::normals_of;
use super::philox::{self, GROUP};
use super::threads::Threads;
use super::tracked::{self, Operation};
use super::vector::Wide;
use crate::any_tensor::AnyTensor;
use crate::noise::Noise;
use burn::backend::ops::FloatTensorOps as _;
use burn::backend::{Flex, TensorMetadata as _};
use burn::tensor::{DType, Device, Distribution, Int, Tensor};
use pulp::NullaryFnOnce;
use std::marker::PhantomData;

/// `x` with noise, or the unchanged tensor if there is no kernel for it.
#[allow(clippy::result_large_err)]
pub(crate) fn noise(x: AnyTensor, noise: Noise, shared: usize) -> Result<AnyTensor, AnyTensor> {
    if !tracked::has_kernel(&x.0) {
        return Err(x);
    }
    let shape = x.shape();
    let own = shape.num_dims() - shared;
    let operation = Noisy {
        noise,
        own,
        run: shape[own..].iter().product::<usize>().max(1),
        key: draw_key(),
    };
    match tracked::run(operation, [x]) {
        Ok((x, ())) => Ok(x),
        Err([x]) => Err(x),
    }
}

/// 64 bits of the generator that `Device::seed` seeds. On this backend they are in memory at once.
pub(super) fn draw_key() -> u64 {
    let options = (&Device::flex(), DType::I64);
    let key = Tensor::<1, Int>::random([1], Distribution::Default, options);
    open_int(key.into_dispatch()).storage::<i64>()[0] as u64
}

/// If so many numbers in a row share their noise, a new tensor is Burn's product with a small tensor of factors: one thread
/// pushes the numbers of the product into a new buffer, while [`Pass`] needs a buffer that was filled with zeros. Both give
/// the same numbers, except for the sign of zeros: where a negative number is dropped, the product is -0, and the pass, which
/// adds a shift of 0, gives +0.
const MANY: usize = 256;

/// So many bytes a buffer may have for the product. glibc's `malloc` takes a larger one from the system with `mmap`, whatever
/// was freed before (its `M_MMAP_THRESHOLD` grows up to 32 MB). Its pages are zero when they are first touched, so `calloc`
/// does not fill it, and the pass writes it once too, with all threads.
const LARGE: usize = 32 << 20;

struct Noisy {
    noise: Noise,
    /// In how many dimensions, from the first on, the noise differs.
    own: usize,
    /// How many numbers in a row share their noise.
    run: usize,
    key: u64,
}

impl Operation<1> for Noisy {
    type Saved = ();
    type Extra = ();

    const IS_LIGHT: bool = true;

    fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, (), ()) {
        (self.applied(x, true), (), ())
    }

    fn backward(&self, (): &(), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(self.applied(grad, false))]
    }
}

impl Noisy {
    /// The numbers multiplied and, if wanted, shifted, in their own buffer if nobody else holds it.
    fn applied(&self, x: FlexTensor, shifts: bool) -> FlexTensor {
        let mut x = dense(x);
        if let Some(numbers) = AnySliceMut::of(&mut x) {
            self.all(numbers, None, shifts);
            return x;
        }
        if self.is_product(&x) {
            let factors = self.factors(&x);
            return Flex::float_mul(x, factors);
        }
        let mut new = zeros(x.dtype(), x.shape());
        let out = AnySliceMut::of_new(&mut new);
        self.all(out, Some(AnySlice::of(&x)), shifts);
        new
    }

    /// Whether a new tensor is the product with [`factors`](Self::factors). Not if there is a shift to add; and only for `f32`
    /// and `f64`: in half precision the factors would be rounded before the product is, and where `f32` is computed in `f64`
    /// too.
    fn is_product(&self, x: &FlexTensor) -> bool {
        let rounds_once = match x.dtype() {
            DType::F32 => is_computed_in_f32(DType::F32),
            other => other == DType::F64,
        };
        let shifts = matches!(self.noise, Noise::Alpha { .. });
        rounds_once && !shifts && self.run >= MANY && x.bytes().len() <= LARGE
    }

    /// The factors of `x`, each once.
    fn factors(&self, x: &FlexTensor) -> FlexTensor {
        let mut shape = x.shape();
        shape[self.own..].fill(1);
        let mut factors = zeros(x.dtype(), shape);
        let mut numbers = AnySliceMut::of_new(&mut factors);
        numbers.fill(1.0);
        let each = Self { run: 1, ..*self };
        each.all(numbers, None, false);
        factors
    }

    fn all(&self, out: AnySliceMut<'_>, read: Option<AnySlice<'_>>, shifts: bool) {
        with_wide_type!(out.as_ref().dtype(), T => self.all_in::<T>(out, read, shifts));
    }

    fn all_in<T: Computed>(&self, out: AnySliceMut<'_>, read: Option<AnySlice<'_>>, shifts: bool) {
        let part = Part {
            noise: self.noise,
            key: self.key,
            shifts,
        };
        let pass = |i: usize, out: AnySliceMut<'_>| {
            let start = i * PIECE;
            T::run(Pass {
                part,
                run: self.run,
                computed: PhantomData::<T>,
                start,
                read: read.map(|read| read.part(start..start + out.len())),
                out,
            });
        };
        // To make a normal number takes as long as to make two bits. Where many numbers share one, only their product counts.
        let most = match self.noise {
            _ if self.run >= 64 => 8 * GRAIN,
            Noise::Gaussian { .. } => GRAIN / 4,
            Noise::Dropout { .. } | Noise::Alpha { .. } => GRAIN / 2,
        };
        let threads = if out.len() > most {
            Threads::All
        } else {
            Threads::One
        };
        out.for_each_chunk(threads, PIECE, &pass);
    }
}

/// How many numbers a thread takes at a time: whole groups of random numbers.
const PIECE: usize = GRAIN / 4;

/// Factors and shifts, for the forward or the backward pass.
#[derive(Debug, Clone, Copy)]
struct Part {
    noise: Noise,
    key: u64,
    shifts: bool,
}

impl Part {
    /// The factors and shifts of a group of random numbers.
    #[inline(always)]
    fn make<T: Wide>(self, group: u64, [factors, shifts]: &mut [[T; GROUP]; 2]) {
        let mut bits = [0; GROUP];
        philox::fill(self.key, group, &mut bits);
        match self.noise {
            Noise::Dropout { prob, .. } | Noise::Alpha { prob } => {
                let [stays, drops] = self.noise.outcomes();
                let stays = if prob < 1.0 { stays } else { drops };
                let [(kept, shift), (dropped, replaced)] =
                    [stays, drops].map(|(factor, shift)| (T::of(factor), T::of(shift)));
                let bound = (prob * 4_294_967_296.0) as u32;
                for (factor, bits) in factors.iter_mut().zip(&bits) {
                    *factor = if *bits < bound { dropped } else { kept };
                }
                for (place, bits) in shifts.iter_mut().zip(&bits) {
                    *place = if *bits < bound { replaced } else { shift };
                }
                if !self.shifts {
                    *shifts = [T::ZERO; GROUP];
                }
            }
            Noise::Gaussian { mean, deviation } => {
                let (mean, deviation) = (T::of(mean), T::of(deviation));
                normals_of(&bits, factors, |z| mean + T::of(f64::from(z)) * deviation);
            }
        }
    }
}

/// A piece of the tensor, from the number `start` on.
struct Pass<'a, T> {
    part: Part,
    /// So many numbers in a row share a factor and a shift.
    run: usize,
    computed: PhantomData<T>,
    start: usize,
    read: Option<AnySlice<'a>>,
    out: AnySliceMut<'a>,
}

impl<T: Computed> NullaryFnOnce for Pass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let len = self.out.len();
        let mut out = T::as_mut_slice(self.out);
        // Numbers that are read as they are stored.
        let direct = match &out {
            Ok(_) => self.read.and_then(T::as_slice),
            Err(_) => None,
        };
        let mut block = [T::ZERO; GROUP];
        let mut made = [[T::ZERO; GROUP]; 2];
        let mut group = None;
        // The next random number, and for how many numbers it still counts.
        let (mut draw, mut left) = (self.start / self.run, self.run - self.start % self.run);
        for at in (0..len).step_by(GROUP) {
            let range = at..len.min(at + GROUP);
            let numbers = match &mut out {
                Ok(out) => {
                    let out = &mut out[range.clone()];
                    if let (Some(read), None) = (self.read, direct) {
                        T::widen(read.part(range.clone()), out);
                    }
                    out
                }
                Err(out) => {
                    let block = &mut block[..range.len()];
                    let read = self.read.unwrap_or(out.as_ref());
                    T::widen(read.part(range.clone()), block);
                    block
                }
            };
            let direct = direct.map(|read| &read[range.clone()]);
            let mut done = 0;
            while done < numbers.len() {
                if group != Some(draw / GROUP) {
                    group = Some(draw / GROUP);
                    self.part.make((draw / GROUP) as u64, &mut made);
                }
                if self.run == 1 {
                    let both = made[0].iter().zip(&made[1]);
                    match direct {
                        Some(read) => {
                            let pairs = numbers.iter_mut().zip(read);
                            for ((x, read), (factor, shift)) in pairs.zip(both) {
                                *x = *read * *factor + *shift;
                            }
                        }
                        None => {
                            for (x, (factor, shift)) in numbers.iter_mut().zip(both) {
                                *x = *x * *factor + *shift;
                            }
                        }
                    }
                    draw += numbers.len();
                    break;
                }
                let (factor, shift) = (made[0][draw % GROUP], made[1][draw % GROUP]);
                let some = done..numbers.len().min(done + left);
                match direct {
                    Some(read) => {
                        let pairs = numbers[some.clone()].iter_mut().zip(&read[some.clone()]);
                        for (x, read) in pairs {
                            *x = *read * factor + shift;
                        }
                    }
                    None => {
                        for x in &mut numbers[some.clone()] {
                            *x = *x * factor + shift;
                        }
                    }
                }
                done = some.end;
                left -= some.len();
                if left == 0 {
                    (draw, left) = (draw + 1, self.run);
                }
            }
            if let Err(out) = &mut out {
                T::round_to(&block[..range.len()], out.part(range));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;
    use burn::tensor::FloatDType;

    #[allow(clippy::disallowed_methods)] // not on the step path
    fn values(x: Tensor<3>) -> Vec<f64> {
        x.into_data().convert::<f64>().try_into_vec().unwrap()
    }

    #[test]
    fn a_new_tensor_gets_the_noise_of_a_buffer_that_is_written_in_place() {
        let device = Device::flex();
        let kinds = [
            Noise::Dropout {
                prob: 0.3,
                kept: 1.0 / 0.7,
            },
            Noise::Gaussian {
                mean: 1.0,
                deviation: 0.5,
            },
            Noise::Alpha { prob: 0.3 },
        ];
        for dtype in [FloatDType::F16, FloatDType::F32, FloatDType::F64] {
            for (count, shared) in [(MANY - 1, 1), (MANY, 1), (MANY, 2), (5, 3), (MANY / 5, 2)] {
                for kind in kinds {
                    let numbers = || {
                        let numbers = Tensor::<1, Int>::arange(0..(70 * 5 * count) as i64, &device);
                        let numbers = numbers.float().mul_scalar(0.37).sin().cast(dtype);
                        numbers.reshape([70, 5, count])
                    };
                    let drawn = |x| {
                        device.seed(6);
                        values(noise(x, kind, shared))
                    };
                    let held = numbers();
                    let new = drawn(held.clone());
                    let what = format!("{kind:?}, {dtype:?}, {shared} of [70, 5, {count}]");
                    assert!(new == drawn(numbers()), "{what}");
                    assert!(values(held) == values(numbers()), "{what}");
                }
            }
        }
    }
}
