//! The loss function that a program uses.

use serde::{Deserialize, Serialize};

/// The loss function that a program uses, as far as it matters for the outputs that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LossKind {
    /// Cross-entropy that takes scores and applies the softmax itself, as Burn's `CrossEntropyLoss` does by
    /// default.
    CrossEntropyOfScores,
    /// Cross-entropy that takes probabilities.
    CrossEntropyOfProbabilities,
    /// Binary cross-entropy that takes scores and applies the sigmoid itself.
    BinaryCrossEntropyOfScores,
    /// Binary cross-entropy that takes probabilities.
    BinaryCrossEntropyOfProbabilities,
    /// The mean of squared differences.
    MeanSquaredError,
    /// Another loss of a regression.
    OtherRegression,
}

impl LossKind {
    /// Whether the loss takes probabilities.
    pub(crate) fn takes_probabilities(self) -> bool {
        matches!(
            self,
            Self::CrossEntropyOfProbabilities | Self::BinaryCrossEntropyOfProbabilities
        )
    }
}
