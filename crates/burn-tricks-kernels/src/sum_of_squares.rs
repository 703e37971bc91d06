//! The sum of squares, from which Euclidean norms are computed.

use crate::any_tensor::AnyTensor;
use crate::precision::{accumulation_dtype, safe_divisor};
use crate::tensor_list::TensorList;
use burn::backend::DispatchTensor;
use burn::tensor::{DType, FloatDType, Tensor};

/// `Σ x² = scale² · sum`, as two numbers on the device, since the product may overflow although neither factor
/// does. `sum` is infinite or NaN if and only if one of the numbers is.
#[derive(Debug, Clone)]
pub struct SumOfSquares {
    /// A positive number, a tensor of one element.
    pub scale: Tensor<1>,
    /// The sum of squares of the numbers divided by `scale`, a tensor of one element in the type of `scale`.
    pub sum: Tensor<1>,
}

/// The sum of the squares of all numbers in all tensors; `None` when there is no number.
///
/// On the CPU backend this is one read of the tensors, summed in `f64` in an order that does not depend on the
/// number of threads. Squares of `f32` numbers do not overflow, and `scale` is 1 unless `f64` would overflow.
/// On a GPU it is one read too, by one kernel for dozens of tensors, and a last one: in `f32`, with sums of their own for
/// numbers whose squares are too large or too small for it, in an order that depends on the sizes alone. There up to 2³²
/// numbers of any size do not overflow.
/// The twin reads the tensors twice: first to find the largest magnitude, by which all numbers are divided.
/// Nothing is read from another device. The result is in `f64` if a tensor is `f64` or if the CPU kernel
/// computes it, otherwise in `f32`. It is on the device of the first tensor.
pub fn sum_of_squares(tensors: &TensorList) -> Option<SumOfSquares> {
    #[cfg(feature = "flex")]
    if crate::flex::on_flex(&tensors.0) {
        let (scale, sum) = crate::flex::sum_of_squares(&tensors.0)?;
        return Some(SumOfSquares { scale, sum });
    }
    #[cfg(feature = "cube")]
    if crate::cube::are_on_cube(&tensors.0) {
        let (scale, sum) = crate::cube::sum_of_squares(&tensors.0)?;
        return Some(SumOfSquares { scale, sum });
    }
    sum_of_squares_twin(tensors)
}

/// [`sum_of_squares`] with tensor operations alone: the specification.
pub fn sum_of_squares_twin(tensors: &TensorList) -> Option<SumOfSquares> {
    let parts: Vec<_> = tensors.0.iter().filter_map(part).collect();
    let device = parts.first()?.sum.device();
    let dtype = if parts.iter().any(|part| part.sum.dtype() == DType::F64) {
        FloatDType::F64
    } else {
        FloatDType::F32
    };
    let here = |tensor: Tensor<1>| tensor.cast(dtype).to_device(&device);
    let (scales, sums): (Vec<_>, Vec<_>) = parts
        .into_iter()
        .map(|part| (here(part.scale), here(part.sum)))
        .unzip();
    let (scales, sums) = (Tensor::cat(scales, 0), Tensor::cat(sums, 0));
    let scale = scales.clone().max();
    let sum = (sums * (scales / scale.clone()).square()).sum();
    Some(SumOfSquares { scale, sum })
}

/// The sum over one tensor; `None` if it has no elements.
fn part(tensor: &DispatchTensor) -> Option<SumOfSquares> {
    let tensor = AnyTensor::new(tensor.clone());
    if tensor.is_empty() {
        return None;
    }
    let wide = accumulation_dtype(tensor.dtype());
    let tensor = tensor.cast(wide);
    // With an infinite or NaN element the scale is moot: the sum shows it.
    let scale = safe_divisor(tensor.clone().max_abs());
    let divisor = tensor.fitted(&scale);
    let sum = (tensor / divisor).square().sum();
    Some(SumOfSquares { scale, sum })
}
