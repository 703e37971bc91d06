//! The precision in which running sums are kept, and the range in which numbers are divided.

use burn::tensor::{DType, FloatDType, Tensor};

/// The float type in which to accumulate numbers of type `dtype`: `f32` for the half-precision
/// types, whose sums overflow (`f16` above 65 504) or stop growing (eight bits of `bf16`), the type
/// itself for `f32` and `f64`.
pub fn accumulation_dtype(dtype: DType) -> FloatDType {
    match dtype {
        DType::F64 => FloatDType::F64,
        _ => FloatDType::F32,
    }
}

/// By what numbers whose largest magnitude is `largest` can be divided before they are squared: `largest` itself where
/// possible.
///
/// The result is 1 if `largest` is infinite or NaN, and at least the smallest normal number. It is at most 2¹²⁶ (`f32`)
/// or 2¹⁰²² (`f64`), so that its reciprocal is a normal number too: a GPU divides by multiplying with the reciprocal, and
/// takes a subnormal one for 0. So quotients can be as large as 4.
pub fn safe_divisor<const D: usize>(largest: Tensor<D>) -> Tensor<D> {
    let moot = largest.clone().is_finite().bool_not();
    let smallest_normal = match largest.dtype() {
        DType::F64 => f64::MIN_POSITIVE,
        _ => f64::from(f32::MIN_POSITIVE),
    };
    largest
        .mask_fill(moot, 1.0)
        .clamp(smallest_normal, smallest_normal.recip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_accumulate_in_f32() {
        assert_eq!(accumulation_dtype(DType::F16), FloatDType::F32);
        assert_eq!(accumulation_dtype(DType::BF16), FloatDType::F32);
        assert_eq!(accumulation_dtype(DType::F32), FloatDType::F32);
        assert_eq!(accumulation_dtype(DType::F64), FloatDType::F64);
    }
}
