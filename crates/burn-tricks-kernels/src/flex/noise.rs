//! Noise in the pass that makes it.

use super::FlexTensor;
use super::GRAIN;
use super::buffer::{dense, from_numbers, open_int};
use super::element_type::{Stored, with_element_type};
use super::gauss::{normals, unit};
use super::philox::{self, GROUP};
use super::threads::{self, Threads};
use super::tracked::{self, Operation};
use super::vector::Wide;
use super::vectorized::vectorized;
use crate::noise::Noise;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::{DType, Device, Distribution, Int, Tensor};
use pulp::NullaryFnOnce;

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
        let pass = |i: usize, out: &mut [E]| {
            let start = i * PIECE;
            vectorized(Pass {
                draws: &draws,
                start,
                read: read.map(|read| &read[start..start + out.len()]),
                out,
            });
        };
        let threads = if out.len() > GRAIN / 2 {
            Threads::All
        } else {
            Threads::One
        };
        threads::for_each_chunk(threads, out, PIECE, &pass);
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
        let groups = (factors.chunks_mut(GROUP).zip(shifts.chunks_mut(GROUP))).enumerate();
        for (group, (some, some_shifts)) in groups {
            let mut made = [[T::ZERO; GROUP]; 2];
            vectorized(Make {
                part: self,
                group: group as u64,
                made: &mut made,
            });
            some.copy_from_slice(&made[0][..some.len()]);
            some_shifts.copy_from_slice(&made[1][..some_shifts.len()]);
        }
        Factors { factors, shifts }
    }

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
                for half in [0, GROUP / 2] {
                    let (bits, angles) = bits[half..half + GROUP / 2].split_at(GROUP / 4);
                    let (first, second) = factors[half..half + GROUP / 2].split_at_mut(GROUP / 4);
                    let pairs = first.iter_mut().zip(second).zip(bits.iter().zip(angles));
                    for ((one, other), (bits, angle)) in pairs {
                        let [z, w] = normals(unit(*bits), unit(*angle));
                        *one = mean + T::of(f64::from(z)) * deviation;
                        *other = mean + T::of(f64::from(w)) * deviation;
                    }
                }
            }
        }
    }
}

struct Make<'a, T> {
    part: Part,
    group: u64,
    made: &'a mut [[T; GROUP]; 2],
}

impl<T: Wide> NullaryFnOnce for Make<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.part.make(self.group, self.made);
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
        let mut made = [[E::Wide::ZERO; GROUP]; 2];
        for (i, out) in self.out.chunks_mut(GROUP).enumerate() {
            let at = i * GROUP;
            if let Some(read) = self.read {
                out.copy_from_slice(&read[at..at + out.len()]);
            }
            match self.draws {
                Draws::Each(part) => {
                    part.make(((self.start + at) / GROUP) as u64, &mut made);
                    in_place(out, |out| {
                        let [factors, shifts] = made.each_ref().map(|made| &made[..out.len()]);
                        for ((x, factor), shift) in out.iter_mut().zip(factors).zip(shifts) {
                            *x = *x * *factor + *shift;
                        }
                    });
                }
                Draws::Shared { run, factors } => {
                    let mut rest = out;
                    let mut place = self.start + at;
                    while !rest.is_empty() {
                        let len = (run - place % run).min(rest.len());
                        let (factor, shift) =
                            (factors.factors[place / run], factors.shifts[place / run]);
                        let some;
                        (some, rest) = rest.split_at_mut(len);
                        place += len;
                        in_place(some, |some| {
                            for x in some {
                                *x = *x * factor + shift;
                            }
                        });
                    }
                }
            }
        }
    }
}

/// Changes at most a group of stored numbers, widened if they are narrower.
#[inline(always)]
fn in_place<E: Stored>(stored: &mut [E], change: impl Fn(&mut [E::Wide])) {
    if let Some(numbers) = E::as_wide_mut(stored) {
        return change(numbers);
    }
    let mut block = [E::Wide::ZERO; GROUP];
    let block = &mut block[..stored.len()];
    E::load(stored, block);
    change(block);
    E::store(block, stored);
}
