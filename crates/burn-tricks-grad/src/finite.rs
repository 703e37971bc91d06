//! Whether all gradients are finite, found with one read from the device.

use crate::norm::{NormKind, ScaledSum, gathered_sum};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn_tricks_kernels::{TensorList, numbers};

/// Whether every gradient of `module` is finite, or `None` if there is none. Waits for the device.
pub(crate) fn is_finite<M: Module>(module: &M, grads: &GradientsParams) -> Option<bool> {
    gathered_sum(module, grads, NormKind::L2).map(sum_is_finite)
}

/// [`is_finite`] of gradients in a list.
pub(crate) fn list_is_finite(grads: &TensorList) -> Option<bool> {
    ScaledSum::of(grads, NormKind::L2).map(sum_is_finite)
}

fn sum_is_finite(sum: ScaledSum) -> bool {
    let bad = sum.into_norm(NormKind::L2).is_bad();
    #[allow(clippy::disallowed_methods)] // the one documented read
    let bad = bad.into_data();
    numbers(&bad).iter().all(|bad| *bad == 0.0)
}
