//! Weighted sums of two tensors.

use crate::any_tensor::AnyTensor;
use crate::real::Real;
use crate::step::{Step, apply_to, apply_to_all};
use crate::tensor_list::TensorList;
use burn::tensor::Tensor;

/// `a x + b y`, in the type of `x`, computed in `f32` (`f64` for `f64`).
///
/// One pass on the CPU backend, which reads both and writes one, in the buffer of `x` if it is not shared. `y`
/// is not changed. If `a + b` must be 1, use [`lerp`](crate::lerp()): here `a` and `b` are rounded to the type
/// of `x` separately.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::blend;
///
/// let device = Device::flex();
/// let old = Tensor::<1>::from_floats([1.0, 2.0], &device);
/// let new = Tensor::<1>::from_floats([3.0, 0.5], &device);
/// let sum = blend(old, 0.5, new, 2.0);
/// assert_eq!(sum.into_data().to_vec::<f32>().unwrap(), [6.5, 2.0]);
/// ```
pub fn blend<const D: usize>(x: Tensor<D>, a: f64, y: Tensor<D>, b: f64) -> Tensor<D> {
    blend_any(x.into(), a, y.into(), b).into_tensor()
}

/// [`blend`] for tensors of any rank.
pub fn blend_any(x: AnyTensor, a: f64, y: AnyTensor, b: f64) -> AnyTensor {
    apply_to(BlendStep { a, b }, x, y)
}

/// [`blend`] with tensor operations alone: the specification.
pub fn blend_twin<const D: usize>(x: Tensor<D>, a: f64, y: Tensor<D>, b: f64) -> Tensor<D> {
    BlendStep { a, b }.apply_twin(x, y, Some([])).0
}

/// [`blend`] of each pair of tensors, small ones in parallel.
///
/// # Panics
///
/// If the lists have different lengths.
pub fn blend_all(x: TensorList, a: f64, y: &TensorList, b: f64) -> TensorList {
    apply_to_all(BlendStep { a, b }, x, y)
}

#[derive(Debug, Clone, Copy)]
struct BlendStep {
    a: f64,
    b: f64,
}

impl Step<0> for BlendStep {
    #[inline(always)]
    fn element<T: Real>(self, x: T, y: T, _state: [T; 0]) -> (T, [T; 0]) {
        (x * self.a + y * self.b, [])
    }

    fn twin(
        self,
        x: AnyTensor,
        y: AnyTensor,
        _state: [AnyTensor; 0],
    ) -> (AnyTensor, [AnyTensor; 0]) {
        (x * self.a + y * self.b, [])
    }
}
