//! The precision in which running sums are kept.

use burn::tensor::{DType, FloatDType};

/// The float type in which to accumulate numbers of type `dtype`: `f32` for the half-precision
/// types, whose sums overflow (`f16` above 65 504) or stop growing (eight bits of `bf16`), the type
/// itself for `f32` and `f64`.
pub fn accumulation_dtype(dtype: DType) -> FloatDType {
    match dtype {
        DType::F64 => FloatDType::F64,
        _ => FloatDType::F32,
    }
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
