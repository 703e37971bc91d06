//! The data that the doctor was given.

use crate::history::target::TargetStats;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// The rows of inputs and of targets of the first batch in which the targets are neither as many as the inputs nor
    /// so many for each.
    pub unpaired: Option<[usize; 2]>,
    /// The number of such batches.
    pub unpaired_batches: usize,
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
    /// The standard deviation of the middle 90 % of all inputs; 0 if it is not known, and of inputs most of which are equal.
    #[serde(with = "crate::float")]
    pub middle_deviation: f64,
    /// The share of inputs that are NaN or infinite.
    #[serde(with = "crate::float")]
    pub non_finite: f64,
    /// The features that have one value in all rows.
    pub constant_features: usize,
    /// The constant features whose value is neither 0 nor the smallest one, which other features have too, as the border of a
    /// standardised image.
    pub constant_nonzero_features: usize,
    /// The features from which the target can be read off, if they are the minority. This measure and those below that are
    /// about single features look at 4,096 features at equal distances, if there are more, or at fewer of many rows.
    pub leaking_features: Vec<usize>,
    /// The share of the variance of the target that these features explain as a sum with factors, if none does alone.
    #[serde(with = "crate::float")]
    pub leaking_sum: Option<f64>,
    /// The different rows among the examined ones.
    pub distinct_rows: usize,
    /// The examined rows of the first epoch; 0 if no epoch has ended.
    pub first_epoch_rows: usize,
    /// The different rows among those.
    pub first_epoch_distinct: usize,
    /// The different rows that are also among the examined training rows; 0 for the training data itself.
    pub rows_in_training: usize,
    /// Of features all of which have few values, the different rows that differ from a training row in exactly one feature; 0 for
    /// the training data itself, and where no row is among the training rows.
    pub rows_beside_training: usize,
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
    /// The share of all inputs that are such a value within the range of the others, as a mean is.
    #[serde(with = "crate::float")]
    pub imputed: f64,
    /// The features with the same number at both ends of their range in many rows, and measured ones between: cut off.
    pub clipped_features: Vec<usize>,
    /// The deviation of the lengths of the rows over their mean; 0 if all rows are scaled to one length.
    #[serde(with = "crate::float")]
    pub length_variation: Option<f64>,
    /// The features of few values, each of which has targets of its own in no order: they number categories.
    pub category_features: Vec<usize>,
    /// How many different rows there can be, as far as the values of single features tell: the product of their numbers of
    /// values, each of which is the number of pairs of different rows over that of the pairs with one value; infinite of many.
    #[serde(with = "crate::float")]
    pub possible_rows: f64,
    /// The same of the rows of the first epoch, of which some may be equal; 0 if no epoch has ended.
    #[serde(with = "crate::float")]
    pub likely_rows: f64,
    /// The features with so many values that different rows seldom share one.
    pub measured_features: usize,
    /// The share of the variance of the targets that lies among rows of equal inputs, of the first epoch; of classes a column
    /// for each counts. `None` where inputs hardly repeat.
    #[serde(with = "crate::float")]
    pub ambiguous: Option<f64>,
    /// The share of the mean squared difference between the targets of nearest rows that vanishes where differences are taken
    /// around the range of the targets, as those of angles are; `None` of few rows, of labels, of targets that do not fill
    /// their range, and where inputs say little.
    #[serde(with = "crate::float")]
    pub wrapped_target: Option<f64>,
    /// The shares of targets that are the smallest and the largest one, of a single column with many different ones.
    #[serde(with = "crate::float")]
    pub piled_targets: [f64; 2],
    /// The correlation of inputs and targets at the same place, of as many targets as inputs in a row.
    #[serde(with = "crate::float")]
    pub in_place: Option<f64>,
    /// The columns of targets that are an input of the same row at another place, as those of a series whose next value is asked
    /// for at each place.
    pub repeated_targets: Vec<usize>,
    /// The features that tell far more of the training targets than of these; none for the training data itself.
    pub less_told_features: Vec<usize>,
    /// Where the classes of the training have other shares than these: how far the means and variances of the inputs of the
    /// training differ from these as those shares say, and its standard error; about 1 where each class has the same inputs.
    #[serde(with = "crate::float")]
    pub shift_with_classes: Option<[f64; 2]>,
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
    /// Whether targets of the first epoch that were not examined are smaller or larger than all that were.
    pub has_other_targets: bool,
}

impl DataHistory {
    /// The different rows; of none that were handed over nothing is known, as if there were many.
    pub(crate) fn known_rows(&self) -> usize {
        match self.distinct_rows {
            0 => usize::MAX,
            rows => rows,
        }
    }

    /// The larger of the shares of inputs and of targets that are NaN or infinite.
    pub(crate) fn non_finite_share(&self) -> f64 {
        let target = self.target.map_or(0.0, |target| target.non_finite);
        self.non_finite.max(target)
    }

    /// The share of the most frequent class; `None` without labels.
    pub(crate) fn most_frequent(&self) -> Option<f64> {
        let all: usize = self.classes.values().sum();
        let most = self.classes.values().max()?;
        Some(*most as f64 / all as f64)
    }
}
