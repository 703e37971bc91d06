//! A step along a direction that is divided by a number on the device.

use crate::any_tensor::AnyTensor;
use crate::precision::accumulation_dtype;
use crate::rank::with_rank;
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
        return apply_to(DescendStep { a, b, divisor }, x, y, []).0;
    }
    with_rank!(x.rank(), D => {
        descend_twin(x.into_tensor::<D>(), a, y.into_tensor(), b, divisor).into()
    })
}

/// [`descend`] with tensor operations alone: the specification.
pub fn descend_twin<const D: usize>(
    x: Tensor<D>,
    a: f64,
    y: Tensor<D>,
    b: f64,
    divisor: &Tensor<1>,
) -> Tensor<D> {
    let (dtype, shape) = (x.dtype(), x.dims());
    assert_eq!(
        shape,
        y.dims(),
        "x (left) and y (right) must have one shape"
    );
    if shape.contains(&0) {
        return x;
    }
    let wide = accumulation_dtype(dtype);
    let divisor: Tensor<D> = divisor
        .clone()
        .to_device(&x.device())
        .cast(wide)
        .unsqueeze();
    let zero = divisor.clone().equal_elem(0.0).expand(shape);
    let quotient = (y.cast(wide) / divisor).mask_fill(zero, 0.0);
    (x.cast(wide) * a + quotient * b).cast(dtype)
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

    fn twin<const D: usize>(
        self,
        x: Tensor<D>,
        y: Tensor<D>,
        _state: [Tensor<D>; 0],
    ) -> (Tensor<D>, [Tensor<D>; 0]) {
        let options = (&x.device(), x.dtype());
        let divisor = Tensor::full([1], self.divisor, options);
        (descend_twin(x, self.a, y, self.b, &divisor), [])
    }
}
