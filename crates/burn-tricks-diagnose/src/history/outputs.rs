//! The outputs of the model.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The outputs of the model for one batch: the last that the doctor was given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct OutputHistory {
    /// The step after which they were computed.
    pub step: usize,
    /// Rows.
    pub rows: usize,
    /// Outputs per row.
    pub columns: usize,
    /// The smallest output, of the finite ones.
    #[serde(with = "crate::float")]
    pub min: f64,
    /// The largest output, of the finite ones.
    #[serde(with = "crate::float")]
    pub max: f64,
    /// The share of outputs that are NaN or infinite.
    #[serde(with = "crate::float")]
    pub non_finite: f64,
    /// The share of outputs that are exactly 0.
    #[serde(with = "crate::float")]
    pub zeros: f64,
    /// The standard deviation over the rows of a column, the largest of all columns.
    #[serde(with = "crate::float")]
    pub spread: f64,
    /// The largest difference of the sum of a row from 1.
    #[serde(with = "crate::float")]
    pub sum_error: f64,
    /// The largest difference of the sum of a column over the rows from 1, of at least two rows.
    #[serde(with = "crate::float")]
    pub column_sum_error: Option<f64>,
    /// The smallest output of all batches, of those whose smallest one is finite.
    #[serde(with = "crate::float")]
    pub lowest: f64,
    /// The largest output of all batches, of those whose largest one is finite.
    #[serde(with = "crate::float")]
    pub highest: f64,
    /// The number of batches that the doctor was given.
    pub batches: usize,
    /// The first step whose outputs were not finite, of those kept.
    pub first_non_finite: Option<usize>,
    /// For each class of the last validation: its rows, and those of them that were predicted as it. Empty for the
    /// outputs in training, and where no labels were handed over.
    pub recall: BTreeMap<i64, [usize; 2]>,
    /// For each class of which rows were predicted as others, that one of these which was predicted most often, and how often.
    pub mistaken: BTreeMap<i64, (i64, usize)>,
}

impl OutputHistory {
    /// Reads a batch of outputs, row by row.
    pub(crate) fn of(step: usize, columns: usize, values: &[f64]) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let min = finite().fold(f64::INFINITY, f64::min);
        let max = finite().fold(f64::NEG_INFINITY, f64::max);
        let rows = values.len() / columns.max(1);
        let column = |at: usize| values.iter().skip(at).step_by(columns.max(1)).copied();
        let spread = (0..columns)
            .map(|at| deviation(column(at)))
            .fold(0.0, f64::max);
        let sum_error = values
            .chunks(columns.max(1))
            .map(|row| (row.iter().sum::<f64>() - 1.0).abs())
            .fold(0.0, f64::max);
        let column_sum_error = (0..columns)
            .map(|at| (column(at).sum::<f64>() - 1.0).abs())
            .fold(0.0, f64::max);
        let bad = values.len() - finite().count();
        Self {
            step,
            rows,
            columns,
            min,
            max,
            non_finite: bad as f64 / values.len().max(1) as f64,
            zeros: values.iter().filter(|value| **value == 0.0).count() as f64
                / values.len().max(1) as f64,
            spread,
            sum_error,
            column_sum_error: (rows >= 2).then_some(column_sum_error),
            lowest: min,
            highest: max,
            batches: 1,
            first_non_finite: (bad > 0).then_some(step),
            recall: BTreeMap::new(),
            mistaken: BTreeMap::new(),
        }
    }

    /// Whether all outputs are equal for all rows, of which there are at least two.
    pub(crate) fn is_constant(&self) -> bool {
        let size = self.min.abs().max(self.max.abs()).max(f64::MIN_POSITIVE);
        self.rows >= 2 && self.non_finite == 0.0 && self.spread / size < 1e-5
    }
}

/// The standard deviation, with divisor n.
pub(crate) fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}
