//! Metrics that Burn lacks: a loss weighted by samples, the standard error of a mean, gradient norms, update ratios.

pub(crate) mod grad_norm;
pub(crate) mod sample_loss;
pub(crate) mod standard_error;
pub(crate) mod update_ratio;
pub(crate) mod watched_metric;
