//! `bf16` from and to `f32`, as loops without branches, which become vector instructions.
//!
//! The crate `half` converts `bf16` number by number, in twice the time. (For `f16` it has the processor's instructions.)
//! A number with its compensation is summed and split in one loop, in which the numbers between stay in registers.

use super::vectorized::vectorized;
use half::bf16;
use pulp::NullaryFnOnce;

/// Each of the numbers, widened. Both must have one length.
pub(super) fn widen(from: &[bf16], into: &mut [f32]) {
    assert_eq!(from.len(), into.len());
    vectorized(Widen { from, into });
}

/// The nearest to each of the numbers, of two the even one. A NaN stays a NaN. Both must have one length.
pub(super) fn round(from: &[f32], into: &mut [bf16]) {
    assert_eq!(from.len(), into.len());
    vectorized(Round { from, into });
}

/// The sums of weight and compensation, and the weight alone wherever the sum, rounded, is not the weight. All must have one
/// length.
pub(super) fn sums(weight: &[bf16], compensation: &[bf16], sums: &mut [f32]) {
    assert_eq!((weight.len(), compensation.len()), (sums.len(), sums.len()));
    vectorized(Sums {
        weight,
        compensation,
        sums,
    });
}

/// The numbers rounded, and what they lack; then the same of the sum of both, unless that is beyond the largest number or NaN:
/// there the number rounded once, and 0. All must have one length.
pub(super) fn split(exact: &[f32], rounded: &mut [bf16], errors: &mut [bf16]) {
    assert_eq!((rounded.len(), errors.len()), (exact.len(), exact.len()));
    vectorized(Split {
        exact,
        rounded,
        errors,
    });
}

#[inline(always)]
fn wide(number: bf16) -> f32 {
    f32::from_bits(u32::from(number.to_bits()) << 16)
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // shifted by 16 bits
fn nearest(number: f32) -> bf16 {
    let bits = number.to_bits();
    let is_odd = (bits >> 16) & 1;
    let rounded = bits.wrapping_add(0x7fff + is_odd);
    let quiet_nan = bits | 0x0040_0000;
    let bits = if number.is_nan() { quiet_nan } else { rounded };
    bf16::from_bits((bits >> 16) as u16)
}

struct Widen<'a> {
    from: &'a [bf16],
    into: &'a mut [f32],
}

impl NullaryFnOnce for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (into, from) in self.into.iter_mut().zip(self.from) {
            *into = wide(*from);
        }
    }
}

struct Round<'a> {
    from: &'a [f32],
    into: &'a mut [bf16],
}

impl NullaryFnOnce for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (into, from) in self.into.iter_mut().zip(self.from) {
            *into = nearest(*from);
        }
    }
}

struct Sums<'a> {
    weight: &'a [bf16],
    compensation: &'a [bf16],
    sums: &'a mut [f32],
}

impl NullaryFnOnce for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let both = self.weight.iter().zip(self.compensation);
        for (sum, (weight, compensation)) in self.sums.iter_mut().zip(both) {
            let weight = wide(*weight);
            let exact = weight + wide(*compensation);
            let is_weight = wide(nearest(exact)) == weight;
            *sum = if is_weight { exact } else { weight };
        }
    }
}

struct Split<'a> {
    exact: &'a [f32],
    rounded: &'a mut [bf16],
    errors: &'a mut [bf16],
}

impl NullaryFnOnce for Split<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let both = self.rounded.iter_mut().zip(self.errors);
        for (exact, (rounded, error)) in self.exact.iter().zip(both) {
            let once = nearest(*exact);
            let sum = wide(once) + wide(nearest(*exact - wide(once)));
            let twice = nearest(sum);
            let lacks = nearest(sum - wide(twice));
            let is_finite = wide(twice).is_finite();
            *rounded = if is_finite { twice } else { once };
            *error = if is_finite { lacks } else { bf16::ZERO };
        }
    }
}
