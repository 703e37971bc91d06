//! Metrics that Burn lacks: a loss weighted by samples, gradient norms, update ratios.

pub mod grad_norm;
pub mod sample_loss;
pub mod update_ratio;
pub(crate) mod watched_metric;
