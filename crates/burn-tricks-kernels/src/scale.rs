//! Multiplication by a number that lies on the device.

use crate::rank::with_rank;
use crate::{TensorList, accumulation_dtype};
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::Tensor;

/// Multiplies every tensor by `factor`, a tensor of one element, in `f32` (`f64` for `f64`).
///
/// One pass on the CPU backend, in place where nobody else holds the buffer; and none at all, not
/// one write, if the factor is 1 there. Nothing is read from another device.
pub fn scale(tensors: TensorList, factor: &Tensor<1>) -> TensorList {
    scaled(tensors, factor, AtZero::Multiply)
}

/// As [`scale`], and a factor of 0 makes everything 0, where a product would leave a NaN a NaN.
pub fn scale_or_zero(tensors: TensorList, factor: &Tensor<1>) -> TensorList {
    scaled(tensors, factor, AtZero::Erase)
}

/// What a factor of 0 does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AtZero {
    Multiply,
    Erase,
}

fn scaled(tensors: TensorList, factor: &Tensor<1>, at_zero: AtZero) -> TensorList {
    #[cfg(feature = "flex")]
    let tensors = {
        let known = crate::flex::scalar(&factor.clone().into_dispatch());
        match known.filter(|_| crate::flex::on_flex(&tensors.0)) {
            Some(1.0) => return tensors,
            Some(factor) => {
                return TensorList::map_all(tensors.0.into(), move |tensor| {
                    crate::flex::scale(tensor, factor, at_zero)
                });
            }
            None => tensors,
        }
    };
    TensorList::map_all(tensors.0.into(), |tensor| twin(tensor, factor, at_zero))
}

fn twin(tensor: DispatchTensor, factor: &Tensor<1>, at_zero: AtZero) -> DispatchTensor {
    with_rank!(tensor.rank(), D => {
        scale_twin_at(Tensor::<D>::from_dispatch(tensor), factor, at_zero).into_dispatch()
    })
}

/// [`scale`] of one tensor with tensor operations alone: the specification.
pub fn scale_twin<const D: usize>(tensor: Tensor<D>, factor: &Tensor<1>) -> Tensor<D> {
    scale_twin_at(tensor, factor, AtZero::Multiply)
}

/// [`scale_or_zero`] of one tensor with tensor operations alone: the specification.
pub fn scale_or_zero_twin<const D: usize>(tensor: Tensor<D>, factor: &Tensor<1>) -> Tensor<D> {
    scale_twin_at(tensor, factor, AtZero::Erase)
}

fn scale_twin_at<const D: usize>(
    tensor: Tensor<D>,
    factor: &Tensor<1>,
    at_zero: AtZero,
) -> Tensor<D> {
    let (device, dtype, shape) = (tensor.device(), tensor.dtype(), tensor.dims());
    if shape.contains(&0) {
        return tensor;
    }
    let wide = accumulation_dtype(dtype);
    // In the precision of the factor, which half precision could not hold.
    let factor = factor.clone().to_device(&device).cast(wide);
    let product = (tensor.cast(wide) * factor.clone().unsqueeze()).cast(dtype);
    match at_zero {
        AtZero::Multiply => product,
        AtZero::Erase => {
            let zero = factor.equal_elem(0.0).unsqueeze::<D>();
            product.mask_fill(zero.expand(shape), 0.0)
        }
    }
}
