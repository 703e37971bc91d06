//! A change of the float type.

use burn::tensor::{FloatDType, Tensor};

/// The tensor in another float type: Burn's `cast`, on the CPU backend with all threads between `f32` and half precision.
///
/// ```
/// use burn::tensor::{DType, Device, FloatDType, Tensor};
/// use burn_tricks_kernels::cast;
///
/// let numbers = Tensor::<1>::from_floats([1.0, 2.0], &Device::flex());
/// let half = cast(numbers, FloatDType::BF16);
/// assert_eq!(half.dtype(), DType::BF16);
/// ```
pub fn cast<const D: usize>(tensor: Tensor<D>, dtype: impl Into<FloatDType>) -> Tensor<D> {
    let dtype = dtype.into();
    #[cfg(feature = "flex")]
    let tensor: Tensor<D> = match crate::flex::cast(tensor.into(), dtype.into()) {
        Ok(done) => return done.into_tensor(),
        Err(not_ours) => not_ours.into_tensor(),
    };
    tensor.cast(dtype)
}
