//! Noise in the pass that makes it.

use super::FlexTensor;
use super::GRAIN;
use super::buffer::{dense, from_numbers, open_int};
use super::element_type::{Stored, with_element_type};
use super::gauss::{normals, unit};
use super::philox::{self, GROUP, TWICE};
use super::tracked::{self, Operation};
use super::vector::Wide;
use crate::noise::Noise;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::{DType, Device, Distribution, Int, Tensor};
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

/// `x` with noise, or the unchanged tensor if there is no kernel for it.
#[allow(clippy::result_large_err)]
pub(crate) fn noise(
    x: DispatchTensor,
    noise: Noise,
    shared: usize,
) -> Result<DispatchTensor, DispatchTensor> {
    if !tracked::has_kernel(&x) {
        return Err(x);
    }
    let shape = x.shape();
    let own = shape.num_dims() - shared;
    let operation = Noisy {
        noise,
        run: shape[own..].iter().product(),
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

#[derive(Debug, Clone)]
struct Noisy {
    noise: Noise,
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

    fn backward(self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(self.applied(grad, false))]
    }
}

impl Noisy {
    /// The numbers multiplied and, if wanted, shifted, in their own buffer if nobody else holds it.
    fn applied(&self, x: FlexTensor, shifts: bool) -> FlexTensor {
        with_element_type!(x.dtype(), E => self.applied_in::<E>(dense(x), shifts))
    }

    fn applied_in<E: Stored>(&self, mut x: FlexTensor, shifts: bool) -> FlexTensor {
        if let Some(numbers) = x.try_storage_mut::<E>() {
            self.all(numbers, None, shifts);
            return x;
        }
        let numbers = x.storage::<E>();
        let mut new = vec![E::zeroed(); numbers.len()];
        self.all(&mut new, Some(numbers), shifts);
        from_numbers(new, x.shape())
    }

    fn all<E: Stored>(&self, out: &mut [E], read: Option<&[E]>, shifts: bool) {
        let part = Part {
            noise: self.noise,
            key: self.key,
            shifts,
        };
        let draws = match self.run {
            1 => Draws::Each(part),
            run => Draws::Shared {
                run,
                factors: part.factors(out.len().div_ceil(run.max(1))),
            },
        };
        let pass = |(i, out): (usize, &mut [E])| {
            let start = i * PIECE;
            Arch::new().dispatch(Pass {
                draws: &draws,
                start,
                read: read.map(|read| &read[start..start + out.len()]),
                out,
            });
        };
        if out.len() <= GRAIN / 2 {
            return out.chunks_mut(PIECE).enumerate().for_each(pass);
        }
        out.par_chunks_mut(PIECE).enumerate().for_each(pass);
    }
}

/// How many numbers a thread takes at a time: whole chunks of random numbers.
const PIECE: usize = GRAIN / 4;

/// Factors and shifts, for the forward or the backward pass.
#[derive(Debug, Clone, Copy)]
struct Part {
    noise: Noise,
    key: u64,
    shifts: bool,
}

/// A factor and a shift for each number.
struct Factors<T> {
    factors: Vec<T>,
    shifts: Vec<T>,
}

/// Where the factors come from.
enum Draws<T> {
    /// Each number has its own.
    Each(Part),
    /// So many in a row share theirs.
    Shared { run: usize, factors: Factors<T> },
}

impl Part {
    /// The first `count` factors and shifts.
    fn factors<T: Wide>(self, count: usize) -> Factors<T> {
        let mut factors = vec![T::ZERO; count];
        let mut shifts = vec![T::ZERO; count];
        let chunks = (factors.chunks_mut(TWICE).zip(shifts.chunks_mut(TWICE))).enumerate();
        for (chunk, (some, some_shifts)) in chunks {
            let mut made = [[T::ZERO; TWICE]; 2];
            Arch::new().dispatch(Make {
                part: self,
                chunk: chunk as u64,
                made: &mut made,
            });
            some.copy_from_slice(&made[0][..some.len()]);
            some_shifts.copy_from_slice(&made[1][..some_shifts.len()]);
        }
        Factors { factors, shifts }
    }

    /// The factors and shifts of a chunk.
    #[inline(always)]
    fn make<T: Wide>(self, chunk: u64, [factors, shifts]: &mut [[T; TWICE]; 2]) {
        match self.noise {
            Noise::Dropout { prob, .. } | Noise::Alpha { prob } => {
                let fate = Fate::of(self, prob);
                let mut bits = [0; TWICE];
                philox::fill_twice(self.key, chunk, &mut bits);
                let places = factors.iter_mut().zip(shifts).zip(&bits);
                for ((factor, shift), bits) in places {
                    (*factor, *shift) = fate.of_bits(*bits);
                }
            }
            Noise::Gaussian { mean, deviation } => {
                normal_numbers(self.key, chunk, [mean, deviation], factors);
            }
        }
    }
}

/// What becomes of a number that stays and of one that is dropped: a factor and a shift.
#[derive(Debug, Clone, Copy)]
struct Fate<T> {
    bound: u32,
    stays: (T, T),
    drops: (T, T),
}

impl<T: Wide> Fate<T> {
    #[inline(always)]
    fn of(part: Part, prob: f64) -> Self {
        let [stays, drops] = part.noise.outcomes();
        let stays = if prob < 1.0 { stays } else { drops };
        let [stays, drops] = [stays, drops].map(|(factor, shift)| {
            let shift = if part.shifts { shift } else { 0.0 };
            (T::of(factor), T::of(shift))
        });
        Self {
            bound: (prob * 4_294_967_296.0) as u32,
            stays,
            drops,
        }
    }

    #[inline(always)]
    fn of_bits(self, bits: u32) -> (T, T) {
        if bits < self.bound {
            self.drops
        } else {
            self.stays
        }
    }
}

/// A chunk of normal numbers, two from a pair of uniform ones.
#[inline(always)]
fn normal_numbers<T: Wide>(key: u64, chunk: u64, moments: [f64; 2], numbers: &mut [T; TWICE]) {
    const HALF: usize = GROUP / 2;
    let [mean, deviation] = moments.map(T::of);
    let mut bits = [0; GROUP];
    for (i, numbers) in numbers.chunks_exact_mut(GROUP).enumerate() {
        philox::fill(key, 2 * chunk + i as u64, &mut bits);
        for (bits, numbers) in bits.chunks_exact(HALF).zip(numbers.chunks_exact_mut(HALF)) {
            let (bits, angles) = bits.split_at(HALF / 2);
            let (first, second) = numbers.split_at_mut(HALF / 2);
            let pairs = first.iter_mut().zip(second).zip(bits.iter().zip(angles));
            for ((one, other), (bits, angle)) in pairs {
                let [z, w] = normals(unit(*bits), unit(*angle));
                *one = mean + T::of(f64::from(z)) * deviation;
                *other = mean + T::of(f64::from(w)) * deviation;
            }
        }
    }
}

struct Make<'a, T> {
    part: Part,
    chunk: u64,
    made: &'a mut [[T; TWICE]; 2],
}

impl<T: Wide> NullaryFnOnce for Make<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.part.make(self.chunk, self.made);
    }
}

/// A piece of the tensor, from the number `start` on.
struct Pass<'a, E: Stored> {
    draws: &'a Draws<E::Wide>,
    start: usize,
    read: Option<&'a [E]>,
    out: &'a mut [E],
}

impl<E: Stored> NullaryFnOnce for Pass<'_, E> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        match self.draws {
            Draws::Each(part) => self.each(*part),
            Draws::Shared { run, factors } => self.shared(*run, factors),
        }
    }
}

impl<E: Stored> Pass<'_, E> {
    #[inline(always)]
    fn each(self, part: Part) {
        match part.noise {
            Noise::Dropout { prob, .. } | Noise::Alpha { prob } => {
                let fate = Fate::of(part, prob);
                let mut bits = [0; TWICE];
                self.in_chunks(|place, out| {
                    philox::fill_twice(part.key, (place / TWICE) as u64, &mut bits);
                    for (x, bits) in out.iter_mut().zip(&bits) {
                        let (factor, shift) = fate.of_bits(*bits);
                        *x = *x * factor + shift;
                    }
                });
            }
            Noise::Gaussian { mean, deviation } => {
                let mut factors = [E::Wide::ZERO; TWICE];
                self.in_chunks(|place, out| {
                    let chunk = (place / TWICE) as u64;
                    normal_numbers(part.key, chunk, [mean, deviation], &mut factors);
                    for (x, factor) in out.iter_mut().zip(&factors) {
                        *x = *x * *factor;
                    }
                });
            }
        }
    }

    #[inline(always)]
    fn shared(self, run: usize, Factors { factors, shifts }: &Factors<E::Wide>) {
        self.in_chunks(|mut place, mut rest| {
            while !rest.is_empty() {
                let len = (run - place % run).min(rest.len());
                let (factor, shift) = (factors[place / run], shifts[place / run]);
                let some;
                (some, rest) = rest.split_at_mut(len);
                place += len;
                for x in some {
                    *x = *x * factor + shift;
                }
            }
        });
    }

    /// Calls `change` with each chunk and its first number's place in the tensor.
    #[inline(always)]
    fn in_chunks(self, mut change: impl FnMut(usize, &mut [E::Wide])) {
        for (i, out) in self.out.chunks_mut(TWICE).enumerate() {
            let at = i * TWICE;
            if let Some(read) = self.read {
                out.copy_from_slice(&read[at..at + out.len()]);
            }
            in_place(out, |out| change(self.start + at, out));
        }
    }
}

/// Changes at most a chunk of stored numbers, widened if they are narrower.
#[inline(always)]
fn in_place<E: Stored>(stored: &mut [E], change: impl FnOnce(&mut [E::Wide])) {
    if let Some(numbers) = E::as_wide_mut(stored) {
        return change(numbers);
    }
    let mut block = [E::Wide::ZERO; TWICE];
    let block = &mut block[..stored.len()];
    E::load(stored, block);
    change(block);
    E::store(block, stored);
}
