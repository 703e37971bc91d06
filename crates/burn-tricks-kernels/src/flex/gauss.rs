//! Normal numbers from uniform ones, without a branch, so that the compiler calculates with vector registers.
//!
//! Logarithm, sine and cosine are the polynomials of S. Moshier's Cephes library (`logf`, `sinf`, `cosf`).

use super::philox::GROUP;
use std::f32::consts::{FRAC_PI_2, LN_2, SQRT_2};

/// What `of` makes of a standard normal number for each of these random ones. Two random numbers make two normal ones.
#[inline(always)]
pub(super) fn normals_of<T>(bits: &[u32; GROUP], into: &mut [T; GROUP], of: impl Fn(f32) -> T) {
    for half in [0, GROUP / 2] {
        let (bits, angles) = bits[half..half + GROUP / 2].split_at(GROUP / 4);
        let (first, second) = into[half..half + GROUP / 2].split_at_mut(GROUP / 4);
        let pairs = first.iter_mut().zip(second).zip(bits.iter().zip(angles));
        for ((one, other), (bits, angle)) in pairs {
            let [z, w] = normals(unit(*bits), unit(*angle));
            *one = of(z);
            *other = of(w);
        }
    }
}

/// The method of Box and Muller: two standard normal numbers from `u` in (0, 1] and `turn`, an angle in turns, in [0, 1].
#[inline(always)]
fn normals(u: f32, turn: f32) -> [f32; 2] {
    let radius = (ln(u) * -2.0).sqrt();
    let [cos, sin] = cos_sin(turn);
    [radius * cos, radius * sin]
}

/// A number in (0, 1], from the upper 31 bits.
#[inline(always)]
fn unit(bits: u32) -> f32 {
    ((bits >> 1) as i32 as f32 + 0.5) * (1.0 / 2_147_483_648.0)
}

/// `ln u` for a normal number `u > 0`.
#[inline(always)]
fn ln(u: f32) -> f32 {
    let bits = u.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let mantissa = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000);
    let is_large = mantissa > SQRT_2;
    let x = if is_large { mantissa * 0.5 } else { mantissa } - 1.0;
    let exponent = (exponent + i32::from(is_large)) as f32;
    let mut y = 7.037_683_6e-2;
    for coefficient in [
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_7e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        0.333_333_3,
    ] {
        y = y * x + coefficient;
    }
    let square = x * x;
    x - 0.5 * square + y * x * square + exponent * LN_2
}

/// Cosine and sine of an angle in turns, in [0, 1].
#[inline(always)]
fn cos_sin(turn: f32) -> [f32; 2] {
    let quarters = turn * 4.0;
    // To the nearest whole number of quarters. Its last bits are found by an addition: a cast to an integer looks at one
    // number after the other, for those that no integer can hold.
    let nearest = (quarters + 0.5).floor();
    let quarter = (nearest + 8_388_608.0).to_bits() as i32;
    let x = (quarters - nearest) * FRAC_PI_2;
    let z = x * x;
    let sin = ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1) * z * x + x;
    let cos = ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * z * z - 0.5 * z + 1.0;
    let is_odd = quarter & 1 == 1;
    let (cos, sin) = if is_odd { (sin, cos) } else { (cos, sin) };
    // Cosine is negative in the quarters 1 and 2, sine in 2 and 3.
    let sign = |of: i32| ((of & 2) as u32) << 30;
    [
        f32::from_bits(cos.to_bits() ^ sign(quarter + 1)),
        f32::from_bits(sin.to_bits() ^ sign(quarter)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_sine_and_cosine_are_those_of_the_library() {
        for i in 0..=100_000 {
            let u = (i as f32 + 0.5) / 100_001.0;
            let expected = f64::from(u).ln();
            assert!(
                (f64::from(ln(u)) - expected).abs() <= 2e-7 * expected.abs(),
                "ln {u}"
            );
            let turn = i as f32 / 100_000.0;
            let (sin, cos) = (f64::from(turn) * std::f64::consts::TAU).sin_cos();
            let [got_cos, got_sin] = cos_sin(turn).map(f64::from);
            assert!(
                (got_cos - cos).abs() < 3e-7 && (got_sin - sin).abs() < 3e-7,
                "{turn}"
            );
        }
        for bits in [0, 2, 1 << 20] {
            let u = unit(bits);
            assert!(u > 0.0 && u < 1.0, "{u}");
            assert!(
                (f64::from(ln(u)) / f64::from(u).ln() - 1.0).abs() < 2e-7,
                "ln {u}"
            );
        }
        assert_eq!(ln(unit(u32::MAX)), 0.0);
    }
}
