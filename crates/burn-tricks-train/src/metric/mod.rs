//! Metrics that Burn lacks: a loss weighted by samples, and the standard error of a mean.

pub(crate) mod sample_loss;
pub(crate) mod split_metric;
pub(crate) mod standard_error;
