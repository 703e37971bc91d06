//! Steps that are skipped on the device.
//!
//! A gradient with an infinity or a NaN must not change anything. To set it to zero is not enough: momentum
//! (also Adam's) still moves the weights along earlier gradients, weight decay is applied, and the step counts.
//! To decide before the step whether to take it, the host would have to wait for the device. Here it need not
//! wait: if one gradient is not finite, `burn-tricks-grad` with `NonFinite::SkipStep` marks *every* gradient of
//! the model, and an optimizer with `skip_marked` leaves a parameter with a marked gradient as it is, to the
//! bit: its weights, its state, and its count of steps, on which Adam's bias correction and AdaGrad's decaying
//! learning rate depend.
//!
//! # Example
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use burn::optim::Optimizer;
//! use burn_tricks_optim::AdamConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex();
//! let weight = Tensor::<1>::from_floats([1.0, 2.0], &device);
//! let adam = AdamConfig::new().with_skip_marked(true).build()?;
//!
//! let good = Tensor::<1>::from_floats([0.5, -0.5], &device);
//! let (weight, state) = adam.step(0.1, weight, good, None);
//! let before: Vec<f32> = weight.to_data().try_to_vec().unwrap();
//!
//! let marked = Tensor::<1>::full([2], f32::NAN, &device);
//! let (weight, _) = adam.step(0.1, weight, marked, state);
//! assert_eq!(weight.into_data().try_to_vec::<f32>().unwrap(), before);
//! # Ok(())
//! # }
//! ```
//!
//! The README of `burn-tricks-grad` has an example with the transform that marks gradients.
//!
//! # The mark
//!
//! A gradient counts as marked if its first and its last number are NaN: `NonFinite::SkipStep` makes all its
//! numbers NaN. Without `skip_marked` (the default), every NaN shows in the weights, so a forgotten
//! `skip_marked` is not silent. With `skip_marked` but without `NonFinite::SkipStep`, the parameters whose gradient
//! begins and ends with a NaN are skipped, also one of a single number, and all others are stepped; NaNs elsewhere
//! show in the weights.
//!
//! # Wrappers
//!
//! A wrapper that moves the weights by itself has a `skip_marked` of its own, to be set together with that of the inner
//! optimizer: [`LookaheadConfig`](crate::LookaheadConfig),
//! [`DecoupledWeightDecayConfig`](crate::DecoupledWeightDecayConfig) and
//! [`ScheduleFreeConfig`](crate::ScheduleFreeConfig). The other wrappers change only the inner optimizer's step, and so
//! do nothing if it is skipped.
//!
//! # What still advances
//!
//! What the host counts outside the optimizer still advances, since the host does not know of the skip: the schedule
//! advances, a weight average takes the unchanged weights once more, and `GradNoise` of `burn-tricks-grad` counts the
//! step, so that its later noise is other noise. `Prodigy` is not for marked gradients: its estimate becomes NaN. Where
//! that matters, use `StepGuard` of `burn-tricks-grad`: it reads one number from the device per step, works with any
//! optimizer and transform, and tells the host.
//!
//! Clip with `ClipGradNorm`. Burn's `GradientClippingConfig::Value` clamps, which on some devices turns a NaN
//! into a number.
//!
//! # Resuming
//!
//! Where the device alone sees the mark, on every backend but the CPU backend with the feature `flex`, the number of
//! steps is on the device, and so is what depends on it, such as Adam's bias correction and AdaGrad's decaying learning
//! rate. In the first step after a record is loaded the host knows the number, and computes these in `f64`. There a
//! resumed run is equal to an uninterrupted one up to rounding, and not to the bit.
//!
//! # Cost
//!
//! No cost without `skip_marked`. With it, two numbers of each gradient are compared. On the CPU backend with the
//! feature `flex` that is all, and a skipped step does no work. On other backends the device selects between old and
//! new numbers of the weight and of each tensor of the state (`ScheduleFree` takes about seven more operations), and
//! counts the skipped steps. On a GPU these are separate kernels: a step of a small MLP with Adam launched 113 kernels
//! instead of 43 on an H100, and took 3.4 times as long. Making a record reads that count from the device, and for
//! `ScheduleFree` three more numbers for each parameter.
//!
//! # Differences
//!
//! PyTorch's `GradScaler` reads one number from the device per step, and its fused optimizers use that number
//! on the device (`found_inf`). optax's `apply_if_finite` selects as here, but accepts the gradient after a
//! number of bad gradients in a row.
//!
//! # References
//!
//! - PyTorch, `torch.amp.GradScaler`; optax, `apply_if_finite`

use burn::tensor::Tensor;
use burn_tricks_kernels::{AnyTensor, Skip};

/// Whether this step is skipped; without `skip_marked` it never is.
pub(crate) fn look<const D: usize>(skip_marked: bool, grad: &Tensor<D>) -> Skip {
    if skip_marked {
        Skip::marked(grad)
    } else {
        Skip::NO
    }
}

/// [`look`] for a gradient of any rank.
pub(crate) fn look_any(skip_marked: bool, grad: &AnyTensor) -> Skip {
    if skip_marked {
        Skip::marked_any(grad)
    } else {
        Skip::NO
    }
}
