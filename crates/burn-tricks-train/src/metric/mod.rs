//! Metrics that Burn lacks: a loss weighted by samples, the standard error of a mean, gradient norms, update ratios.

pub mod grad_norm;
pub mod sample_loss;
pub mod standard_error;
pub mod update_ratio;
pub(crate) mod watched_metric;
