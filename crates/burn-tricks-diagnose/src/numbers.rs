//! Statistics of tensors as tensors of few numbers, in `f32`.

use burn::tensor::{FloatDType, Tensor};
use burn_tricks_kernels::{SumOfSquares, TensorList, numbers, sum_of_squares};

/// One tensor of all numbers, on the device of the first; `None` if there are none.
pub(crate) fn join(parts: Vec<Tensor<1>>) -> Option<Tensor<1>> {
    let device = parts.first()?.device();
    let here = |part: Tensor<1>| part.cast(FloatDType::F32).to_device(&device);
    Some(Tensor::cat(parts.into_iter().map(here).collect(), 0))
}

/// The Euclidean norm of a tensor that has elements.
pub(crate) fn norm<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    match sum_of_squares(&TensorList::from(tensor.clone())) {
        Some(SumOfSquares { scale, sum }) => (scale * sum.sqrt()).cast(FloatDType::F32),
        None => Tensor::zeros([1], &tensor.device()),
    }
}

/// The share of elements that are exactly 0.
pub(crate) fn zeros<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    tensor.clone().equal_elem(0.0).float().mean()
}

/// The share of elements that are NaN or infinite.
pub(crate) fn non_finite<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    tensor.clone().is_finite().bool_not().float().mean()
}

/// Reads numbers from the device; none if there is no tensor.
pub(crate) fn read(tensor: &Tensor<1>) -> Vec<f64> {
    #[allow(clippy::disallowed_methods)] // a diagnosis was asked for
    let data = tensor.to_data();
    numbers(&data)
}

/// The first number of a tensor.
pub(crate) fn number(tensor: Option<&Tensor<1>>) -> Option<f64> {
    tensor.and_then(|tensor| read(tensor).first().copied())
}
