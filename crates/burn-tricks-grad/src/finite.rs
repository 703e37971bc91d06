//! Whether all gradients are finite, found with one read from the device.

use crate::norm::{NormKind, gathered_sum};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn_tricks_kernels::numbers;

/// Whether every gradient of `module` is finite, or `None` if there is none. Waits for the device.
pub(crate) fn is_finite<M: Module>(module: &M, grads: &GradientsParams) -> Option<bool> {
    let sum = gathered_sum(module, grads, NormKind::L2)?;
    let bad = sum.into_norm(NormKind::L2).is_bad();
    #[allow(clippy::disallowed_methods)] // the one documented read
    let bad = bad.into_data();
    Some(numbers(&bad).iter().all(|bad| *bad == 0.0))
}
