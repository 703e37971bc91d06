//! The numbers that describe a tensor at a glance.

#[cfg(feature = "flex")]
use crate::any_tensor::AnyTensor;
use crate::precision::accumulation_dtype;
use crate::sum_of_squares::{SumOfSquares, sum_of_squares};
use crate::tensor_list::TensorList;
use burn::tensor::{DType, FloatDType, Tensor};

/// How many numbers a [`summary`] has.
pub const SUMMARY: usize = 9;

/// Describes the numbers of a tensor by [`SUMMARY`] numbers, a tensor in `f32`; all are 0 if there is none:
///
/// 1. the Euclidean norm, which is infinite or NaN if and only if one of the numbers is, or exceeds `f32`,
/// 2. the mean,
/// 3. the standard deviation, with divisor n,
/// 4. the smallest number, NaN if one is NaN,
/// 5. the largest number, NaN if one is NaN,
/// 6. the share of numbers that are exactly 0,
/// 7. the share of those that are NaN or infinite,
/// 8. the share of those of a magnitude above 0.99,
/// 9. the share of those below 0.01.
///
/// For `f32` on the CPU backend this is one read of the tensor, summed in `f64` in an order that does not depend on the
/// number of threads. Nothing is read from another device, and nothing is differentiated.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::summary;
///
/// let numbers = Tensor::<1>::from_floats([3.0, 0.0, -4.0, 1.0], &Device::flex());
/// let [norm, mean, ..] = summary(&numbers).into_data().to_vec::<f32>().unwrap()[..] else { unreachable!() };
/// assert_eq!((norm, mean), (26f32.sqrt(), 0.0));
/// ```
pub fn summary<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    let tensor = tensor.clone().without_autodiff();
    #[cfg(feature = "flex")]
    let tensor = {
        let tensor = AnyTensor::from(tensor);
        if let Some(numbers) = crate::flex::summary(&tensor) {
            return numbers;
        }
        tensor.into_tensor::<D>()
    };
    summary_twin(&tensor)
}

/// [`summary`] with tensor operations alone: the specification.
pub fn summary_twin<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    let values = tensor.clone().without_autodiff().cast(FloatDType::F32);
    let device = values.device();
    let count = values.dims().iter().product::<usize>();
    if count == 0 {
        return Tensor::zeros([SUMMARY], (&device, DType::F32));
    }
    let share = |mask: Tensor<D, burn::tensor::Bool>| mask.float().cast(FloatDType::F32).mean();
    let mean = values.clone().mean();
    let centred = values.clone() - mean.clone().reshape([1; D]);
    let is_nan = values.clone().is_nan().any();
    let unless_nan = |number: Tensor<1>| number.mask_fill(is_nan.clone(), f32::NAN);
    let parts = vec![
        norm_twin(&values),
        mean,
        norm_twin(&centred) / (count as f64).sqrt(),
        unless_nan(values.clone().min()),
        unless_nan(values.clone().max()),
        share(values.clone().equal_elem(0.0)),
        share(values.clone().is_finite().bool_not()),
        share(values.clone().abs().greater_elem(0.99)),
        share(values.lower_elem(0.01)),
    ];
    Tensor::cat(parts, 0)
}

/// The Euclidean norm of a tensor, in `f32`, a tensor of one element; 0 if it has no elements. It is infinite or NaN if and only
/// if one of the numbers is, or exceeds `f32`.
///
/// The root of [`sum_of_squares`](fn@sum_of_squares), which for tensors of up to a million numbers on the CPU backend is less
/// work for one thread than to wake up others. Nothing is differentiated.
pub fn norm<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    let tensor = tensor.clone().without_autodiff();
    #[cfg(feature = "flex")]
    let tensor = {
        let tensor = AnyTensor::from(tensor);
        if let Some(norm) = crate::flex::norm(&tensor) {
            return norm;
        }
        tensor.into_tensor::<D>()
    };
    norm_twin(&tensor)
}

/// [`norm`] by [`sum_of_squares`](fn@sum_of_squares): the specification.
pub fn norm_twin<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    let tensor = tensor.clone().without_autodiff();
    let device = tensor.device();
    match sum_of_squares(&TensorList::from(tensor)) {
        Some(SumOfSquares { scale, sum }) => (scale * sum.sqrt()).cast(FloatDType::F32),
        None => Tensor::zeros([1], (&device, DType::F32)),
    }
}

/// The smallest and the largest number of each unit, in the type of the tensor, where units are counted by `axis`; NaN for a
/// unit that has one. Nothing is differentiated.
///
/// For `f32` on the CPU backend this is one read of the tensor.
///
/// # Panics
///
/// If the tensor has no such axis, or no elements.
pub fn unit_ranges<const D: usize>(tensor: &Tensor<D>, axis: usize) -> [Tensor<1>; 2] {
    assert!(axis < D, "a tensor of rank {D} has no axis {axis}");
    let tensor = tensor.clone().without_autodiff();
    #[cfg(feature = "flex")]
    let tensor = {
        let shape = tensor.dims();
        let tensor = AnyTensor::from(tensor);
        if let Some(ranges) = crate::flex::unit_ranges(&tensor, &shape, axis) {
            return ranges;
        }
        tensor.into_tensor::<D>()
    };
    unit_ranges_twin(&tensor, axis)
}

/// [`unit_ranges`] with tensor operations alone: the specification.
///
/// # Panics
///
/// As [`unit_ranges`].
pub fn unit_ranges_twin<const D: usize>(tensor: &Tensor<D>, axis: usize) -> [Tensor<1>; 2] {
    assert!(axis < D, "a tensor of rank {D} has no axis {axis}");
    let tensor = tensor.clone().without_autodiff();
    let units = tensor.dims()[axis];
    assert!(!tensor.dims().contains(&0), "a tensor without elements");
    let others = || (0..D).filter(|dim| *dim != axis);
    let is_nan = others().fold(tensor.clone().is_nan().int(), |some, dim| some.max_dim(dim));
    let is_nan = is_nan.greater_elem(0);
    let over = |reduce: fn(Tensor<D>, usize) -> Tensor<D>| {
        let reduced = others().fold(tensor.clone(), reduce);
        reduced.mask_fill(is_nan.clone(), f32::NAN).reshape([units])
    };
    [
        over(|values, dim| values.min_dim(dim)),
        over(|values, dim| values.max_dim(dim)),
    ]
}

/// The Euclidean distance of two tensors of one shape and type, `‖one − other‖`, in `f32`, a tensor of one element; 0 if they
/// have no elements.
///
/// Tensors in half precision are subtracted in `f32`, those in `f64` in `f64`. For `f32` on the CPU backend this is one read of
/// both, summed in `f64`. Nothing is differentiated.
pub fn distance<const D: usize>(one: &Tensor<D>, other: &Tensor<D>) -> Tensor<1> {
    let [one, other] = [one, other].map(|tensor| tensor.clone().without_autodiff());
    #[cfg(feature = "flex")]
    let [one, other] = {
        let both = [one, other].map(AnyTensor::from);
        if let Some(number) = crate::flex::distance(&both) {
            return number;
        }
        both.map(AnyTensor::into_tensor::<D>)
    };
    distance_twin(&one, &other)
}

/// [`distance`] with tensor operations alone: the specification.
pub fn distance_twin<const D: usize>(one: &Tensor<D>, other: &Tensor<D>) -> Tensor<1> {
    let [one, other] = [one, other].map(|tensor| {
        let wide = accumulation_dtype(tensor.dtype());
        tensor.clone().without_autodiff().cast(wide)
    });
    norm_twin(&(one - other))
}
