//! The targets of a regression.

use crate::history::moments::{moments, spread};
use crate::history::outliers::outlier_ratio;
use crate::history::rows::{MOST_FEATURES, Rows};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// More different whole numbers are counts.
const MOST_CLASSES: usize = 20;

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
    /// The kurtosis, the largest of all columns: 3 for a normal distribution; 0 if it is not known.
    #[serde(with = "crate::float")]
    pub kurtosis: f64,
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

impl Rows {
    /// The statistics of the targets, if they are numbers.
    pub(crate) fn target(&self) -> Option<TargetStats> {
        if self.targets.is_empty() {
            return None;
        }
        let (mean, deviation, min, max, non_finite) = moments(self.targets.iter().copied());
        let columns = self.target_columns.max(1);
        let column = |at: usize| self.targets.iter().skip(at).step_by(columns).copied();
        let examined = || spread(columns, MOST_FEATURES);
        let variances = examined().map(|at| moments(column(at)).1.powi(2));
        let variance = variances.sum::<f64>() / examined().count() as f64;
        Some(TargetStats {
            columns: self.target_columns,
            column_deviation: variance.sqrt(),
            class_numbers: class_numbers(&self.targets),
            sum_error: (self.targets.chunks(columns))
                .map(|row| (row.iter().sum::<f64>() - 1.0).abs())
                .fold(0.0, f64::max),
            outlier_ratio: examined()
                .map(|at| outlier_ratio(column(at)))
                .fold(1.0, f64::max),
            kurtosis: examined()
                .map(|at| kurtosis(column(at)))
                .fold(0.0, f64::max),
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

/// The mean fourth power of the distance from the mean, in deviations; 0 of equal numbers.
fn kurtosis(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let (mean, deviation, ..) = moments(values.clone());
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += ((value - mean) / deviation).powi(4);
        count += 1.0;
    }
    let kurtosis: f64 = sum / count;
    if kurtosis.is_finite() { kurtosis } else { 0.0 }
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
