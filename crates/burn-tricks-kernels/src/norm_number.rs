//! A number that depends on the norm of many tensors.

use crate::real::Real;
use crate::tensor_list::TensorList;
#[cfg(feature = "cube")]
use crate::trace::Trace;
use burn::tensor::Tensor;

/// Arithmetic that makes a number of a norm, such as the factor of a clipping by norm, for a GPU: the kernel that adds up the
/// squares last computes it, and no operation of its own is queued. As [`Step::element`](crate::Step::element), the code is
/// called once, with numbers that write down what is done with them.
pub trait NormNumber: Copy + Send + Sync {
    /// The number, from the norm as the product `scale · root`, which may leave the range of `f32` although neither does.
    /// `scale` is a power of two; `root` is infinite or NaN if and only if one of the numbers is.
    fn number<T: Real>(self, scale: T, root: T) -> T;
}

/// The number of the Euclidean norm of all numbers in all tensors, one element on the device, in `f32`. `None` where
/// there is no kernel for it: on all CPU backends; and on a GPU, unless all tensors are on it, in `f32`, `f16` or `bf16`, there
/// is at least one number, and this crate's feature for the backend is on. Then use
/// [`sum_of_squares`](fn@crate::sum_of_squares) and tensor operations.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{NormNumber, Real, SumOfSquares, TensorList, number_of_norm, sum_of_squares};
///
/// /// 1 / ‖x‖
/// #[derive(Clone, Copy)]
/// struct Inverse;
///
/// impl NormNumber for Inverse {
///     fn number<T: Real>(self, scale: T, root: T) -> T {
///         scale.of(1.0) / (scale * root)
///     }
/// }
///
/// let list = TensorList::from(Tensor::<1>::from_floats([3.0, 4.0], &Device::flex()));
/// let inverse = number_of_norm(&list, Inverse).unwrap_or_else(|| {
///     let SumOfSquares { scale, sum } = sum_of_squares(&list).unwrap();
///     (scale * sum.sqrt()).recip()
/// });
/// assert_eq!(inverse.into_scalar::<f32>(), 0.2);
/// ```
pub fn number_of_norm(tensors: &TensorList, number: impl NormNumber) -> Option<Tensor<1>> {
    #[cfg(feature = "cube")]
    {
        let trace = || Trace::new(0, 2, |norm| vec![number.number(norm[0], norm[1])]);
        of_trace(tensors, &trace)
    }
    #[cfg(not(feature = "cube"))]
    {
        let _ = (tensors, number);
        None
    }
}

#[cfg(feature = "cube")]
fn of_trace(tensors: &TensorList, trace: &dyn Fn() -> Trace) -> Option<Tensor<1>> {
    if crate::cube::are_on_cube(&tensors.0) {
        return crate::cube::number_of_norm(trace(), &tensors.0);
    }
    None
}
