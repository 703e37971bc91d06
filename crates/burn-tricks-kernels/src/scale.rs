//! Multiplication by a number that lies on the device.

use crate::precision::accumulation_dtype;
use crate::rank::each_number;
use crate::special_factor::SpecialFactor;
use crate::tensor_list::TensorList;
use burn::backend::DispatchTensor;
#[cfg(feature = "cube")]
use burn::tensor::FloatDType;
use burn::tensor::Tensor;

/// Multiplies every tensor by `factor`, a tensor of one element, in `f32` (`f64` for `f64`).
///
/// One pass on the CPU backend and on GPUs, in place where the buffer is not shared; on a GPU one launch for dozens of
/// tensors. If the factor is 1, no number is read or written; on a GPU the kernel is launched nevertheless, and numbers in
/// a shared buffer are copied.
/// Nothing is read from another device.
pub fn scale(tensors: TensorList, factor: &Tensor<1>) -> TensorList {
    scaled(tensors, factor, SpecialFactor::None)
}

/// Like [`scale`], but a factor of 0 makes everything 0, even NaN.
pub fn scale_or_zero(tensors: TensorList, factor: &Tensor<1>) -> TensorList {
    scaled(tensors, factor, SpecialFactor::ZeroErases)
}

/// Like [`scale`], but a factor of NaN makes everything NaN, also on devices whose products do not propagate
/// NaN.
pub fn scale_or_nan(tensors: TensorList, factor: &Tensor<1>) -> TensorList {
    scaled(tensors, factor, SpecialFactor::NanMarks)
}

pub(crate) fn scaled(
    tensors: TensorList,
    factor: &Tensor<1>,
    special: SpecialFactor,
) -> TensorList {
    #[cfg(feature = "flex")]
    let tensors = {
        let known = crate::flex::scalar(&factor.clone().into_dispatch());
        match known.filter(|_| crate::flex::on_flex(&tensors.0)) {
            Some(1.0) => return tensors,
            Some(factor) => {
                return tensors.map_all(&|tensor| crate::flex::scale(tensor, factor, special));
            }
            None => tensors,
        }
    };
    #[cfg(feature = "cube")]
    {
        let factor = as_f32(factor);
        if crate::cube::are_on_cube(tensors.0.iter().chain([&factor])) {
            return TensorList::of(crate::cube::scale(tensors.0.open(), factor, special));
        }
    }
    tensors.map_all(&|tensor| twin(tensor, factor, special))
}

/// As the kernels of a GPU read it.
#[cfg(feature = "cube")]
pub(crate) fn as_f32(factor: &Tensor<1>) -> DispatchTensor {
    factor.clone().cast(FloatDType::F32).into_dispatch()
}

fn twin(tensor: DispatchTensor, factor: &Tensor<1>, special: SpecialFactor) -> DispatchTensor {
    each_number(tensor, |tensor| scale_twin_at(tensor, factor, special))
}

/// [`scale`] of one tensor with tensor operations alone: the specification.
pub fn scale_twin<const D: usize>(tensor: Tensor<D>, factor: &Tensor<1>) -> Tensor<D> {
    scale_twin_at(tensor, factor, SpecialFactor::None)
}

/// [`scale_or_zero`] of one tensor with tensor operations alone: the specification.
pub fn scale_or_zero_twin<const D: usize>(tensor: Tensor<D>, factor: &Tensor<1>) -> Tensor<D> {
    scale_twin_at(tensor, factor, SpecialFactor::ZeroErases)
}

/// [`scale_or_nan`] of one tensor with tensor operations alone: the specification.
pub fn scale_or_nan_twin<const D: usize>(tensor: Tensor<D>, factor: &Tensor<1>) -> Tensor<D> {
    scale_twin_at(tensor, factor, SpecialFactor::NanMarks)
}

fn scale_twin_at<const D: usize>(
    tensor: Tensor<D>,
    factor: &Tensor<1>,
    special: SpecialFactor,
) -> Tensor<D> {
    let (device, dtype, shape) = (tensor.device(), tensor.dtype(), tensor.dims());
    if shape.contains(&0) {
        return tensor;
    }
    let wide = accumulation_dtype(dtype);
    // In the precision of the factor, which half precision could not hold.
    let factor = factor.clone().to_device(&device).cast(wide);
    let product = (tensor.cast(wide) * factor.clone().unsqueeze()).cast(dtype);
    let (here, value) = match special {
        SpecialFactor::None => return product,
        SpecialFactor::ZeroErases => (factor.equal_elem(0.0), 0.0),
        SpecialFactor::NanMarks => (factor.is_nan(), f64::NAN),
    };
    product.mask_fill(here.unsqueeze::<D>().expand(shape), value)
}
