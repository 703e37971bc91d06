//! The data that the doctor was given.

use crate::history::outliers::{OUTLYING, middle_deviation, outlier_ratio};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// More different whole numbers are counts.
const MOST_CLASSES: usize = 20;

/// The most features, and columns of targets, of which each is measured by itself; of more, so many at equal distances are.
const MOST_FEATURES: usize = 4096;

/// The most numbers of these features, of more than so many features.
const MOST_NUMBERS: usize = 1 << 22;
const FEWEST_FEATURES: usize = 256;

/// Odd numbers without a pattern: those of splitmix64.
const MULTIPLIERS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

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
    /// The rows of inputs and of targets of the first batch in which the targets are neither as many as the inputs nor so many for each.
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
    #[serde(with = "crate::float::option")]
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
    #[serde(with = "crate::float::option")]
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
    #[serde(with = "crate::float::option")]
    pub ambiguous: Option<f64>,
    /// The share of the mean squared difference between the targets of nearest rows that vanishes where differences are taken
    /// around the range of the targets, as those of angles are; `None` of few rows, of labels, of targets that do not fill
    /// their range, and where inputs say little.
    #[serde(with = "crate::float::option")]
    pub wrapped_target: Option<f64>,
    /// The shares of targets that are the smallest and the largest one, of a single column with many different ones.
    pub piled_targets: [f64; 2],
    /// The correlation of inputs and targets at the same place, of as many targets as inputs in a row.
    #[serde(with = "crate::float::option")]
    pub in_place: Option<f64>,
    /// The columns of targets that are an input of the same row at another place, as those of a series whose next value is asked
    /// for at each place.
    pub repeated_targets: Vec<usize>,
    /// The features that tell far more of the training targets than of these; none for the training data itself.
    pub less_told_features: Vec<usize>,
    /// Where the classes of the training have other shares than these: how far the means and variances of the inputs of the
    /// training differ from these as those shares say, and its standard error; about 1 where each class has the same inputs.
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

impl DataHistory {
    /// The different rows; of none that were handed over nothing is known, as if there were many.
    pub(crate) fn known_rows(&self) -> usize {
        match self.distinct_rows {
            0 => usize::MAX,
            rows => rows,
        }
    }

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
    /// Whether targets do not stand row by row beside the inputs.
    pub(crate) is_unpaired: bool,
    /// The smallest and the largest target of others.
    pub(crate) ends: Option<[f64; 2]>,
}

impl Rows {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.inputs.chunks(self.features.max(1))
    }

    /// A number of 128 bits for each row, made of its bits: that of another row is another one, but for a chance that is too
    /// small to count.
    pub(crate) fn keys(&self) -> impl Iterator<Item = u128> {
        self.rows().map(|row| {
            let half = |factor: u64| {
                row.iter().fold(factor, |hash, value| {
                    let mixed = hash.rotate_left(26) ^ u64::from(value.to_bits());
                    let mixed = mixed.wrapping_mul(factor);
                    mixed ^ (mixed >> 29)
                })
            };
            let [one, other] = MULTIPLIERS.map(half);
            (u128::from(one) << 64) | u128::from(other)
        })
    }

    /// The different rows.
    pub(crate) fn distinct_rows(&self) -> usize {
        self.keys().collect::<HashSet<_>>().len()
    }

    /// The different rows among the first `count`.
    pub(crate) fn distinct_among(&self, count: usize) -> usize {
        self.keys().take(count).collect::<HashSet<_>>().len()
    }

    /// The features that are looked at one by one.
    pub(crate) fn examined(&self) -> Vec<usize> {
        if self.inputs.is_empty() {
            return Vec::new();
        }
        let rows = self.rows().count().max(1);
        let most = (MOST_NUMBERS / rows).clamp(FEWEST_FEATURES, MOST_FEATURES);
        spread(self.features, most).collect()
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
        let constant = self.constant();
        let backgrounds = self.backgrounds(&constant);
        let constant_nonzero = constant
            .iter()
            .map(|at| self.inputs[*at])
            .filter(|value| *value != 0.0 && !backgrounds.contains(value))
            .count();
        let keys: Vec<_> = self.keys().collect();
        let values = self.values(&self.different_places());
        let own: HashSet<u128> = keys.iter().copied().collect();
        let rows_in_training = training.map_or(0, |training| {
            let known: HashSet<u128> = training.keys().collect();
            own.intersection(&known).count()
        });
        let beside = training.filter(|_| rows_in_training > 0);
        let rows_beside_training = beside.map_or(0, |training| self.beside(training));
        let shifted_features = training.map_or(0.0, |training| self.shifted(training));
        let rescaled_features = training.map_or(0.0, |training| self.rescaled(training));
        let outliers: Vec<f64> = (self.examined().into_iter())
            .map(|at| outlier_ratio(self.column(at).map(f64::from)))
            .collect();
        let fillings = self.filled();
        let inside = fillings.iter().filter(|(_, filling)| filling.is_inside);
        let imputed: f64 = inside.map(|(_, filling)| filling.share).sum();
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
        let mut leaking = self.leaking();
        let sum = leaking.is_empty().then(|| self.parts()).flatten();
        let leaking_sum = sum.map(|(parts, share)| {
            leaking = parts;
            share
        });
        let target = self.target();
        let labels = classes.first_key_value().zip(classes.last_key_value());
        let range = match (labels, target) {
            (Some(((low, _), (high, _))), _) => Some([*low as f64, *high as f64]),
            (None, target) => target.map(|target| [target.min, target.max]),
        };
        let others = range.zip(self.ends);
        let has_other_targets =
            others.is_some_and(|(kept, other)| other[0] < kept[0] || other[1] > kept[1]);
        DataHistory {
            rows: keys.len(),
            features,
            min,
            max,
            mean,
            deviation,
            middle_deviation: middle_deviation(&self.inputs),
            non_finite,
            constant_features: constant.len(),
            constant_nonzero_features: constant_nonzero,
            leaking_features: leaking,
            leaking_sum,
            distinct_rows: own.len(),
            rows_in_training,
            rows_beside_training,
            shifted_features,
            rescaled_features,
            scale_ratio: self.scale_ratio(),
            outlying_features: outliers.iter().filter(|ratio| **ratio > OUTLYING).count(),
            outlier_ratio: outliers.iter().copied().fold(1.0, f64::max),
            filled_features: fillings.iter().map(|(at, _)| *at).collect(),
            imputed: imputed / self.examined().len().max(1) as f64,
            clipped_features: self.clipped(),
            length_variation: self.length_variation(),
            category_features: self.categories(),
            possible_rows: values.iter().product(),
            measured_features: (values.iter())
                .filter(|values| **values > own.len() as f64)
                .count(),
            classes,
            single_class_batches,
            between_batches: self.between_batches(),
            target,
            has_other_targets,
            wrapped_target: self.wrapped(),
            piled_targets: self.piled(),
            in_place: self.in_place(),
            repeated_targets: self.repeated(),
            less_told_features: training.map_or_else(Vec::new, |training| self.less_told(training)),
            shift_with_classes: training.and_then(|training| self.shift_with_classes(training)),
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

    /// Of each feature that is looked at, how many values it has as far as those of these rows tell: the number of pairs of
    /// rows over that of the pairs with one value, of which at least one is counted. So many values that are as likely as each
    /// other have as many pairs.
    fn values(&self, rows: &[usize]) -> Vec<f64> {
        let pairs = |count: usize| (count * count.saturating_sub(1)) as f64 / 2.0;
        let of_feature = |at: usize| {
            let mut counts: HashMap<u32, usize> = HashMap::new();
            for row in rows {
                let value = self.inputs[row * self.features + at];
                *counts.entry(value.to_bits()).or_default() += 1;
            }
            let equal: f64 = counts.values().map(|count| pairs(*count)).sum();
            (pairs(rows.len()) / equal.max(1.0)).max(1.0)
        };
        self.examined().into_iter().map(of_feature).collect()
    }

    /// How many different rows there can be, as far as the values of single features of the first `count` rows tell.
    pub(crate) fn likely(&self, count: usize) -> f64 {
        let rows: Vec<usize> = (0..count.min(self.rows().count())).collect();
        self.values(&rows).iter().product()
    }

    /// The smallest input, if constant features have it and others have it too: the border of a standardised image. And the
    /// largest one, if several constant features have it and in some rows most of the others: the border of a picture on
    /// white, and not a column of ones.
    fn backgrounds(&self, constant: &[usize]) -> Vec<f32> {
        let end = |better: fn(f32, f32) -> f32| self.inputs.iter().copied().reduce(better);
        let Some((smallest, largest)) = end(f32::min).zip(end(f32::max)) else {
            return Vec::new();
        };
        let having = |value: f32| {
            let of_constant = constant.iter().filter(|at| self.inputs[**at] == value);
            let mut having = vec![false; self.features];
            for row in self.rows() {
                let pairs = having.iter_mut().zip(row);
                pairs.for_each(|(having, number)| *having |= *number == value);
            }
            let of_constant = of_constant.count();
            let all = having.into_iter().filter(|having| *having).count();
            [of_constant, all - of_constant]
        };
        let varying = self.features - constant.len();
        let [dark, others] = having(smallest);
        let is_dark = dark > 0 && others > 0;
        let [white, others] = having(largest);
        let is_white = white > 1 && 2 * others > varying;
        let found = [(is_dark, smallest), (is_white, largest)];
        let found = found.into_iter().filter(|(is_one, _)| *is_one);
        found.map(|(_, value)| value).collect()
    }

    /// The features that have one value in all rows.
    fn constant(&self) -> Vec<usize> {
        let Some(first) = self.rows().next() else {
            return Vec::new();
        };
        let mut constant: Vec<usize> = (0..first.len()).collect();
        for row in self.rows() {
            constant.retain(|at| row[*at] == first[*at]);
        }
        constant
    }

    fn target(&self) -> Option<TargetStats> {
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

/// At most `most` of the numbers below `count`, at equal distances.
pub(crate) fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let kept = count.min(most);
    (0..kept).map(move |at| at * count / kept)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::table::Table;

    /// So many rows of whole numbers in no order, and their labels.
    fn rows(count: usize, features: usize) -> Rows {
        let number = |at: usize| ((at * 7919 + at / 13) % 1009) as f32;
        Rows {
            features,
            inputs: (0..count * features).map(number).collect(),
            labels: vec![(0..count as i64).map(|at| at % 2).collect()],
            ..Rows::default()
        }
    }

    #[test]
    fn of_wide_rows_some_features_are_looked_at() {
        assert_eq!(rows(3, 50).examined(), (0..50).collect::<Vec<_>>());
        let mut wide = rows(30, 50_000);
        let examined = wide.examined();
        assert_eq!(examined.len(), MOST_FEATURES);
        assert!(examined.is_sorted() && examined[MOST_FEATURES - 1] > 49_900);
        // Constant ones are counted all the same.
        for row in wide.inputs.chunks_mut(50_000) {
            row[..700].fill(2.5);
        }
        let history = wide.history(None);
        assert_eq!(history.constant_nonzero_features, 700);
        assert_eq!((history.rows, history.distinct_rows), (30, 30));
        assert!(history.possible_rows.is_infinite());
        // 20 million inputs are more than models are fitted to.
        let photos = rows(100, 100_000);
        assert!(Table::of(&photos, &photos).is_none());
        let small = rows(100, 1000);
        assert!(Table::of(&small, &small).is_some());
        let mut targets = rows(100, 3);
        targets.labels.clear();
        (targets.target_columns, targets.targets) = (100_000, vec![0.5; 10_000_000]);
        assert!(Table::of(&targets, &targets).is_none());
        assert_eq!(targets.target().unwrap().column_deviation, 0.0);
        assert_eq!(targets.between_batches(), 0.0);
    }

    #[test]
    fn rows_have_one_key_if_they_have_the_same_bits() {
        let one = rows(400, 5);
        let mut keys: Vec<u128> = one.keys().collect();
        assert_eq!(keys, one.keys().collect::<Vec<_>>());
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 400);
        let of = |row: &[f32]| {
            let rows = Rows {
                features: row.len(),
                inputs: row.to_vec(),
                ..Rows::default()
            };
            rows.keys().next().unwrap()
        };
        assert_ne!(of(&[1.0, 2.0]), of(&[2.0, 1.0]));
        assert_ne!(of(&[0.0, 1.0]), of(&[-0.0, 1.0]));
        assert_ne!(of(&[0.0]), of(&[0.0, 0.0]));
        assert_eq!(of(&[f32::NAN, 1.0]), of(&[f32::NAN, 1.0]));
    }

    #[test]
    fn measured_features_can_have_more_values_than_rows() {
        let one = |value: &dyn Fn(usize) -> f32| {
            let rows = Rows {
                features: 1,
                inputs: (0..200).map(value).collect(),
                ..Rows::default()
            };
            (rows.history(None).possible_rows, rows.likely(200))
        };
        // 200 rows have 19,900 pairs.
        assert_eq!(one(&|at| (at as f32).sqrt()), (19_900.0, 19_900.0));
        let two = rows(200, 2);
        assert!(two.history(None).possible_rows > 1e8);
        // Of four values each different row counts once, or in the epoch as often as it is there: 4 times 50 · 49 / 2 pairs.
        assert_eq!(one(&|at| (at % 4) as f32), (6.0, 19_900.0 / 4900.0));
        let grid = Rows {
            features: 2,
            inputs: (0..200)
                .flat_map(|at| [(at % 4) as f32, (at / 4 % 5) as f32])
                .collect(),
            ..Rows::default()
        };
        let grid = grid.history(None);
        assert!((10.0..40.0).contains(&grid.possible_rows), "{grid:?}");
        assert_eq!(grid.measured_features, 0);
        assert_eq!(two.history(None).measured_features, 2);
    }

    #[test]
    fn targets_of_equal_rows_may_differ() {
        let of = |target: &dyn Fn(usize) -> f64, count: usize| {
            let rows = Rows {
                features: 1,
                inputs: (0..200).map(|at| (at % 10) as f32).collect(),
                target_columns: 1,
                targets: (0..200).map(target).collect(),
                ..Rows::default()
            };
            rows.ambiguous(count)
        };
        assert_eq!(of(&|at| (at % 10) as f64, 200), Some(0.0));
        let noise = of(&|at| (at / 10 % 2) as f64, 200).unwrap();
        assert!((noise - 1.0).abs() < 0.1, "{noise}");
        let half = of(&|at| (at % 10 / 5 + at / 10 % 2) as f64, 200).unwrap();
        assert!((half - 0.5).abs() < 0.1, "{half}");
        assert_eq!(of(&|at| at as f64, 15), None, "hardly any repeats");
        let mut labelled = rows(200, 1);
        labelled.inputs = (0..200).map(|at| (at % 10) as f32).collect();
        assert_eq!(labelled.ambiguous(200), Some(0.0));
        labelled.labels = vec![(0..200).map(|at| at / 10 % 2).collect()];
        assert!(labelled.ambiguous(200).unwrap() > 0.9);
    }

    #[test]
    fn the_border_of_a_standardised_image_is_no_second_bias() {
        let image = |border: f32| {
            let mut rows = rows(50, 6);
            for (at, row) in rows.inputs.chunks_mut(6).enumerate() {
                row[0] = border;
                row[5] = border;
                if at % 3 == 0 {
                    row[2] = border;
                }
            }
            let history = rows.history(None);
            (history.constant_features, history.constant_nonzero_features)
        };
        assert_eq!(image(-0.42), (2, 0));
        assert_eq!(image(2000.0), (2, 2), "not the smallest");
        // A picture on white, whose middle is white in some rows.
        let white = |constants: &[usize]| {
            let mut rows = rows(50, 6);
            for (at, row) in rows.inputs.chunks_mut(6).enumerate() {
                row.iter_mut().for_each(|value| *value /= 2000.0);
                if at % 3 == 0 {
                    row.fill(1.0);
                }
                constants.iter().for_each(|at| row[*at] = 1.0);
            }
            let history = rows.history(None);
            (history.constant_features, history.constant_nonzero_features)
        };
        assert_eq!(white(&[0, 5]), (2, 0));
        assert_eq!(white(&[0]), (1, 1), "a column of ones");
        let mut alone = rows(50, 2);
        alone.inputs.chunks_mut(2).for_each(|row| row[0] = -1.0);
        assert_eq!(alone.history(None).constant_nonzero_features, 1);
    }
}
