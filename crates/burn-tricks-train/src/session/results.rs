//! The results of the criteria and plateaus of a session.

use burn::train::metric::store::Split;
use burn_tricks_stop::Decision;

/// The result of a criterion of [`stop_early`](crate::Session::stop_early).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CriterionResult {
    /// The metric that it observed.
    pub metric: String,
    /// The split of the metric.
    pub split: Split,
    /// The decision on the last epoch: the best value, the checks without improvement, the reason to stop. None
    /// before the first epoch.
    pub decision: Option<Decision>,
    /// The epoch of the best value, also in a resumed run. None if the criterion ignores the metric, or if no epoch
    /// counted (see `Decision::is_best`).
    pub best_epoch: Option<usize>,
    /// The best value, as the criterion sees it: a smoothed value, if it smooths its metric.
    pub best_value: Option<f64>,
}

/// The result of a plateau of [`reduce_on_plateau`](crate::Session::reduce_on_plateau).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PlateauResult {
    /// The metric that it observed.
    pub metric: String,
    /// The product of all reductions of the learning rate.
    pub scale: f64,
}
