//! The factor of focal losses.

use burn::tensor::Tensor;

/// `miss^γ` of the probability that is not on the target, 1 − p_t. Its gradient is finite at 0, too.
pub(crate) fn modulation<const D: usize>(miss: Tensor<D>, gamma: f64) -> Option<Tensor<D>> {
    if gamma == 0.0 {
        return None;
    }
    // γ miss^(γ − 1) is infinite at 0 for γ below 1.
    let smallest = miss.dtype().finfo().map_or(0.0, |info| info.min_positive);
    Some(miss.clamp_min(smallest).powf_scalar(gamma))
}
