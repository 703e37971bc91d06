//! Numbers of bounded magnitude.

use crate::precision::accumulation_dtype;
use crate::rank::each_number;
use crate::tensor_list::TensorList;
use burn::backend::TensorMetadata as _;
use burn::tensor::{DType, Tensor};

/// Every number of every tensor, cut to `[−bound, bound]`, in the tensor's type, for half precision in `f32`. A NaN stays
/// NaN. If `bound` is not smaller than the largest number of a tensor's type, the tensor stays as it is.
///
/// One pass on the CPU backend, in place where the buffer is not shared.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{TensorList, clamp};
///
/// let numbers = Tensor::<1>::from_floats([-2.0, 0.5, f32::INFINITY], &Device::flex());
/// let clamped = clamp(TensorList::from(numbers), 1.0).pop::<1>().unwrap();
/// assert_eq!(clamped.into_data().to_vec::<f32>().unwrap(), [-1.0, 0.5, 1.0]);
/// ```
///
/// # Panics
///
/// If `bound` is negative or NaN.
pub fn clamp(tensors: TensorList, bound: f64) -> TensorList {
    assert_bound(bound);
    tensors.map_all(&|tensor| {
        if bound >= largest(tensor.dtype()) {
            return tensor;
        }
        #[cfg(feature = "flex")]
        if crate::flex::on_flex([&tensor]) {
            return crate::flex::clamp(tensor, bound);
        }
        each_number(tensor, |tensor| clamp_twin(tensor, bound))
    })
}

/// [`clamp`] of one tensor with tensor operations alone: the specification.
pub fn clamp_twin<const D: usize>(tensor: Tensor<D>, bound: f64) -> Tensor<D> {
    assert_bound(bound);
    let dtype = tensor.dtype();
    if tensor.dims().contains(&0) || bound >= largest(dtype) {
        return tensor;
    }
    let tensor = tensor.cast(accumulation_dtype(dtype));
    // Not every backend's clamp lets a NaN be.
    let nan = tensor.clone().is_nan();
    let clamped = tensor.clamp(-bound, bound).mask_fill(nan, f64::NAN);
    clamped.cast(dtype)
}

fn assert_bound(bound: f64) {
    assert!(bound >= 0.0, "a bound must not be negative, got {bound}");
}

/// The largest number of a type.
fn largest(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::MAX,
        DType::F16 => 65_504.0,
        DType::BF16 => 3.389_531_389_251_535_5e38,
        _ => f64::from(f32::MAX),
    }
}
