//! Leaves out the steps that go up the gradient.

use crate::any_tensor::AnyTensor;
use crate::precision::accumulation_dtype;
use crate::real::Real;
use crate::refuse::assert_not_negative;
use crate::steps_together::PlannedStep;
use crate::tensor_number::{SquareSum, TensorNumber, change_together};
use burn::tensor::Tensor;

/// The new weights where they lie down the gradient from the old ones, and elsewhere the old ones: cautious steps (Liang et
/// al., 2024).
///
/// ```text
/// u ← w − w'                                 the step, downwards if u g > 0
/// w' ← w − u m / max(mean(m), least)         m = 0 where u g < 0 or g = 0, else 1
/// ```
///
/// Without a `least_share` the remaining steps are not divided. Where a weight does not move although its gradient is not
/// zero, the step was lost in the rounding of the weight, and counts as one that goes down. A NaN in the new weights shows
/// in the result where the gradient is not 0; where it is 0, the old weight is kept, whatever the new one is. Where only the
/// gradient is NaN, the step is taken.
///
/// On the CPU backend this is two reads of the three tensors and a write, in place if the buffer of the new weights is not
/// shared; one read and a write without `least_share`. If every step goes down, nothing is written with a
/// `least_share`. On a GPU with a feature of this crate for it, one or two launches for the share and one for the weights.
/// Nothing is read from another device.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::cautious;
///
/// let device = Device::flex();
/// let old = Tensor::<1>::from_floats([1.0, 1.0], &device);
/// let new = Tensor::<1>::from_floats([0.75, 0.5], &device);
/// let grad = Tensor::<1>::from_floats([1.0, -1.0], &device); // the second step goes up
/// let stepped = cautious(new, old, grad, Some(1e-3));
/// assert_eq!(stepped.into_data().to_vec::<f32>().unwrap(), [0.5, 1.0]);
/// ```
///
/// # Panics
///
/// If the tensors have different shapes, or `least_share` is negative, infinite or NaN.
pub fn cautious<const D: usize>(
    new: Tensor<D>,
    old: Tensor<D>,
    grad: Tensor<D>,
    least_share: Option<f64>,
) -> Tensor<D> {
    cautious_any(new.into(), old.into(), grad.into(), least_share).into_tensor()
}

/// [`cautious`] for tensors of any rank.
///
/// # Panics
///
/// If the tensors have different shapes, or `least_share` is negative, infinite or NaN.
pub fn cautious_any(
    new: AnyTensor,
    old: AnyTensor,
    grad: AnyTensor,
    least_share: Option<f64>,
) -> AnyTensor {
    assert_fit([&new, &old, &grad], least_share);
    if new.is_empty() {
        return new;
    }
    of_any([new, old, grad], least_share)
}

fn of_any(all: [AnyTensor; 3], least_share: Option<f64>) -> AnyTensor {
    #[cfg(feature = "flex")]
    let all = {
        let is_one_type = all.iter().all(|tensor| tensor.dtype() == all[0].dtype());
        let all = all.map(|tensor| tensor.0.open());
        if is_one_type && crate::flex::on_flex(&all) {
            return AnyTensor::new(crate::flex::cautious(all, least_share));
        }
        all.map(AnyTensor::new)
    };
    let changed = match least_share {
        Some(least) => change_together(Rescaled { least }, vec![all]),
        None => change_together(Masked, vec![all]),
    };
    match changed {
        Ok(mut changed) => changed.swap_remove(0),
        Err(mut all) => twin(all.swap_remove(0), least_share),
    }
}

impl PlannedStep {
    /// The step as a [`cautious`] one.
    ///
    /// # Errors
    ///
    /// With the step as it is, if the device allows too few buffers in a launch.
    pub fn then_cautious(self, least_share: Option<f64>) -> Result<Self, Self> {
        match least_share {
            Some(least) => self.then(Rescaled { least }),
            None => self.then(Masked),
        }
    }
}

/// Steps that go up left out.
#[derive(Clone, Copy)]
struct Masked;

impl Masked {
    /// `up` where the step goes up or there is no gradient, else `down`. A NaN in the new weight goes down, as in the twin.
    fn choose<T: Real>([new, old, grad]: [T; 3], up: T, down: T) -> T {
        let if_rises = (-grad).if_negative(up, down);
        let if_falls = grad.if_negative(up, down);
        let way = new - old;
        let moved = way.if_negative(if_falls, (-way).if_negative(if_rises, down));
        grad.if_zero(up, moved)
    }
}

impl TensorNumber<3, 0> for Masked {
    fn terms<T: Real>(self, _: [T; 3]) -> [T; 0] {
        []
    }

    fn number<T: Real>(self, _: [SquareSum<T>; 0], count: T) -> T {
        count
    }

    fn element<T: Real>(self, all: [T; 3], _: T) -> T {
        Self::choose(all, all[1], all[0])
    }
}

/// The same, with longer steps in the place of those left out.
#[derive(Clone, Copy)]
struct Rescaled {
    least: f64,
}

impl TensorNumber<3, 1> for Rescaled {
    fn terms<T: Real>(self, all: [T; 3]) -> [T; 1] {
        let [zero, one] = [0.0, 1.0].map(|number| all[0].of(number));
        [Masked::choose(all, zero, one)]
    }

    /// By how much more than before a step goes.
    fn number<T: Real>(self, [down]: [SquareSum<T>; 1], count: T) -> T {
        let share = (down.sum / count).max(count.of(self.least));
        count.of(1.0) / share + -1.0
    }

    fn element<T: Real>(self, all: [T; 3], more: T) -> T {
        let [new, old, _] = all;
        Masked::choose(all, old, new + (new - old) * more)
    }
}

/// [`cautious`] with tensor operations alone: the specification.
///
/// # Panics
///
/// Like [`cautious`].
pub fn cautious_twin<const D: usize>(
    new: Tensor<D>,
    old: Tensor<D>,
    grad: Tensor<D>,
    least_share: Option<f64>,
) -> Tensor<D> {
    let all = [new, old, grad].map(AnyTensor::from);
    assert_fit(all.each_ref(), least_share);
    twin(all, least_share).into_tensor()
}

fn assert_fit(all: [&AnyTensor; 3], least_share: Option<f64>) {
    let shapes = all.map(|tensor| tensor.shape().to_vec());
    assert!(
        shapes[0] == shapes[1] && shapes[0] == shapes[2],
        "new weights, old weights and gradient have the shapes {shapes:?}"
    );
    assert_not_negative("the least share of steps", least_share.unwrap_or(0.0));
}

fn twin([new, old, grad]: [AnyTensor; 3], least_share: Option<f64>) -> AnyTensor {
    // Not "goes down": a NaN goes nowhere, and must show in the weights.
    let rose = new.clone().greater(old.clone());
    let rose = rose.bool_and(grad.clone().greater_equal_elem(0.0));
    let fell = new.clone().lower(old.clone());
    let fell = fell.bool_and(grad.clone().lower_equal_elem(0.0));
    let against = rose.bool_or(fell).bool_or(grad.equal_elem(0.0));
    let Some(least) = least_share else {
        return new.mask_where(against, old);
    };
    // From the new weight, which stays as it is to the bit where the mean is 1.
    let (dtype, wide) = (new.dtype(), accumulation_dtype(new.dtype()));
    let down = against.clone().zero_where_true(wide);
    let more = down.mean().clamp_min(least).recip() - 1.0;
    let way = new.clone().cast(wide) - old.clone().cast(wide);
    let way = way.clone() * way.fitted(&more);
    let rescaled = (new.cast(wide) + way).cast(dtype.into());
    rescaled.mask_where(against, old)
}
