//! The kernels of Burn's GPU backends, written in CubeCL, which compiles them for CUDA, ROCm, Vulkan, Metal and WebGPU.
//!
//! Written here is what stays several passes after Burn's `fusion` has merged the twin's operations, and what is done to
//! many tensors, for each of which `fusion` would launch a kernel. For `fusion` each kernel is a closed box: it is merged
//! with no operation before or after it.

mod dispatch;
mod fusion;
mod many;
mod memory_order;
mod scale;
mod squares;
mod steps;
mod sum_of_squares;
mod tensor_numbers;
mod unit_clip;

pub(crate) use dispatch::{
    are_on_cube, change, clip_units, fit, fit_times, number_of_norm, scale, set_kernels, steps,
    steps_with, sum_of_squares,
};

use crate::special_factor::SpecialFactor;
use crate::trace::{NumberTrace, Trace};
use crate::unit_clip::UnitClip;
use burn::backend::BackendTypes;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use std::sync::Arc;

/// What this crate adds to Burn's GPU backend, with and without `fusion`. All tensors are on one device, none is empty, and
/// there is at least one.
trait GpuKernels: BackendTypes {
    /// `scale` and `Σ (x/scale)²`.
    fn sum_of_squares(tensors: Vec<FloatTensor<Self>>) -> [FloatTensor<Self>; 2];

    /// The number that `trace` makes of `scale` and `√Σ (x/scale)²`, in a tensor of one `f32`.
    fn number_of_norm(trace: Arc<Trace>, tensors: Vec<FloatTensor<Self>>) -> FloatTensor<Self>;

    /// The tensors times a factor, a tensor of one `f32`.
    fn scale(
        tensors: Vec<FloatTensor<Self>>,
        factor: FloatTensor<Self>,
        special: SpecialFactor,
    ) -> Vec<FloatTensor<Self>>;

    /// The step of each weight: the tensors are a weight, its gradient and its states, the next weight, and so on; of the
    /// result, the new weight and its states, and so on. Those of one weight have one shape, and the states are `f32`. The
    /// last tensor has the number of each weight, if the steps need it. With a factor, a tensor of one `f32`, the gradients
    /// are multiplied by it first.
    fn steps(
        trace: Arc<Trace>,
        factor: Option<(FloatTensor<Self>, SpecialFactor)>,
        tensors: Vec<FloatTensor<Self>>,
    ) -> Vec<FloatTensor<Self>>;

    /// The number of each item, in one tensor of `f32`: the tensors are those of an item, which have one shape and type,
    /// those of the next, and so on.
    fn tensor_numbers(
        trace: Arc<NumberTrace>,
        tensors: Vec<FloatTensor<Self>>,
    ) -> FloatTensor<Self>;

    /// The clipped gradients; the tensors are a weight and its gradient, of one shape and type, the next weight, and so on,
    /// with an axis for each pair.
    fn clip_units(
        clip: UnitClip,
        tensors: Vec<FloatTensor<Self>>,
        axes: Arc<[Option<usize>]>,
    ) -> Vec<FloatTensor<Self>>;
}

impl GpuKernels for CubeBackend {
    fn sum_of_squares(tensors: Vec<CubeTensor>) -> [CubeTensor; 2] {
        let (sums, _) = sum_of_squares::sum_of_squares(tensors, None);
        sums
    }

    fn number_of_norm(trace: Arc<Trace>, tensors: Vec<CubeTensor>) -> CubeTensor {
        let (_, number) = sum_of_squares::sum_of_squares(tensors, Some(&trace));
        number.expect("it is asked for")
    }

    fn scale(
        tensors: Vec<CubeTensor>,
        factor: CubeTensor,
        special: SpecialFactor,
    ) -> Vec<CubeTensor> {
        scale::scale(tensors, &factor, special)
    }

    fn steps(
        trace: Arc<Trace>,
        factor: Option<(CubeTensor, SpecialFactor)>,
        tensors: Vec<CubeTensor>,
    ) -> Vec<CubeTensor> {
        steps::steps(&trace, factor, tensors)
    }

    fn tensor_numbers(trace: Arc<NumberTrace>, tensors: Vec<CubeTensor>) -> CubeTensor {
        tensor_numbers::tensor_numbers(&trace, tensors)
    }

    fn clip_units(
        clip: UnitClip,
        tensors: Vec<CubeTensor>,
        axes: Arc<[Option<usize>]>,
    ) -> Vec<CubeTensor> {
        unit_clip::clip_units(clip, tensors, &axes)
    }
}
