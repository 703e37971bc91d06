//! The data that a program hands over.

use crate::history::data::{DataHistory, Rows};
use crate::targets::Targets;
use burn::tensor::Tensor;
use burn_tricks_kernels::numbers;

/// The most numbers of inputs, and of targets, that are kept: 128 MiB in `f32`.
const MOST: usize = 1 << 25;

/// The rows to keep, of so many numbers each.
fn limited(rows: usize, numbers: usize) -> usize {
    rows.min(MOST / numbers.max(1)).max(1)
}

/// The first rows that were handed over, on their device.
#[derive(Debug, Default)]
pub(crate) struct RowRecord {
    inputs: Vec<Tensor<2>>,
    kept_inputs: usize,
    targets: Vec<Targets>,
    /// The targets of the last batch.
    last: Option<Targets>,
    /// Whether the outputs of that batch have come in this epoch.
    is_answered: bool,
    kept_targets: usize,
    batches: usize,
    smallest_batch: usize,
    largest_batch: usize,
    is_autodiff: bool,
    /// The kept rows of the first epoch.
    first_epoch: Option<usize>,
    /// The rows of inputs and of targets of the first batch in which they do not belong together.
    unpaired: Option<[usize; 2]>,
}

impl RowRecord {
    pub(crate) fn inputs<const D: usize>(&mut self, inputs: &Tensor<D>, limit: usize) {
        let rows = inputs.dims().first().copied().unwrap_or(0);
        self.is_autodiff |= inputs.device().is_autodiff();
        self.smallest_batch = match self.batches {
            0 => rows,
            _ => self.smallest_batch.min(rows),
        };
        self.largest_batch = self.largest_batch.max(rows);
        self.batches += 1;
        let features = inputs.dims().iter().skip(1).product::<usize>();
        let limit = limited(limit, features);
        if rows == 0 || features == 0 || self.kept_inputs >= limit {
            return;
        }
        // Rows of other sizes than the first cannot be compared with them.
        if self
            .inputs
            .first()
            .is_some_and(|first| first.dims()[1] != features)
        {
            return;
        }
        let flat = inputs.clone().without_autodiff().reshape([rows, features]);
        let kept = rows.min(limit - self.kept_inputs);
        self.kept_inputs += kept;
        self.inputs.push(flat.narrow(0, 0, kept));
    }

    pub(crate) fn targets(&mut self, targets: Targets, limit: usize) {
        let [rows, columns] = match &targets {
            Targets::Classes(classes) => [classes.dims()[0], 1],
            Targets::Values(values) => values.dims(),
        };
        let limit = limited(limit, columns);
        let targets = match targets {
            Targets::Values(values) => Targets::Values(values.without_autodiff()),
            classes => classes,
        };
        self.last = Some(targets.clone());
        self.is_answered = false;
        if rows == 0 || self.kept_targets >= limit {
            return;
        }
        self.kept_targets += rows;
        self.targets.push(targets);
    }

    /// Notes a batch of so many rows of inputs whose targets are neither as many nor, as those of sequences, so many for each.
    pub(crate) fn pair(&mut self, inputs: usize, targets: &Targets) {
        let targets = match targets {
            Targets::Classes(classes) => classes.dims()[0],
            Targets::Values(values) => values.dims()[0],
        };
        if inputs > 0 && targets > 0 && !targets.is_multiple_of(inputs) {
            self.unpaired.get_or_insert([inputs, targets]);
        }
    }

    /// Whether inputs and targets belong together, row by row.
    pub(crate) fn is_paired(&self) -> bool {
        self.unpaired.is_none()
    }

    /// The targets of the outputs that come next: those of the last batch, if its outputs have not come in this epoch.
    pub(crate) fn next_targets(&mut self) -> Option<Targets> {
        let has_come = std::mem::replace(&mut self.is_answered, true);
        self.last.clone().filter(|_| !has_come)
    }

    /// An epoch has ended. A program that hands over one batch, once, means it in every epoch.
    pub(crate) fn end_epoch(&mut self) {
        self.first_epoch.get_or_insert(self.kept_inputs);
        self.is_answered &= self.batches != 1;
    }

    /// Waits for the device.
    #[allow(clippy::disallowed_methods)] // a diagnosis was asked for
    pub(crate) fn read(&self) -> Option<Rows> {
        if self.batches == 0 && self.targets.is_empty() {
            return None;
        }
        let mut rows = Rows {
            features: self.inputs.first().map_or(0, |first| first.dims()[1]),
            ..Rows::default()
        };
        for inputs in &self.inputs {
            let inputs = numbers(&inputs.to_data()).into_iter();
            rows.inputs.extend(inputs.map(|number| number as f32));
        }
        for targets in &self.targets {
            match targets {
                Targets::Classes(classes) => {
                    let classes = numbers(&classes.to_data()).into_iter();
                    rows.labels
                        .push(classes.map(|class| class as i64).collect());
                }
                Targets::Values(values) => {
                    rows.target_columns = values.dims()[1];
                    rows.target_batches.push(values.dims()[0]);
                    rows.targets.extend(numbers(&values.to_data()));
                }
            }
        }
        Some(rows)
    }

    /// The statistics of rows that were [read](Self::read).
    pub(crate) fn history(&self, rows: &Rows, training: Option<&Rows>) -> DataHistory {
        let first_epoch = self.first_epoch.unwrap_or(0);
        DataHistory {
            first_epoch_rows: first_epoch,
            first_epoch_distinct: rows.distinct_among(first_epoch),
            ambiguous: rows.ambiguous(first_epoch),
            likely_rows: if first_epoch > 0 {
                rows.likely(first_epoch)
            } else {
                0.0
            },
            batches: self.batches,
            smallest_batch: self.smallest_batch,
            largest_batch: self.largest_batch,
            is_autodiff: self.is_autodiff,
            unpaired: self.unpaired,
            ..rows.history(training)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_large_rows_few_are_kept() {
        assert_eq!(limited(2048, 64), 2048);
        assert_eq!(limited(2048, 3 * 224 * 224), 222);
        assert_eq!(limited(2048, MOST + 1), 1);
    }
}
