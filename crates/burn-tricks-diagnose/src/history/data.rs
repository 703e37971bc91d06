//! The data that the doctor was given.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

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
    /// The different rows that are also among the examined training rows; 0 for the training data itself.
    pub rows_in_training: usize,
    /// The share of the features whose mean is far from that of the training rows: by more than half of their standard
    /// deviation, and by more than six standard errors; 0 for the training data itself.
    #[serde(with = "crate::float")]
    pub shifted_features: f64,
    /// The labels and how often each occurs, for a classification.
    pub classes: BTreeMap<i64, usize>,
    /// The share of batches of at least eight rows that hold one class, though the data has several.
    #[serde(with = "crate::float")]
    pub single_class_batches: f64,
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
    /// The share of targets that are NaN or infinite.
    #[serde(with = "crate::float")]
    pub non_finite: f64,
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
}

impl Rows {
    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.inputs.chunks(self.features.max(1))
    }

    /// The rows as bits, to compare them.
    fn keys(&self) -> impl Iterator<Item = Vec<u32>> {
        self.rows()
            .map(|row| row.iter().map(|value| value.to_bits()).collect())
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
        let distinct_rows = keys.iter().collect::<HashSet<_>>().len();
        let rows_in_training = training.map_or(0, |training| {
            let known: HashSet<_> = training.keys().collect();
            let own: HashSet<_> = keys.iter().collect();
            own.into_iter().filter(|key| known.contains(*key)).count()
        });
        let shifted_features = training.map_or(0.0, |training| self.shifted(training));
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
            classes,
            single_class_batches,
            target: self.target(),
            ..DataHistory::default()
        }
    }

    /// The share of the features that vary in `training` whose mean is far from that in `training`.
    fn shifted(&self, training: &Self) -> f64 {
        let rows = self.rows().count() as f64;
        if self.features != training.features || rows < 2.0 {
            return 0.0;
        }
        let (mut varied, mut shifted) = (0usize, 0usize);
        for at in 0..self.features {
            let of = |rows: &Self| moments(rows.column(at).map(f64::from));
            let (mean, deviation, ..) = of(training);
            if deviation > 0.0 {
                varied += 1;
                let distance = (of(self).0 - mean).abs() / deviation;
                shifted += usize::from(distance > 0.5 && distance > 6.0 / rows.sqrt());
            }
        }
        shifted as f64 / varied.max(1) as f64
    }

    fn column(&self, at: usize) -> impl Iterator<Item = f32> + Clone {
        self.inputs
            .iter()
            .skip(at)
            .step_by(self.features.max(1))
            .copied()
    }

    fn is_constant(&self, at: usize) -> bool {
        let mut column = self.column(at);
        let first = column.next();
        column.all(|value| Some(value) == first)
    }

    /// The features that tell the target: the share of their variance between the classes, or the squared correlation
    /// with the target, is nearly 1. A network of one input may learn the identity, so at least two features are needed,
    /// and the leaking ones are the minority.
    fn leaking(&self) -> Vec<usize> {
        let labels: Vec<i64> = self.labels.iter().flatten().copied().collect();
        let rows = self.inputs.len() / self.features.max(1);
        let has_labels = labels.len() >= rows;
        let has_targets = self.target_columns == 1 && self.targets.len() >= rows;
        if rows < 10 || self.features < 2 || !(has_labels || has_targets) {
            return Vec::new();
        }
        let leaks = |at: &usize| {
            let column = self.column(*at).map(f64::from);
            if has_targets {
                squared_correlation(column, &self.targets) > CORRELATED
            } else {
                share_between(column, &labels) > BETWEEN
            }
        };
        let leaking: Vec<usize> = (0..self.features).filter(leaks).collect();
        if 2 * leaking.len() > self.features {
            return Vec::new();
        }
        leaking
    }

    fn target(&self) -> Option<TargetStats> {
        if self.targets.is_empty() {
            return None;
        }
        let (mean, deviation, min, max, non_finite) = moments(self.targets.iter().copied());
        Some(TargetStats {
            columns: self.target_columns,
            min,
            max,
            mean,
            deviation,
            non_finite,
        })
    }
}

/// The share of the variance of a feature between classes from which it tells the class.
const BETWEEN: f64 = 0.98;

/// The squared correlation with a regression target from which a feature is the target.
const CORRELATED: f64 = 0.9999;

/// The variance of the means of the classes over the whole variance; 0 if the feature is constant.
fn share_between(column: impl Iterator<Item = f64>, labels: &[i64]) -> f64 {
    // Of each class: rows, sum.
    let mut classes: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (value, label) in column.zip(labels) {
        let of_class = classes.entry(*label).or_insert((0.0, 0.0));
        of_class.0 += 1.0;
        of_class.1 += value;
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    let whole = squares - sum * sum / count;
    let between: f64 = classes
        .values()
        .map(|(rows, sum)| sum * sum / rows)
        .sum::<f64>()
        - sum * sum / count;
    // Of a constant only rounding is left, and a class alone tells nothing.
    if classes.len() < 2 || whole <= 1e-12 * squares {
        return 0.0;
    }
    between / whole
}

/// The squared correlation; 0 if one of the two is constant.
fn squared_correlation(column: impl Iterator<Item = f64>, targets: &[f64]) -> f64 {
    let pairs: Vec<(f64, f64)> = column.zip(targets.iter().copied()).collect();
    let count = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (a, b) in &pairs {
        xy += (a - x) * (b - y);
        xx += (a - x).powi(2);
        yy += (b - y).powi(2);
    }
    let product = xx * yy;
    if product > 0.0 {
        xy * xy / product
    } else {
        0.0
    }
}

/// Mean, standard deviation, minimum and maximum of the finite numbers, and the share of the others.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64, f64, f64, f64) {
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
