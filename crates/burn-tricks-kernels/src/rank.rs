//! Turns a rank known at run time into a rank known at compile time.

use burn::backend::ops::FloatTensorOps as _;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata as _};
use burn::tensor::{Shape, Tensor};

/// `with_rank!(rank, D => { body })`: the body with `const D: usize`, for Burn's ranks, 0 to 8. It is compiled nine times.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{AnyTensor, with_rank};
///
/// fn sum(tensor: AnyTensor) -> Tensor<1> {
///     with_rank!(tensor.rank(), D => { tensor.into_tensor::<D>().sum() })
/// }
///
/// let ones = Tensor::<3>::ones([2, 3, 4], &Device::flex());
/// assert_eq!(sum(ones.into()).into_scalar::<f32>(), 24.0);
/// ```
///
/// # Panics
///
/// If the rank is above 8.
#[macro_export]
macro_rules! with_rank {
    ($rank:expr, $d:ident => $body:block) => {
        $crate::with_rank!(@ $rank, $d, $body, 0 1 2 3 4 5 6 7 8)
    };
    (@ $rank:expr, $d:ident, $body:block, $($n:literal)*) => {
        match $rank {
            $($n => {
                const $d: usize = $n;
                $body
            })*
            rank => panic!("Burn has no tensors of rank {rank}"),
        }
    };
}
pub(crate) use with_rank;

/// The same numbers in one dimension.
pub(crate) fn flattened(tensor: DispatchTensor) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    Tensor::from_dispatch(reshaped(tensor, Shape::new([len])))
}

/// The tensor after a change of each number by itself, which is compiled for one dimension alone.
pub(crate) fn each_number(
    tensor: DispatchTensor,
    change: impl FnOnce(Tensor<1>) -> Tensor<1>,
) -> DispatchTensor {
    let shape = tensor.shape();
    if shape.num_elements() == 0 {
        return tensor;
    }
    restored(change(flattened(tensor)), shape)
}

/// The numbers in this shape again.
pub(crate) fn restored(flat: Tensor<1>, shape: Shape) -> DispatchTensor {
    reshaped(flat.into_dispatch(), shape)
}

/// The numbers in another shape, of any rank.
pub(crate) fn reshaped(tensor: DispatchTensor, shape: Shape) -> DispatchTensor {
    if tensor.shape() == shape {
        return tensor;
    }
    Dispatch::float_reshape(tensor, shape)
}
