//! What should come out for each row.

use crate::history::rows::Rows;
use std::collections::BTreeSet;

/// The targets of rows: labels, or rows of numbers.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// The rows.
    pub(crate) rows: usize,
    /// The numbers of a row; 1 for labels.
    pub(crate) columns: usize,
    labels: Vec<i64>,
    values: &'a [f64],
}

impl Rows {
    /// The targets row by row; `None` if there are none, or they belong to something else than rows.
    pub(crate) fn wanted(&self) -> Option<Wanted<'_>> {
        if self.is_unpaired {
            return None;
        }
        let labels = self.labels.concat();
        let (rows, columns) = if labels.is_empty() {
            let columns = self.target_columns;
            (self.targets.len() / columns.max(1), columns)
        } else {
            (labels.len(), 1)
        };
        (rows > 0 && columns > 0).then_some(Wanted {
            rows,
            columns,
            labels,
            values: &self.targets,
        })
    }
}

impl Wanted<'_> {
    /// Whether rows have labels.
    pub(crate) fn is_labelled(&self) -> bool {
        !self.labels.is_empty()
    }

    /// The label of a row.
    pub(crate) fn label(&self, row: usize) -> Option<i64> {
        self.labels.get(row).copied()
    }

    /// A target of a regression; 0 if there is none.
    pub(crate) fn value(&self, row: usize, column: usize) -> f64 {
        let at = row * self.columns + column;
        self.values.get(at).copied().unwrap_or(0.0)
    }

    /// The classes among the first `rows` labels.
    pub(crate) fn classes(&self, rows: usize) -> Vec<i64> {
        let labels: BTreeSet<i64> = self.labels.iter().copied().take(rows).collect();
        labels.into_iter().collect()
    }

    /// The share of the variance of the first `rows` targets that predictions explain, over all columns.
    pub(crate) fn explained(&self, rows: usize, predicted: impl Fn(usize, usize) -> f64) -> f64 {
        let (mut error, mut whole) = (0.0, 0.0);
        for column in 0..self.columns {
            let values = || (0..rows).map(|row| self.value(row, column));
            let mean = values().sum::<f64>() / rows as f64;
            whole += values().map(|value| (value - mean).powi(2)).sum::<f64>();
            let errors = values().enumerate();
            error += errors
                .map(|(row, value)| (value - predicted(row, column)).powi(2))
                .sum::<f64>();
        }
        1.0 - error / whole
    }
}
