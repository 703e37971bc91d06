//! `bf16` from and to `f32`, as loops without branches, which become vector instructions.
//!
//! The crate `half` converts `bf16` number by number, in twice the time. (For `f16` it has the processor's instructions.)

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

struct Widen<'a> {
    from: &'a [bf16],
    into: &'a mut [f32],
}

impl NullaryFnOnce for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (into, from) in self.into.iter_mut().zip(self.from) {
            *into = f32::from_bits(u32::from(from.to_bits()) << 16);
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
    #[allow(clippy::cast_possible_truncation)] // shifted by 16 bits
    fn call(self) {
        for (into, from) in self.into.iter_mut().zip(self.from) {
            let bits = from.to_bits();
            let is_odd = (bits >> 16) & 1;
            let rounded = bits.wrapping_add(0x7fff + is_odd);
            let quiet_nan = bits | 0x0040_0000;
            let bits = if from.is_nan() { quiet_nan } else { rounded };
            *into = bf16::from_bits((bits >> 16) as u16);
        }
    }
}
