//! Metrics that Burn lacks: a loss weighted by samples, gradient norms, update ratios.

pub mod grad_norm;
pub(crate) mod queued_numbers;
pub mod sample_loss;
pub mod update_ratio;
