//! Buffers that are used again.

use burn::tensor::Tensor;

/// Drops a tensor of `f32` and keeps its buffer for the next [`cast`](crate::cast()) to `f32` or
/// [`compensated`](crate::compensated) of this thread, on the CPU backend and if nobody else holds it.
///
/// Allocators return large buffers to the system, and to map the pages of a new one takes longer than to fill it. Each
/// thread keeps the last two buffers of 128 KB to 16 MB, until it ends. Smaller ones are not kept: the allocator keeps them
/// itself.
///
/// ```
/// use burn::tensor::{DType, Device, FloatDType, Tensor};
/// use burn_tricks_kernels::{cast, keep_buffer};
///
/// for _ in 0..2 {
///     let half = Tensor::<1>::ones([100_000], (&Device::flex(), DType::BF16));
///     let wide = cast(half, FloatDType::F32);
///     keep_buffer(wide); // the second time `cast` writes to it
/// }
/// ```
pub fn keep_buffer<const D: usize>(tensor: Tensor<D>) {
    #[cfg(feature = "flex")]
    crate::flex::keep_buffer(tensor.into());
    #[cfg(not(feature = "flex"))]
    drop(tensor);
}
