//! The choice between the kernels for GPUs and their twins.

/// Switches all kernels for GPUs on, as they are at first, or off, for the whole process: on GPU backends
/// [`sum_of_squares`](crate::sum_of_squares), [`scale`](crate::scale) with its variants,
/// [`clip_units`](crate::clip_units) with its variant, [`cautious`](fn@crate::cautious) and [`lerp_all`](crate::lerp_all) then
/// run their twins, [`number_of_norm`](crate::number_of_norm) gives no number,
/// [`change_together`](crate::change_together) gives its tensors back, and no step is [planned](crate::Step::plan), so that a
/// `FusedStep` steps one tensor at a time. [`TensorList::are_on_gpu`](crate::TensorList::are_on_gpu) and
/// [`AnyTensor::is_on_gpu`](crate::AnyTensor::is_on_gpu) then say that no tensor is.
///
/// It serves to measure kernels against their twins. Without one of this crate's GPU features there are no such
/// kernels, and nothing changes; the kernels of the CPU backend are not affected.
pub fn use_gpu_kernels(on: bool) {
    #[cfg(feature = "cube")]
    crate::cube::set_kernels(on);
    #[cfg(not(feature = "cube"))]
    let _ = on;
}
