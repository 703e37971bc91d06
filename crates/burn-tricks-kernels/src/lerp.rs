//! A mean that moves towards other numbers: the operation of every weight average.

use crate::any_tensor::AnyTensor;
use crate::real::Real;
use crate::step::{Step, apply_to, apply_to_all};
#[cfg(feature = "cube")]
use crate::steps_together::{PlannedStep, take_together};
use crate::tensor_list::TensorList;
#[cfg(feature = "cube")]
use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

/// `x` moved towards `y` by the fraction `b` in `[0, 1]` of the difference, in the type of `x`, computed in `f32`
/// (`f64` for `f64`).
///
/// ```text
/// x + b (y − x)        b < 1/2
/// y − (1 − b) (y − x)  else
/// x                    where x = y
/// ```
///
/// The formula is not `(1 − b) x + b y`, because `1 − b` and `b` would be rounded separately and their sum
/// would not be 1. In `f32`, a mean of 10,000 equal numbers would have a relative error of 1.3e-5 with `b` =
/// 0.001, and the error grows with `1 / b`. Here equal numbers stay the same to the bit, also infinities, and
/// if `y − x` is finite, the result lies between `x` and `y`. PyTorch's `torch.lerp` has the first two lines.
///
/// One pass on the CPU backend, which reads both and writes one, in the buffer of `x` if it is not shared. `y`
/// is not changed. An exponential moving average is `lerp(mean, weight, 1 − β)`. Do not differentiate through
/// it: where `x = y`, autodiff sends the whole gradient to `x`.
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
    lerp_any(x.into(), y.into(), b).into_tensor()
}

/// [`lerp`] for tensors of any rank.
pub fn lerp_any(x: AnyTensor, y: AnyTensor, b: f64) -> AnyTensor {
    apply_to(LerpStep { b }, x, y)
}

/// [`lerp`] with tensor operations alone: the specification.
pub fn lerp_twin<const D: usize>(x: Tensor<D>, y: Tensor<D>, b: f64) -> Tensor<D> {
    LerpStep { b }.apply_twin(x, y, Some([])).0
}

/// [`lerp`] of each pair of tensors, small ones in parallel; on a GPU with a feature of this crate for it, dozens of pairs
/// in one launch. `y` is not changed.
///
/// # Panics
///
/// If the lists have different lengths, or two tensors at the same place different shapes.
pub fn lerp_all(x: TensorList, y: &TensorList, b: f64) -> TensorList {
    #[cfg(feature = "cube")]
    if x.len() == y.len()
        && let Some(planned) = planned(&x, y, b)
    {
        drop(x);
        let moved = take_together(planned).into_iter();
        return TensorList::of(moved.map(|(x, _)| x.0.open()).collect());
    }
    apply_to_all(LerpStep { b }, x, y)
}

/// The moves of all pairs, if a GPU has a kernel for each.
#[cfg(feature = "cube")]
fn planned(x: &TensorList, y: &TensorList, b: f64) -> Option<Vec<PlannedStep>> {
    let pairs = x.0.iter().cloned().zip(y.0.iter().cloned());
    let plan = |(x, y): (DispatchTensor, DispatchTensor)| {
        LerpStep { b }.plan(&AnyTensor::new(x), &AnyTensor::new(y), Some(&[]))
    };
    pairs.map(plan).collect()
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

    fn twin(
        self,
        x: AnyTensor,
        y: AnyTensor,
        _state: [AnyTensor; 0],
    ) -> (AnyTensor, [AnyTensor; 0]) {
        let equal = x.clone().equal(y.clone());
        let moved = towards_twin(x.clone(), y, self.b);
        (moved.mask_where(equal, x), [])
    }
}

/// The first two lines of the formula, for the moments of optimizers: `β m + (1 − β) g` is `towards(m, g, 1 −
/// β)`.
#[inline(always)]
pub(crate) fn towards<T: Real>(x: T, y: T, b: f64) -> T {
    if b < 0.5 {
        x + (y - x) * b
    } else {
        y - (y - x) * (1.0 - b)
    }
}

/// [`towards`] with tensor operations.
pub(crate) fn towards_twin(x: AnyTensor, y: AnyTensor, b: f64) -> AnyTensor {
    let way = y.clone() - x.clone();
    if b < 0.5 {
        x + way * b
    } else {
        y - way * (1.0 - b)
    }
}
