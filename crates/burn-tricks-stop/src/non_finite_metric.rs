//! What to do about a metric that is NaN or infinite.

use serde::{Deserialize, Serialize};

/// What to do about a metric that is NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonFiniteMetric {
    /// Stop with [`StopReason::NonFinite`](crate::StopReason::NonFinite), even during the warm-up.
    Stop,
    /// Use up patience, like any value that is not an improvement. An infinity may still be worse than the divergence
    /// limit.
    CountAsNoImprovement,
    /// Continue. Neither the best value nor the count of patience changes; the check has its number, and counts towards a
    /// warm-up.
    Ignore,
}
