//! Steps that are skipped on the device.
//!
//! A gradient with an infinity or a NaN must move nothing. Zeroed, it still does: momentum, Adam among them,
//! still moves the weights along earlier gradients, weight decay decays, and the step counts. To find out
//! before the step whether to take it, the host must wait for the device. Here it need not: `burn-tricks-grad`
//! with `NonFinite::SkipStep` marks *every* gradient of the model where one is not finite, and an optimizer with
//! `skip_marked` leaves a parameter with a marked gradient alone, to the bit: its weights, its state, and its
//! count of steps, which Adam's bias correction and AdaGrad's decaying rate depend on.
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
//! With the transform that marks: the README of `burn-tricks-grad`.
//!
//! # The mark
//!
//! A gradient is marked if its first number and its last are NaN: the policy makes all of them NaN. Without
//! `skip_marked` (the default) a NaN is a NaN and shows in the weights, whatever the policy; so a forgotten
//! `skip_marked` is not silent. With it and without the policy, a gradient that is NaN throughout is skipped by
//! itself, while the other parameters are stepped; a NaN here and there shows in the weights.
//!
//! # What still advances
//!
//! What the host counts, for it does not know of the skip: the schedule advances, and a weight average takes
//! the unchanged weights once more. Where that matters, read once per step: `StepGuard` of `burn-tricks-grad`
//! works with any optimizer and tells them.
//!
//! Clip with `ClipGradNorm`. Burn's `GradientClippingConfig::Value` clamps, which on some devices makes a
//! number of a NaN.
//!
//! # Cost
//!
//! Nothing without `skip_marked`. With it, two numbers of each gradient are looked at; on the CPU backend with the
//! feature `flex` that is all, and nothing is done for a skipped step. Elsewhere the device chooses between old
//! and new numbers, one more operation on each tensor, which `fusion` makes part of the step, and counts what
//! it skipped. A record reads that count.
//!
//! # Differences
//!
//! PyTorch's `GradScaler` reads one number from the device per step, and its fused optimizers look at it there
//! (`found_inf`); optax's `apply_if_finite` chooses as here, and accepts the gradient after a number of bad ones
//! in a row.
//!
//! # References
//!
//! - PyTorch, `torch.amp.GradScaler`; optax, `apply_if_finite`

use burn::tensor::Tensor;
use burn_tricks_kernels::Skip;

/// Whether this step is skipped; never, if the optimizer does not look.
pub(crate) fn look<const D: usize>(skip_marked: bool, grad: &Tensor<D>) -> Skip {
    if skip_marked {
        Skip::marked(grad)
    } else {
        Skip::NO
    }
}
