//! The data that a program hands over.

use crate::history::data::DataHistory;
use crate::history::rows::Rows;
use crate::targets::Targets;
use burn::tensor::{FloatDType, Int, Tensor};
use burn_tricks_kernels::{accumulation_dtype, numbers};

/// The most numbers of inputs, and of targets, that are kept: 128 MiB in `f32`.
const MOST: usize = 1 << 25;

/// The most targets of a batch that is kept although it has more rows than are asked for: the shares of the classes are those of
/// all of them. 32 MiB in `f64`.
const MOST_TARGETS: usize = 1 << 22;

/// The rows to keep, of so many numbers each.
fn limited(rows: usize, numbers: usize) -> usize {
    rows.min(MOST / numbers.max(1)).max(1)
}

/// A number as `f32`: a finite one stays finite.
fn narrowed(number: f64) -> f32 {
    if number.is_finite() {
        number.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
    } else {
        number as f32
    }
}

/// The first rows that were handed over, on their device.
#[derive(Debug, Default)]
pub(crate) struct RowRecord {
    inputs: Vec<Tensor<2>>,
    kept_inputs: usize,
    targets: Vec<Targets>,
    /// Targets of inputs that were not kept: they stand behind all others.
    others: Vec<Targets>,
    /// Whether the inputs of the batch are not kept, since its rows have another size than the first.
    has_other_size: bool,
    /// The smallest and the largest target of batches of the first epoch that were not kept, or not all of it.
    ends: Option<[Tensor<1>; 2]>,
    /// The targets of the last batch.
    last: Option<Targets>,
    /// Whether the outputs of that batch have come in this epoch.
    is_answered: bool,
    kept_targets: usize,
    /// How many the others are: they take no place from the targets of inputs that are kept.
    kept_others: usize,
    batches: usize,
    smallest_batch: usize,
    largest_batch: usize,
    is_autodiff: bool,
    /// The kept rows of the first epoch.
    first_epoch: Option<usize>,
    /// The rows of inputs and of targets of the first batch in which they do not belong together.
    unpaired: Option<[usize; 2]>,
    unpaired_batches: usize,
    /// Whether a batch has other than one target, or one row of targets, for each input: those of sequences belong to tokens.
    has_other_targets: bool,
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
        self.has_other_size = false;
        let features = inputs.dims().iter().skip(1).product::<usize>();
        let first = self.inputs.first().map_or(features, |of| of.dims()[1]);
        let limit = limited(limit, first);
        if rows == 0 || features == 0 || self.kept_inputs >= limit {
            return;
        }
        // Rows of other sizes than the first cannot be compared with them.
        if features != first {
            self.has_other_size = true;
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
        let is_of_other_size = std::mem::take(&mut self.has_other_size);
        self.last = Some(targets.clone());
        self.is_answered = false;
        if rows == 0 || columns == 0 {
            return;
        }
        let before = if is_of_other_size {
            self.kept_others
        } else {
            self.kept_targets
        };
        let kept = match limit.saturating_sub(before) {
            0 => 0,
            wanted => rows.min(wanted.max(MOST_TARGETS / columns)),
        };
        if kept < rows && self.first_epoch.is_none() {
            self.note_ends(&targets);
        }
        if kept == 0 {
            return;
        }
        let targets = match targets {
            Targets::Values(values) => Targets::Values(values.narrow(0, 0, kept)),
            Targets::Classes(classes) => Targets::Classes(classes.narrow(0, 0, kept)),
        };
        if is_of_other_size {
            self.kept_others += kept;
            self.others.push(targets);
        } else {
            self.kept_targets += kept;
            self.targets.push(targets);
        }
    }

    /// Keeps the smallest and the largest one of targets that are not kept.
    fn note_ends(&mut self, targets: &Targets) {
        // In `f32`, not in the device's own type: half precision rounds large class numbers.
        let [low, high] = match targets {
            Targets::Values(values) => {
                let wide = accumulation_dtype(values.dtype());
                [values.clone().min(), values.clone().max()].map(|end| end.cast(wide))
            }
            Targets::Classes(classes) => [classes.clone().min(), classes.clone().max()]
                .map(|end: Tensor<1, Int>| end.cast(FloatDType::F32)),
        };
        self.ends = Some(match self.ends.take() {
            None => [low, high],
            Some([lowest, highest]) => [
                Tensor::cat(vec![lowest, low], 0).min(),
                Tensor::cat(vec![highest, high], 0).max(),
            ],
        });
    }

    /// Notes a batch of so many rows of inputs whose targets are neither as many nor, as those of sequences, so many for each.
    pub(crate) fn pair(&mut self, inputs: usize, targets: &Targets) {
        let targets = match targets {
            Targets::Classes(classes) => classes.dims()[0],
            Targets::Values(values) => values.dims()[0],
        };
        if inputs > 0 && targets > 0 && !targets.is_multiple_of(inputs) {
            self.unpaired.get_or_insert([inputs, targets]);
            self.unpaired_batches += 1;
        }
        self.has_other_targets |= inputs != targets;
    }

    /// The numbers of kept inputs and targets.
    pub(crate) fn kept(&self) -> [usize; 2] {
        [self.kept_inputs, self.kept_targets + self.kept_others]
    }

    /// Whether inputs and targets belong together, row by row.
    pub(crate) fn is_paired(&self) -> bool {
        !self.has_other_targets
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
            is_unpaired: self.has_other_targets,
            ..Rows::default()
        };
        for inputs in &self.inputs {
            let inputs = numbers(&inputs.to_data()).into_iter();
            rows.inputs.extend(inputs.map(narrowed));
        }
        rows.ends = (self.ends.as_ref()).map(|ends| {
            let end = |end: &Tensor<1>| numbers(&end.to_data()).first().copied();
            ends.each_ref().map(|of| end(of).unwrap_or(f64::NAN))
        });
        for targets in self.targets.iter().chain(&self.others) {
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
            unpaired_batches: self.unpaired_batches,
            ..rows.history(training)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn labels(all: &[i64]) -> Targets {
        Tensor::<1, Int>::from_data(all, &Device::flex()).into()
    }

    /// A batch whose rows all hold one number.
    fn hand_over(record: &mut RowRecord, shape: [usize; 2], number: f64, targets: &Targets) {
        let inputs = Tensor::<2>::full(shape, number, &Device::flex());
        record.pair(shape[0], targets);
        record.inputs(&inputs, 6);
        record.targets(targets.clone(), 6);
    }

    #[test]
    fn targets_stand_beside_their_inputs_after_a_batch_of_another_size() {
        let mut record = RowRecord::default();
        hand_over(&mut record, [2, 3], 1.0, &labels(&[1, 1]));
        hand_over(&mut record, [2, 4], 9.0, &labels(&[9, 9]));
        hand_over(&mut record, [2, 3], 2.0, &labels(&[2, 2]));
        let rows = record.read().unwrap();
        let firsts: Vec<f32> = rows.rows().map(|row| row[0]).collect();
        assert_eq!(firsts, [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(rows.labels.concat(), [1, 1, 2, 2, 9, 9]);
    }

    #[test]
    fn an_input_that_is_kept_has_its_target_however_many_batches_of_another_size_there_are() {
        let mut record = RowRecord::default();
        hand_over(&mut record, [2, 3], 1.0, &labels(&[1, 1]));
        hand_over(&mut record, [2, 4], 9.0, &labels(&[9, 9]));
        hand_over(&mut record, [2, 4], 9.0, &labels(&[9, 9]));
        hand_over(&mut record, [2, 3], 2.0, &labels(&[2, 2]));
        let rows = record.read().unwrap();
        let firsts: Vec<f32> = rows.rows().map(|row| row[0]).collect();
        assert_eq!(firsts, [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(rows.labels.concat(), [1, 1, 2, 2, 9, 9, 9, 9]);
        assert_eq!(record.kept(), [4, 8]);
        // Of rows so large, five are kept; of the small ones, six.
        let mut record = RowRecord::default();
        hand_over(&mut record, [5, 3], 1.0, &labels(&[1; 5]));
        hand_over(&mut record, [1, MOST / 5], 9.0, &labels(&[9]));
        hand_over(&mut record, [1, 3], 2.0, &labels(&[2]));
        let rows = record.read().unwrap();
        assert_eq!(rows.rows().count(), 6);
        assert_eq!(rows.labels.concat(), [1, 1, 1, 1, 1, 2, 9]);
    }

    #[test]
    fn inputs_of_f64_beyond_f32_are_finite() {
        let mut record = RowRecord::default();
        let root = Tensor::<2>::full([2, 3], 1e20, &Device::flex()).cast(FloatDType::F64);
        record.inputs(&(root.clone() * root), 6);
        record.targets(labels(&[0, 1]), 6);
        let rows = record.read().unwrap();
        assert_eq!(rows.inputs, [f32::MAX; 6]);
        assert_eq!(record.history(&rows, None).non_finite, 0.0);
        assert_eq!(narrowed(-1e40), f32::MIN);
        assert_eq!(narrowed(f64::NEG_INFINITY), f32::NEG_INFINITY);
        assert!(narrowed(f64::NAN).is_nan());
        assert_eq!(narrowed(0.1), 0.1);
    }

    #[test]
    fn targets_of_tokens_belong_to_no_row() {
        let mut record = RowRecord::default();
        hand_over(&mut record, [2, 3], 1.0, &labels(&[0, 1]));
        assert!(record.is_paired() && record.read().unwrap().wanted().is_some());
        hand_over(&mut record, [2, 3], 1.0, &labels(&[0, 1, 0, 1, 0, 1]));
        assert!(!record.is_paired() && record.read().unwrap().wanted().is_none());
        assert_eq!((record.unpaired, record.unpaired_batches), (None, 0));
        hand_over(&mut record, [2, 3], 1.0, &labels(&[0]));
        assert_eq!(
            (record.unpaired, record.unpaired_batches),
            (Some([2, 1]), 1)
        );
    }

    #[test]
    fn of_targets_that_are_not_kept_the_ends_are_known_in_the_first_epoch() {
        let mut record = RowRecord::default();
        let numbers = |number: f64, rows: usize| -> Targets {
            Tensor::<2>::full([rows, 1], number, &Device::flex()).into()
        };
        let has_others = |record: &RowRecord| {
            let rows = record.read().unwrap();
            record.history(&rows, None).has_other_targets
        };
        for _ in 0..3 {
            hand_over(&mut record, [4, 1], 1.0, &numbers(0.0, 4));
        }
        assert!(!has_others(&record));
        hand_over(&mut record, [4, 1], 1.0, &numbers(3.0, 4));
        assert!(has_others(&record));
        let mut record = RowRecord::default();
        for _ in 0..3 {
            hand_over(&mut record, [4, 1], 1.0, &numbers(0.0, 4));
        }
        record.end_epoch();
        hand_over(&mut record, [4, 1], 1.0, &numbers(3.0, 4));
        assert!(!has_others(&record), "of another epoch");
        let mut record = RowRecord::default();
        hand_over(&mut record, [8, 1], 1.0, &labels(&[0; 8]));
        hand_over(&mut record, [8, 1], 1.0, &labels(&[0, 0, 0, 0, 0, 0, 0, 1]));
        assert!(has_others(&record), "of labels");
    }

    #[test]
    fn a_batch_of_very_many_targets_is_cut() {
        let mut record = RowRecord::default();
        let wide = Tensor::<2>::zeros([20, MOST_TARGETS / 4], &Device::flex());
        hand_over(&mut record, [20, 1], 1.0, &wide.into());
        assert_eq!(record.read().unwrap().targets.len(), 6 * MOST_TARGETS / 4);
        assert_eq!(record.kept_targets, 6);
    }

    #[test]
    fn of_large_rows_few_are_kept() {
        assert_eq!(limited(2048, 64), 2048);
        assert_eq!(limited(2048, 3 * 224 * 224), 222);
        assert_eq!(limited(2048, MOST + 1), 1);
    }
}
