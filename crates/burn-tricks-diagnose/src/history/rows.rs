//! Rows of inputs and targets on the host.

use crate::history::data::DataHistory;
use crate::history::moments::{moments, spread};
use crate::history::outliers::{OUTLYING, middle_deviation, outlier_ratio};
use std::collections::{BTreeMap, HashSet};

/// The most features, and columns of targets, of which each is measured by itself; of more, so many at equal distances are.
pub(crate) const MOST_FEATURES: usize = 4096;

/// The most numbers of these features, of more than so many features.
const MOST_NUMBERS: usize = 1 << 22;
const FEWEST_FEATURES: usize = 256;

/// Odd numbers without a pattern: those of splitmix64.
const MULTIPLIERS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

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
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::history::table::Table;

    /// So many rows of whole numbers in no order, and their labels.
    pub(crate) fn rows(count: usize, features: usize) -> Rows {
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
}
