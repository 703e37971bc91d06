//! A step along a direction that is divided by a number on the device.

use crate::any_tensor::AnyTensor;
use crate::precision::accumulation_dtype;
#[cfg(feature = "flex")]
use crate::real::Real;
#[cfg(feature = "flex")]
use crate::step::{Step, apply_to};
use burn::tensor::Tensor;

/// `a x + b y/d`, where `divisor` is a tensor with the single number `d`. If `d` is 0, `y/d` counts as 0.
///
/// With `d` the norm of a gradient, `a = 1` and `b = −η` this is normalised gradient descent: one pass on the
/// CPU backend, like [`blend`](crate::blend()), and nothing is read from another device.
///
/// # Panics
///
/// If `x` and `y` have different shapes.
pub fn descend<const D: usize>(
    x: Tensor<D>,
    a: f64,
    y: Tensor<D>,
    b: f64,
    divisor: &Tensor<1>,
) -> Tensor<D> {
    descend_any(x.into(), a, y.into(), b, divisor).into_tensor()
}

/// [`descend`] for tensors of any rank.
pub fn descend_any(x: AnyTensor, a: f64, y: AnyTensor, b: f64, divisor: &Tensor<1>) -> AnyTensor {
    #[cfg(feature = "flex")]
    if let Some(divisor) = crate::flex::scalar(&divisor.clone().into_dispatch()) {
        return apply_to(DescendStep { a, b, divisor }, x, y);
    }
    any_twin(x, a, y, b, divisor)
}

/// [`descend`] with tensor operations alone: the specification.
pub fn descend_twin<const D: usize>(
    x: Tensor<D>,
    a: f64,
    y: Tensor<D>,
    b: f64,
    divisor: &Tensor<1>,
) -> Tensor<D> {
    any_twin(x.into(), a, y.into(), b, divisor).into_tensor()
}

fn any_twin(x: AnyTensor, a: f64, y: AnyTensor, b: f64, divisor: &Tensor<1>) -> AnyTensor {
    let (dtype, shape) = (x.dtype(), x.shape());
    assert_eq!(
        shape,
        y.shape(),
        "x (left) and y (right) must have one shape"
    );
    if x.is_empty() {
        return x;
    }
    let wide = accumulation_dtype(dtype);
    let (x, y) = (x.cast(wide), y.cast(wide));
    let divisor = x.fitted(divisor);
    let zero = divisor.clone().equal_elem(0.0).expand(shape);
    let quotient = (y / divisor).mask_fill(zero, 0.0);
    (x * a + quotient * b).cast(dtype.into())
}

#[cfg(feature = "flex")]
#[derive(Debug, Clone, Copy)]
struct DescendStep {
    a: f64,
    b: f64,
    divisor: f64,
}

#[cfg(feature = "flex")]
impl Step<0> for DescendStep {
    #[inline(always)]
    fn element<T: Real>(self, x: T, y: T, _state: [T; 0]) -> (T, [T; 0]) {
        let quotient = y.of(self.divisor).if_zero(y.of(0.0), y / self.divisor);
        (x * self.a + quotient * self.b, [])
    }

    fn twin(
        self,
        x: AnyTensor,
        y: AnyTensor,
        _state: [AnyTensor; 0],
    ) -> (AnyTensor, [AnyTensor; 0]) {
        let divisor = Tensor::full([1], self.divisor, (&x.device(), x.dtype()));
        (any_twin(x, self.a, y, self.b, &divisor), [])
    }
}
