//! Whether a spread is only rounding.

use burn::tensor::DType;

/// The distance from 1 to the next number of the type. For integers, which are exact, it is that of `f64`, in
/// which computations with them are done.
pub fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F32 | DType::Flex32 => f64::from(f32::EPSILON),
        DType::F16 => 2f64.powi(-10),
        DType::BF16 => 2f64.powi(-7),
        _ => f64::EPSILON,
    }
}

/// Whether a `spread` (a standard deviation, a range) of numbers of magnitude `size` is no more than their
/// rounding: at most `8 · epsilon · size`, where `epsilon` is that of the numbers' [type](epsilon).
///
/// Numbers that should be equal but are computed in two ways may differ by a few units in the last place, and
/// division by that difference would turn rounding noise into a signal of size 1. Around 0 no spread counts as
/// rounding, since small numbers have small rounding errors.
///
/// ```
/// use burn_tricks_core::is_rounding;
///
/// let (a, b) = (0.3, 0.1 + 0.2);
/// assert!(a != b && is_rounding(b - a, a, f64::EPSILON));
/// assert!(!is_rounding(1e-12, 0.0, f64::EPSILON));
/// ```
pub fn is_rounding(spread: f64, size: f64, epsilon: f64) -> bool {
    spread <= 8.0 * epsilon * size.abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{bf16, f16};

    #[test]
    fn an_epsilon_is_that_of_its_type() {
        assert_eq!(epsilon(DType::F16), f16::EPSILON.to_f64());
        assert_eq!(epsilon(DType::BF16), bf16::EPSILON.to_f64());
        assert_eq!(epsilon(DType::F32), f64::from(f32::EPSILON));
        for exact in [DType::F64, DType::I64, DType::U8] {
            assert_eq!(epsilon(exact), f64::EPSILON);
        }
    }

    #[test]
    fn the_bound_is_eight_units() {
        for epsilon in [epsilon(DType::F32), f64::EPSILON] {
            for size in [1.0, -1.0, 1e20, -1e-20] {
                let unit = epsilon * f64::abs(size);
                assert!(is_rounding(8.0 * unit, size, epsilon));
                assert!(!is_rounding(8.1 * unit, size, epsilon));
            }
            assert!(is_rounding(0.0, 0.0, epsilon));
            assert!(!is_rounding(f64::NAN, 1.0, epsilon));
        }
    }
}
