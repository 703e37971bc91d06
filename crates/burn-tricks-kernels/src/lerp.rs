//! A mean that moves towards other numbers: the one operation of every weight average.
//!
//! ```text
//! x + b (y − x)        b < 1/2
//! y − (1 − b) (y − x)  else
//! x                    where x = y
//! ```
//!
//! Not `(1 − b) x + b y`: the two shares are rounded to the type of the numbers, each on its own, and add
//! up to 1 no more. In `f32` the mean of 10,000 equal numbers is then 1.3e-5 of them off (`b` = 0.001),
//! and the error grows with `1 / b`. Here equal numbers stay as they are, to the bit and infinities
//! included, and while `y − x` is finite, the result never lies outside `x` and `y`. PyTorch's `torch.lerp` is
//! the first two lines.

use crate::real::Real;
use crate::step::{Step, apply_to};
use crate::tensor_list::TensorList;
use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

/// `x` moved towards `y` by the share `b` in `[0, 1]` of the way, in the type of `x`, calculated in `f32`
/// (`f64` for `f64`). See the [module documentation](self) for the arithmetic.
///
/// One pass on the CPU backend, in the buffer of `x` if nobody else holds it: read both, write one.
/// `y` is not changed. An exponential moving average is `lerp(mean, weight, 1 − β)`. For values: where
/// `x = y`, autodiff sends the whole gradient to `x`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::lerp;
///
/// let device = Device::flex();
/// let mean = Tensor::<1>::from_floats([1.0, 2.0], &device);
/// let weight = Tensor::<1>::from_floats([3.0, 2.0], &device);
/// let mean = lerp(mean, weight, 0.25);
/// assert_eq!(mean.into_data().to_vec::<f32>().unwrap(), [1.5, 2.0]);
/// ```
pub fn lerp<const D: usize>(x: Tensor<D>, y: Tensor<D>, b: f64) -> Tensor<D> {
    LerpStep { b }.apply(x, y, Some([])).0
}

/// [`lerp`] with tensor operations alone: the specification.
pub fn lerp_twin<const D: usize>(x: Tensor<D>, y: Tensor<D>, b: f64) -> Tensor<D> {
    LerpStep { b }.apply_twin(x, y, Some([])).0
}

/// [`lerp`] of each pair of tensors, small ones in parallel.
///
/// # Panics
///
/// If the lists are not of one length.
pub fn lerp_all(x: TensorList, y: TensorList, b: f64) -> TensorList {
    assert_eq!(x.len(), y.len(), "lists of one length are averaged");
    let pairs = x.0.into_iter().zip(y.0).collect();
    TensorList::map_all(pairs, move |(x, y): (DispatchTensor, DispatchTensor)| {
        apply_to(LerpStep { b }, x, y, []).0
    })
}

#[derive(Debug, Clone, Copy)]
struct LerpStep {
    b: f64,
}

impl Step<0> for LerpStep {
    #[inline(always)]
    fn element<T: Real>(self, x: T, y: T, _state: [T; 0]) -> (T, [T; 0]) {
        (x.if_equal(y, x, towards(x, y, self.b)), [])
    }

    fn twin<const D: usize>(
        self,
        x: Tensor<D>,
        y: Tensor<D>,
        _state: [Tensor<D>; 0],
    ) -> (Tensor<D>, [Tensor<D>; 0]) {
        let equal = x.clone().equal(y.clone());
        let moved = towards_twin(x.clone(), y, self.b);
        (moved.mask_where(equal, x), [])
    }
}

/// The first two lines alone, for the moments of optimizers: `β m + (1 − β) g` is `towards(m, g, 1 − β)`.
#[inline(always)]
pub(crate) fn towards<T: Real>(x: T, y: T, b: f64) -> T {
    if b < 0.5 {
        x + (y - x) * b
    } else {
        y - (y - x) * (1.0 - b)
    }
}

/// [`towards`] with tensor operations.
pub(crate) fn towards_twin<const D: usize>(x: Tensor<D>, y: Tensor<D>, b: f64) -> Tensor<D> {
    let way = y.clone() - x.clone();
    if b < 0.5 {
        x + way * b
    } else {
        y - way * (1.0 - b)
    }
}
