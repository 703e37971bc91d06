//! Leaves out the steps that go up the gradient.

use crate::any_tensor::AnyTensor;
use crate::precision::accumulation_dtype;
use burn::tensor::Tensor;

/// The new weights where they lie down the gradient from the old ones, and elsewhere the old ones: cautious steps (Liang et
/// al., 2024).
///
/// ```text
/// u ← w − w'                                 the step, downwards if u g > 0
/// w' ← w − u m / max(mean(m), least)         m = 1 where u g > 0, else 0
/// ```
///
/// Without a `least_share` the remaining steps are not divided. A NaN in the new weights shows in the
/// result; where only the gradient is NaN, the step is taken.
///
/// On the CPU backend this is two reads of the three tensors and a write, in place if the buffer of the new weights is not
/// shared; one read and a write without `least_share`. If every step goes down, nothing is written with a
/// `least_share`. Nothing is read from another device.
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
/// If the tensors have different shapes.
pub fn cautious<const D: usize>(
    new: Tensor<D>,
    old: Tensor<D>,
    grad: Tensor<D>,
    least_share: Option<f64>,
) -> Tensor<D> {
    let shapes = [new.dims(), old.dims(), grad.dims()];
    assert!(
        shapes[0] == shapes[1] && shapes[0] == shapes[2],
        "new weights, old weights and gradient have the shapes {shapes:?}"
    );
    if new.dims().contains(&0) {
        return new;
    }
    cautious_any([new, old, grad].map(AnyTensor::from), least_share).into_tensor()
}

fn cautious_any(all: [AnyTensor; 3], least_share: Option<f64>) -> AnyTensor {
    #[cfg(feature = "flex")]
    let all = {
        let is_one_type = all.iter().all(|tensor| tensor.dtype() == all[0].dtype());
        let all = all.map(|tensor| tensor.0);
        if is_one_type && crate::flex::on_flex(&all) {
            return AnyTensor(crate::flex::cautious(all, least_share));
        }
        all.map(AnyTensor)
    };
    twin(all, least_share)
}

/// [`cautious`] with tensor operations alone: the specification.
pub fn cautious_twin<const D: usize>(
    new: Tensor<D>,
    old: Tensor<D>,
    grad: Tensor<D>,
    least_share: Option<f64>,
) -> Tensor<D> {
    twin([new, old, grad].map(AnyTensor::from), least_share).into_tensor()
}

fn twin([new, old, grad]: [AnyTensor; 3], least_share: Option<f64>) -> AnyTensor {
    // Not "goes down": a NaN goes nowhere, and must show in the weights.
    let rose = new.clone().greater_equal(old.clone());
    let rose = rose.bool_and(grad.clone().greater_equal_elem(0.0));
    let fell = new.clone().lower_equal(old.clone());
    let against = fell.bool_and(grad.lower_equal_elem(0.0)).bool_or(rose);
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
