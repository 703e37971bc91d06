//! The choice between the kernels for GPUs and their twins.

/// Switches the kernels for GPUs on, as they are at first, or off, for the whole process: on GPU backends
/// [`sum_of_squares`](crate::sum_of_squares), [`scale`](crate::scale) with its variants,
/// [`clip_units`](crate::clip_units) with its variant and [`lerp_all`](crate::lerp_all) then run their twins, and no step is
/// [planned](crate::Step::plan), so that a `FusedStep` steps one tensor at a time.
///
/// It serves to measure kernels against their twins. Without one of this crate's GPU features there are no such
/// kernels, and nothing changes; the kernels of the CPU backend are not affected.
pub fn use_gpu_kernels(on: bool) {
    #[cfg(feature = "cube")]
    crate::cube::set_kernels(on);
    #[cfg(not(feature = "cube"))]
    let _ = on;
}
