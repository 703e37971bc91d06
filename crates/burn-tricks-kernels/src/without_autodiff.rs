//! Tensors that leave autodiff.

use crate::any_tensor::AnyTensor;
use burn::backend::{
    AutodiffBackend, Dispatch, DispatchAutodiffContext, DispatchTensor, TensorMetadata as _,
};
use burn::tensor::{DType, Tensor};

/// The tensor without autodiff, like `tensor.without_autodiff()`.
///
/// Burn asks the tensor for its device to see whether autodiff knows it, which takes an allocation for each tensor that it
/// knows. This function looks at the tensor alone: in a walk over thousands of small weights the difference counts.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::without_autodiff;
///
/// let tensor = Tensor::<1>::ones([2], &Device::flex().autodiff()).require_grad();
/// assert!(!without_autodiff(tensor).is_autodiff());
/// ```
pub fn without_autodiff<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.gradient_checkpointing_strategy().is_none() {
        return tensor;
    }
    AnyTensor::from(tensor).without_autodiff().into_tensor()
}

impl AnyTensor {
    /// [`without_autodiff`] for a tensor of any rank.
    pub(crate) fn without_autodiff(self) -> Self {
        Self::new(inner(self.0.open()))
    }
}

fn inner(tensor: DispatchTensor) -> DispatchTensor {
    if tensor.autodiff == DispatchAutodiffContext::Disabled {
        return tensor;
    }
    match tensor.dtype() {
        DType::QFloat(_) => Dispatch::q_inner(tensor),
        _ => Dispatch::inner(tensor),
    }
}
