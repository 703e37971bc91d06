//! Statistics of tensors as tensors of few numbers, in `f32`.

use burn::tensor::{DType, FloatDType, Tensor};
pub(crate) use burn_tricks_kernels::norm;
use burn_tricks_kernels::{TensorList, numbers, sum_of_squares, summary};

/// One tensor of all numbers, on the device of the first; `None` if there are none.
pub(crate) fn join(parts: Vec<Tensor<1>>) -> Option<Tensor<1>> {
    let device = parts.first()?.device();
    let here = |part: Tensor<1>| part.cast(FloatDType::F32).to_device(&device);
    Some(Tensor::cat(parts.into_iter().map(here).collect(), 0))
}

/// What [`summary`](fn@summary) says of a tensor, in its order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said {
    Norm = 0,
    Mean = 1,
    Deviation = 2,
    Smallest = 3,
    Largest = 4,
    Zeros = 5,
    NonFinite = 6,
    BeyondOne = 7,
    NearZero = 8,
}

/// These numbers of a tensor, one after the other.
pub(crate) fn said<const D: usize>(tensor: &Tensor<D>, which: &[Said]) -> Vec<Tensor<1>> {
    let all = summary(tensor);
    let one = |said: &Said| all.clone().narrow(0, *said as usize, 1);
    which.iter().map(one).collect()
}

/// A number that is finite if and only if all numbers of the tensor are: the sixteenth root of the sum of their squares, which
/// `f32` can hold whatever finite number of `f64` the sum is. 0 if there are none. Nothing is differentiated.
pub(crate) fn finite_if_all_are<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    let tensor = tensor.clone().without_autodiff();
    let device = tensor.device();
    match sum_of_squares(&TensorList::from(tensor)) {
        Some(of) => of.sum.sqrt().sqrt().sqrt().sqrt().cast(FloatDType::F32),
        None => Tensor::zeros([1], (&device, DType::F32)),
    }
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
