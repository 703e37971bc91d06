//! What the criteria and plateaus of a session saw.

use burn::train::metric::store::Split;
use burn_tricks_stop::Decision;

/// What a criterion of [`stop_early`](crate::Session::stop_early) saw.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CriterionResult {
    /// The metric that it was told.
    pub metric: String,
    /// Of which of Burn's splits.
    pub split: Split,
    /// The decision on the last epoch: the best value, the checks without improvement, the reason to stop. None
    /// before the first.
    pub decision: Option<Decision>,
    /// The epoch of the best value, of a resumed run too. None if the criterion looks at no metric, or if no
    /// epoch counted, see `Decision::is_best`.
    pub best_epoch: Option<usize>,
    /// The best value.
    pub best_value: Option<f64>,
}

/// What became of a plateau of [`reduce_on_plateau`](crate::Session::reduce_on_plateau).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PlateauResult {
    /// The metric that it was told.
    pub metric: String,
    /// What the reductions of the rate came to.
    pub scale: f64,
}
