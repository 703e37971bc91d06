//! The kernels of Burn's GPU backends, written in CubeCL, which compiles them for CUDA, ROCm, Vulkan, Metal and WebGPU.
//!
//! Only what stays several passes after Burn's `fusion` has merged the twin's operations is written here. For
//! `fusion` each kernel is a closed box: it is merged with no operation before or after it.

mod dispatch;
mod fusion;
mod memory_order;
mod scale;
mod sum_of_squares;

pub(crate) use dispatch::{are_on_cube, scale, set_kernels, sum_of_squares};

use crate::special_factor::SpecialFactor;
use burn::backend::BackendTypes;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

/// What this crate adds to Burn's GPU backend, with and without `fusion`.
trait GpuKernels: BackendTypes {
    /// `scale` and `Σ (x/scale)²` of at least one tensor, none of them empty, all on one device.
    fn sum_of_squares(tensors: Vec<FloatTensor<Self>>) -> [FloatTensor<Self>; 2];

    /// The tensor times a factor, a tensor of one `f32` on the same device.
    fn scale(
        tensor: FloatTensor<Self>,
        factor: FloatTensor<Self>,
        special: SpecialFactor,
    ) -> FloatTensor<Self>;
}

impl GpuKernels for CubeBackend {
    fn sum_of_squares(tensors: Vec<CubeTensor>) -> [CubeTensor; 2] {
        sum_of_squares::sum_of_squares(tensors)
    }

    fn scale(tensor: CubeTensor, factor: CubeTensor, special: SpecialFactor) -> CubeTensor {
        scale::scale(tensor, factor, special)
    }
}
