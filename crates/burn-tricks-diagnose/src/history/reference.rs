//! What a model that needs no network reaches.

use crate::history::table::Table;
use serde::{Deserialize, Serialize};

/// What a model that is fitted to the training rows without the network reaches on the validation rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ReferenceFit {
    /// The different training rows.
    pub rows: usize,
    /// The validation rows that were predicted.
    pub queries: usize,
    /// The accuracy on the validation rows; for a regression, the share of the variance that is explained.
    #[serde(with = "crate::float")]
    pub score: f64,
    /// Whether the score is an accuracy.
    pub is_accuracy: bool,
}

impl ReferenceFit {
    /// The score of predictions for the validation rows of `table`.
    pub(crate) fn of(table: &Table, predicted: &[f64]) -> Option<Self> {
        let all: Vec<usize> = (0..table.queries).collect();
        let score = table.score(&all, predicted);
        score.is_finite().then_some(Self {
            rows: table.rows,
            queries: table.queries,
            score,
            is_accuracy: table.is_labelled(),
        })
    }
}
