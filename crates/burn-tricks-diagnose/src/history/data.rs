//! The data that the doctor was given.

use crate::history::outliers::{OUTLYING, outlier_ratio};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// More different whole numbers are counts.
const MOST_CLASSES: usize = 20;

/// The inputs and targets that the doctor was given: the first rows, up to the configured number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct DataHistory {
    /// The number of batches that the doctor was given.
    pub batches: usize,
    /// The rows of the smallest batch.
    pub smallest_batch: usize,
    /// The rows of the largest batch.
    pub largest_batch: usize,
    /// Whether the inputs were on a device with autodiff, on which dropout drops and batch norms use the batch.
    pub is_autodiff: bool,
    /// The input rows that were examined.
    pub rows: usize,
    /// The numbers in a row.
    pub features: usize,
    /// The smallest input.
    #[serde(with = "crate::float")]
    pub min: f64,
    /// The largest input.
    #[serde(with = "crate::float")]
    pub max: f64,
    /// The mean of all inputs.
    #[serde(with = "crate::float")]
    pub mean: f64,
    /// The standard deviation of all inputs.
    #[serde(with = "crate::float")]
    pub deviation: f64,
    /// The share of inputs that are NaN or infinite.
    #[serde(with = "crate::float")]
    pub non_finite: f64,
    /// The features that have one value in all rows.
    pub constant_features: usize,
    /// The constant features whose value is not 0.
    pub constant_nonzero_features: usize,
    /// The features from which the target can be read off, if they are the minority.
    pub leaking_features: Vec<usize>,
    /// The different rows among the examined ones.
    pub distinct_rows: usize,
    /// The examined rows of the first epoch; 0 if no epoch has ended.
    pub first_epoch_rows: usize,
    /// The different rows among those.
    pub first_epoch_distinct: usize,
    /// The different rows that are also among the examined training rows; 0 for the training data itself.
    pub rows_in_training: usize,
    /// The share of the features whose mean is far from that of the training rows: by more than half of their standard
    /// deviation, and by more than six standard errors; 0 for the training data itself.
    #[serde(with = "crate::float")]
    pub shifted_features: f64,
    /// The share of the features whose deviation differs from that of the training rows by a factor of more than 1.5, and by more
    /// than six standard errors; 0 for the training data itself.
    #[serde(with = "crate::float")]
    pub rescaled_features: f64,
    /// The largest magnitude in the feature with the largest numbers over that in the feature with the smallest, of the
    /// features that vary; 1 for fewer than two.
    #[serde(with = "crate::float")]
    pub scale_ratio: f64,
    /// The features in which a few rows have far larger numbers than the others.
    pub outlying_features: usize,
    /// The deviation of such a feature over that of its middle 90 %, the largest of all features; 1 if few rows were
    /// examined.
    #[serde(with = "crate::float")]
    pub outlier_ratio: f64,
    /// The features of which many rows have one value, and the others measured ones that it does not belong to.
    pub filled_features: Vec<usize>,
    /// The features with the same number at both ends of their range in many rows, and measured ones between: cut off.
    pub clipped_features: Vec<usize>,
    /// The deviation of the lengths of the rows over their mean; 0 if all rows are scaled to one length.
    #[serde(with = "crate::float::option")]
    pub length_variation: Option<f64>,
    /// The features of few values, each of which has targets of its own in no order: they number categories.
    pub category_features: Vec<usize>,
    /// The most rows that can differ, by the values that each feature has; infinite of many.
    #[serde(with = "crate::float")]
    pub possible_rows: f64,
    /// The labels and how often each occurs, for a classification.
    pub classes: BTreeMap<i64, usize>,
    /// The share of batches of at least eight rows that hold one class, though the data has several.
    #[serde(with = "crate::float")]
    pub single_class_batches: f64,
    /// The share of the variance of the targets that lies between batches, beyond what chance puts there: 0 for shuffled
    /// rows, 1 for rows that are sorted by their target.
    #[serde(with = "crate::float")]
    pub between_batches: f64,
    /// The targets of a regression.
    pub target: Option<TargetStats>,
}

/// The targets of a regression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TargetStats {
    /// The targets per row.
    pub columns: usize,
    /// The smallest target.
    #[serde(with = "crate::float")]
    pub min: f64,
    /// The largest target.
    #[serde(with = "crate::float")]
    pub max: f64,
    /// The mean.
    #[serde(with = "crate::float")]
    pub mean: f64,
    /// The standard deviation.
    #[serde(with = "crate::float")]
    pub deviation: f64,
    /// The root of the mean variance of a column: of one column its deviation.
    #[serde(with = "crate::float")]
    pub column_deviation: f64,
    /// The deviation over that of the middle 90 %, the largest of all columns.
    #[serde(with = "crate::float")]
    pub outlier_ratio: f64,
    /// The different targets, if they are whole numbers from 0 or 1 on without a gap, as those of classes are, and at most
    /// twenty; or else 0.
    pub class_numbers: usize,
    /// The largest difference of the sum of a row of targets from 1.
    #[serde(with = "crate::float")]
    pub sum_error: f64,
    /// The share of targets that are below 0.
    #[serde(with = "crate::float")]
    pub negative: f64,
    /// The share of targets that are NaN or infinite.
    #[serde(with = "crate::float")]
    pub non_finite: f64,
}

impl TargetStats {
    /// The mean square of the best prediction that does not depend on the inputs: a mean for each column.
    pub(crate) fn variance(&self) -> f64 {
        match self.column_deviation {
            // A history of an earlier version.
            0.0 => self.deviation.powi(2),
            deviation => deviation.powi(2),
        }
    }
}

impl DataHistory {
    /// The share of the most frequent class; `None` without labels.
    pub(crate) fn most_frequent(&self) -> Option<f64> {
        let all: usize = self.classes.values().sum();
        let most = self.classes.values().max()?;
        Some(*most as f64 / all as f64)
    }
}

/// Rows on the host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    pub(crate) features: usize,
    pub(crate) inputs: Vec<f32>,
    /// One list of labels per batch.
    pub(crate) labels: Vec<Vec<i64>>,
    pub(crate) target_columns: usize,
    pub(crate) targets: Vec<f64>,
    /// The rows of each batch of targets.
    pub(crate) target_batches: Vec<usize>,
}

impl Rows {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.inputs.chunks(self.features.max(1))
    }

    /// The rows as bits, to compare them.
    fn keys(&self) -> impl Iterator<Item = Vec<u32>> {
        self.rows()
            .map(|row| row.iter().map(|value| value.to_bits()).collect())
    }

    /// The different rows.
    pub(crate) fn distinct_rows(&self) -> usize {
        self.keys().collect::<HashSet<_>>().len()
    }

    /// The different rows among the first `count`.
    pub(crate) fn distinct_among(&self, count: usize) -> usize {
        self.keys().take(count).collect::<HashSet<_>>().len()
    }

    /// The statistics of these rows; `training` are the training rows if these are others.
    pub(crate) fn history(&self, training: Option<&Self>) -> DataHistory {
        let (mean, deviation, min, max, non_finite) =
            moments(self.inputs.iter().copied().map(f64::from));
        let features = if self.inputs.is_empty() {
            0
        } else {
            self.features
        };
        let constant: Vec<_> = (0..features).filter(|at| self.is_constant(*at)).collect();
        let constant_nonzero = constant
            .iter()
            .filter(|at| self.inputs[**at] != 0.0)
            .count();
        let keys: Vec<_> = self.keys().collect();
        let distinct_rows = self.distinct_rows();
        let rows_in_training = training.map_or(0, |training| {
            let known: HashSet<_> = training.keys().collect();
            let own: HashSet<_> = keys.iter().collect();
            own.into_iter().filter(|key| known.contains(*key)).count()
        });
        let shifted_features = training.map_or(0.0, |training| self.shifted(training));
        let rescaled_features = training.map_or(0.0, |training| self.rescaled(training));
        let outliers: Vec<f64> = (0..features)
            .map(|at| outlier_ratio(self.column(at).map(f64::from)))
            .collect();
        let mut classes = BTreeMap::new();
        for label in self.labels.iter().flatten() {
            *classes.entry(*label).or_insert(0) += 1;
        }
        let large = || self.labels.iter().filter(|batch| batch.len() >= 8);
        let single = large().filter(|batch| batch.iter().all(|label| *label == batch[0]));
        let single_class_batches = if classes.len() >= 2 {
            single.count() as f64 / large().count().max(1) as f64
        } else {
            0.0
        };
        DataHistory {
            rows: keys.len(),
            features,
            min,
            max,
            mean,
            deviation,
            non_finite,
            constant_features: constant.len(),
            constant_nonzero_features: constant_nonzero,
            leaking_features: self.leaking(),
            distinct_rows,
            rows_in_training,
            shifted_features,
            rescaled_features,
            scale_ratio: self.scale_ratio(),
            outlying_features: outliers.iter().filter(|ratio| **ratio > OUTLYING).count(),
            outlier_ratio: outliers.iter().copied().fold(1.0, f64::max),
            filled_features: self.filled(),
            clipped_features: self.clipped(),
            length_variation: self.length_variation(),
            category_features: self.categories(),
            possible_rows: self.possible(),
            classes,
            single_class_batches,
            between_batches: self.between_batches(),
            target: self.target(),
            ..DataHistory::default()
        }
    }

    pub(crate) fn column(&self, at: usize) -> impl Iterator<Item = f32> + Clone {
        self.inputs
            .iter()
            .skip(at)
            .step_by(self.features.max(1))
            .copied()
    }

    /// The product of the numbers of values of all features.
    fn possible(&self) -> f64 {
        let features = if self.inputs.is_empty() {
            0
        } else {
            self.features
        };
        let values = |at: usize| self.column(at).map(f32::to_bits).collect::<HashSet<_>>();
        (0..features).map(|at| values(at).len() as f64).product()
    }

    fn is_constant(&self, at: usize) -> bool {
        let mut column = self.column(at);
        let first = column.next();
        column.all(|value| Some(value) == first)
    }

    fn target(&self) -> Option<TargetStats> {
        if self.targets.is_empty() {
            return None;
        }
        let (mean, deviation, min, max, non_finite) = moments(self.targets.iter().copied());
        let columns = self.target_columns.max(1);
        let column = |at: usize| self.targets.iter().skip(at).step_by(columns).copied();
        let variances = (0..columns).map(|at| moments(column(at)).1.powi(2));
        let variance = variances.sum::<f64>() / columns as f64;
        Some(TargetStats {
            columns: self.target_columns,
            column_deviation: variance.sqrt(),
            class_numbers: class_numbers(&self.targets),
            sum_error: (self.targets.chunks(columns))
                .map(|row| (row.iter().sum::<f64>() - 1.0).abs())
                .fold(0.0, f64::max),
            outlier_ratio: (0..columns)
                .map(|at| outlier_ratio(column(at)))
                .fold(1.0, f64::max),
            min,
            max,
            mean,
            deviation,
            negative: self.targets.iter().filter(|target| **target < 0.0).count() as f64
                / self.targets.len() as f64,
            non_finite,
        })
    }
}

/// The different targets, if they are whole numbers from 0 or 1 on without a gap.
fn class_numbers(targets: &[f64]) -> usize {
    let mut different = BTreeSet::new();
    for target in targets {
        if target.fract() != 0.0 || !(0.0..=MOST_CLASSES as f64).contains(target) {
            return 0;
        }
        different.insert(*target as usize);
    }
    let ends = different.first().zip(different.last());
    let count = different.len();
    let is_whole = ends.is_some_and(|(first, last)| *first <= 1 && last - first + 1 == count);
    if is_whole && count <= MOST_CLASSES {
        count
    } else {
        0
    }
}

/// Mean, standard deviation, minimum and maximum of the finite numbers, and the share of the others.
pub(crate) fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64, f64, f64, f64) {
    let all = values.clone().count().max(1) as f64;
    let finite = values.filter(|value| value.is_finite());
    let count = finite.clone().count();
    if count == 0 {
        return (0.0, 0.0, 0.0, 0.0, if all > 1.0 { 1.0 } else { 0.0 });
    }
    let count = count as f64;
    let mean = finite.clone().sum::<f64>() / count;
    let square = finite.clone().map(|value| (value - mean).powi(2));
    let deviation = (square.sum::<f64>() / count).sqrt();
    let min = finite.clone().fold(f64::INFINITY, f64::min);
    let max = finite.fold(f64::NEG_INFINITY, f64::max);
    (mean, deviation, min, max, 1.0 - count / all)
}
