//! Features that hold something other than measurements: category numbers, and a constant in place of missing values.

use crate::history::moments::moments;
use crate::history::rows::Rows;
use std::collections::{BTreeMap, HashSet};

/// Fewer different rows tell nothing.
const ENOUGH: usize = 100;

/// The share of rows with one value from which it may be that of missing ones, and up to which the others are some.
const FILLED: [f64; 2] = [0.03, 0.95];

/// The share of the other rows that have different values, from which a feature is measured.
const MEASURED: f64 = 0.5;

/// The distance, in deviations of the other values, from which a value at the end of the range does not belong to them.
const APART: f64 = 0.5;

/// The share of the other values on either side of a value within the range.
const INSIDE: f64 = 0.05;

/// The different values of a category: with fewer any order is as good as another, and with more it is a measurement.
const CATEGORIES: [usize; 2] = [6, 100];

/// The rows that each category needs on average.
const ROWS: usize = 5;

/// The share of the variance of the targets that lies between the categories, beyond chance.
const BETWEEN: f64 = 0.08;

/// The variance of the second differences of the means of neighbouring categories over that of the means: 6 for means in no
/// order, near 0 for means that follow a smooth curve.
const ROUGH: f64 = 3.0;

/// The most sums of targets, over all features.
const WORK: usize = 1 << 25;

/// A value in place of missing ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling {
    /// The share of the rows that have it.
    pub(crate) share: f64,
    /// Whether it lies within the range of the others, as a mean does: nothing that is measured piles up there.
    pub(crate) is_inside: bool,
}

/// The different rows, each once.
struct Different<'a> {
    rows: &'a Rows,
    places: Vec<usize>,
}

impl Rows {
    /// The places of the different rows.
    pub(crate) fn different_places(&self) -> Vec<usize> {
        let mut seen = HashSet::new();
        let all = self.keys().enumerate();
        all.filter_map(|(at, key)| seen.insert(key).then_some(at))
            .collect()
    }

    fn different(&self) -> Different<'_> {
        Different {
            places: self.different_places(),
            rows: self,
        }
    }

    /// The features of which many rows have one value, and the others measured ones that it does not belong to: a constant
    /// in place of missing values.
    pub(crate) fn filled(&self) -> Vec<(usize, Filling)> {
        let different = self.different();
        if different.places.len() < ENOUGH {
            return Vec::new();
        }
        let features = self.examined().into_iter();
        features
            .filter_map(|at| Some((at, different.filling(at)?)))
            .collect()
    }

    /// The features of which many rows have the smallest value, and many the largest one, and the others measured ones between.
    pub(crate) fn clipped(&self) -> Vec<usize> {
        let different = self.different();
        if different.places.len() < ENOUGH {
            return Vec::new();
        }
        let features = self.examined().into_iter();
        features.filter(|at| different.is_clipped(*at)).collect()
    }

    /// The deviation of the lengths of the rows over their mean; `None` of few rows, of short ones, and of rows of whole numbers.
    pub(crate) fn length_variation(&self) -> Option<f64> {
        let different = self.different();
        let is_whole = self.inputs.iter().all(|value| value.fract() == 0.0);
        if different.places.len() < ENOUGH || self.features < 3 || is_whole {
            return None;
        }
        let length = |row: &usize| {
            let row = &self.inputs[row * self.features..][..self.features];
            let squares = row.iter().map(|value| f64::from(*value).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let lengths: Vec<f64> = different.places.iter().map(length).collect();
        let (mean, deviation, ..) = moments(lengths.iter().copied());
        Some(deviation / mean).filter(|variation| variation.is_finite())
    }

    /// The features that number categories: of their few values, each has targets of its own, in no order.
    pub(crate) fn categories(&self) -> Vec<usize> {
        let different = self.different();
        let Some(wanted) = self.wanted() else {
            return Vec::new();
        };
        if different.places.len() < ENOUGH {
            return Vec::new();
        }
        let classes = wanted.classes(wanted.rows);
        let columns = if wanted.is_labelled() {
            classes.len()
        } else {
            wanted.columns
        };
        let target = |row: usize| -> Option<Vec<f64>> {
            let of_column = |column: usize| match wanted.label(row) {
                Some(label) => f64::from(u8::from(classes[column] == label)),
                None => wanted.value(row, column),
            };
            (row < wanted.rows).then(|| (0..columns).map(of_column).collect())
        };
        let features = self.examined().into_iter();
        let few = features.filter(|at| different.has_few_values(*at));
        // Of many classes and many such features not all are looked at.
        few.take(WORK / (different.places.len() * columns).max(1))
            .filter(|at| different.is_category(*at, columns, &target))
            .collect()
    }
}

impl Different<'_> {
    fn values(&self, at: usize) -> impl Iterator<Item = f32> {
        let features = self.rows.features;
        let value = move |row: &usize| self.rows.inputs[row * features + at];
        self.places.iter().map(value)
    }

    /// The value of which many rows have one, if the others are measured and it does not belong to them.
    fn filling(&self, at: usize) -> Option<Filling> {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for value in self.values(at) {
            *counts.entry(value.to_bits()).or_default() += 1;
        }
        let (most, count) = counts.iter().max_by_key(|(_, count)| **count)?;
        let value = f32::from_bits(*most);
        let all = self.places.len();
        let share = *count as f64 / all as f64;
        let others: Vec<f64> = (self.values(at))
            .filter(|other| *other != value && other.is_finite())
            .map(f64::from)
            .collect();
        let is_measured = (counts.len() - 1) as f64 > MEASURED * others.len() as f64;
        if !(FILLED[0]..FILLED[1]).contains(&share) || others.len() < ENOUGH / 4 || !is_measured {
            return None;
        }
        let (_, deviation, low, high, _) = moments(others.iter().copied());
        let value = f64::from(value);
        let is_inside = (low..=high).contains(&value);
        let is_other = if is_inside {
            let below = others.iter().filter(|other| **other < value).count() as f64;
            let below = below / others.len() as f64;
            below > INSIDE && below < 1.0 - INSIDE
        } else {
            let distance = (low - value).max(value - high);
            distance > APART * deviation
        };
        is_other.then_some(Filling { share, is_inside })
    }

    fn is_clipped(&self, at: usize) -> bool {
        let values: Vec<f32> = self.values(at).filter(|value| value.is_finite()).collect();
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let at_end = |end: f32| {
            let count = values.iter().filter(|value| **value == end).count();
            count as f64 / values.len() as f64
        };
        let between = values
            .iter()
            .filter(|value| **value > low && **value < high);
        let different: HashSet<u32> = between.clone().map(|value| value.to_bits()).collect();
        let count = between.count();
        let is_measured = different.len() as f64 > MEASURED * count as f64 && count >= ENOUGH / 4;
        low < high && is_measured && at_end(low) > FILLED[0] && at_end(high) > FILLED[0]
    }

    fn has_few_values(&self, at: usize) -> bool {
        let different: HashSet<u32> = self.values(at).map(f32::to_bits).collect();
        let [fewest, most] = CATEGORIES;
        let is_few = (fewest..=most).contains(&different.len());
        is_few && different.len() * ROWS <= self.places.len()
    }

    /// Whether each value has targets of its own, in no order; a row without targets tells nothing.
    fn is_category(
        &self,
        at: usize,
        columns: usize,
        target: &dyn Fn(usize) -> Option<Vec<f64>>,
    ) -> bool {
        // Rows, and the sum of the targets, of each value in the order of the values.
        let mut groups: BTreeMap<i64, (f64, Vec<f64>)> = BTreeMap::new();
        let (mut rows, mut whole, mut total) = (0.0, 0.0, vec![0.0; columns]);
        for (row, value) in self.places.iter().zip(self.values(at)) {
            let Some(target) = target(*row) else {
                continue;
            };
            let group = groups
                .entry(order(value))
                .or_insert_with(|| (0.0, vec![0.0; columns]));
            rows += 1.0;
            group.0 += 1.0;
            for (at, value) in target.iter().enumerate() {
                group.1[at] += value;
                total[at] += value;
                whole += value * value;
            }
        }
        // Without the rows that have no targets, few values may be left.
        if groups.len() < CATEGORIES[0] {
            return false;
        }
        let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
        let mean = square(&total) / rows;
        let between: f64 = groups
            .values()
            .map(|(count, sums)| square(sums) / count)
            .sum::<f64>();
        let (whole, between) = (whole - mean, between - mean);
        let within = (whole - between) / (rows - groups.len() as f64);
        let share = (between - (groups.len() - 1) as f64 * within) / whole;
        if share.is_nan() || share < BETWEEN {
            return false;
        }
        let means: Vec<Vec<f64>> = groups
            .values()
            .map(|(count, sums)| sums.iter().map(|sum| sum / count).collect())
            .collect();
        let usual: Vec<f64> = total.iter().map(|sum| sum / rows).collect();
        let spread =
            |of: &dyn Fn(usize) -> f64| means.iter().enumerate().map(|(at, _)| of(at)).sum::<f64>();
        let variance = spread(&|at| {
            let parts = means[at].iter().zip(&usual);
            parts.map(|(value, mean)| (value - mean).powi(2)).sum()
        }) / means.len() as f64;
        let bends = means.windows(3).map(|three| {
            let parts = (0..usual.len()).map(|at| three[0][at] - 2.0 * three[1][at] + three[2][at]);
            parts.map(|bend| bend * bend).sum::<f64>()
        });
        let bend = bends.sum::<f64>() / (means.len() - 2) as f64;
        bend / variance > ROUGH
    }
}

/// A whole number with the order of the value.
fn order(value: f32) -> i64 {
    let bits = i64::from(value.to_bits() & 0x7fff_ffff);
    if value.is_sign_negative() {
        -bits
    } else {
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    /// 400 rows of three uniform numbers from -1 to 1, changed, and the targets of each.
    fn rows(change: impl Fn(usize, &mut [f32]), target: impl Fn(&[f32]) -> f64) -> Rows {
        let mut dice = ChaCha8Rng::seed_from_u64(1);
        let mut rows = Rows {
            features: 3,
            target_columns: 1,
            ..Rows::default()
        };
        for at in 0..400 {
            let mut row = [(); 3].map(|()| dice.random_range(-1.0..1.0f32));
            change(at, &mut row);
            rows.targets.push(target(&row));
            rows.inputs.extend(row);
        }
        rows
    }

    #[test]
    fn one_value_of_many_rows_fills_a_column_unless_the_others_lead_up_to_it() {
        let filled = |every: usize, value: f32| {
            let fill = |at: usize, row: &mut [f32]| {
                if at.is_multiple_of(every) {
                    row[1] = value;
                }
            };
            let filled = rows(fill, |_| 0.0).filled();
            filled.iter().map(|(at, _)| *at).collect::<Vec<_>>()
        };
        let means = |at: usize, row: &mut [f32]| {
            if at.is_multiple_of(4) {
                row[1] = 0.0;
            }
        };
        // A quarter of one of three columns.
        let imputed = |rows: &Rows| rows.history(None).imputed;
        assert!((imputed(&rows(means, |_| 0.0)) - 1.0 / 12.0).abs() < 1e-3);
        let far = |at: usize, row: &mut [f32]| {
            if at.is_multiple_of(4) {
                row[1] = -9.0;
            }
        };
        assert_eq!(imputed(&rows(far, |_| 0.0)), 0.0);
        assert_eq!(filled(4, 0.0), [1], "within");
        assert_eq!(filled(4, -9.0), [1], "apart");
        assert_eq!(filled(4, 1.1), [0; 0], "at the end");
        assert_eq!(filled(50, 0.0), [0; 0], "seldom");
        // As rain.
        let rain = |_: usize, row: &mut [f32]| row[1] = row[1].max(0.0);
        assert!(rows(rain, |_| 0.0).filled().is_empty());
        let counts = |_: usize, row: &mut [f32]| row[1] = (4.0 * row[1]).round();
        assert!(rows(counts, |_| 0.0).filled().is_empty());
    }

    #[test]
    fn a_column_that_ends_on_both_sides_in_many_rows_is_cut_off() {
        let cut = |low: f32, high: f32| {
            let cut = |_: usize, row: &mut [f32]| row[2] = row[2].clamp(low, high);
            rows(cut, |_| 0.0).clipped()
        };
        assert_eq!(cut(-0.8, 0.8), [2]);
        assert_eq!(cut(-0.8, 2.0), [0; 0]);
        assert_eq!(cut(-0.99, 0.99), [0; 0], "few");
        let signs = |_: usize, row: &mut [f32]| row[2] = row[2].signum();
        assert_eq!(rows(signs, |_| 0.0).clipped(), [0; 0], "no numbers between");
    }

    #[test]
    fn rows_of_one_length_were_scaled_one_by_one() {
        let scale = |_: usize, row: &mut [f32]| {
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            row.iter_mut().for_each(|value| *value /= length);
        };
        assert!(rows(scale, |_| 0.0).length_variation().unwrap() < 1e-6);
        assert!(rows(|_, _| {}, |_| 0.0).length_variation().unwrap() > 0.1);
        // One of three is 1.
        let one_hot = |at: usize, row: &mut [f32]| {
            row.fill(0.0);
            row[at % 3] = 1.0;
        };
        assert_eq!(rows(one_hot, |_| 0.0).length_variation(), None);
    }

    #[test]
    fn numbers_of_categories_have_targets_in_no_order() {
        let number = |_: usize, row: &mut [f32]| row[0] = (7.0 * (row[0] + 1.0)).floor() / 7.0;
        let place = |row: &[f32]| (7.0 * row[0]).round();
        let jumps = |row: &[f32]| f64::from((place(row) * 5.0) % 14.0);
        assert_eq!(rows(number, jumps).categories(), [0]);
        let curve = |row: &[f32]| f64::from((0.3 * place(row)).sin());
        assert_eq!(rows(number, curve).categories(), [0; 0]);
        let nothing = |row: &[f32]| f64::from(row[1]);
        assert_eq!(rows(number, nothing).categories(), [0; 0]);
        let few = |_: usize, row: &mut [f32]| row[0] = (2.0 * (row[0] + 1.0)).floor();
        let few_jumps = |row: &[f32]| f64::from((row[0] * 3.0) % 4.0);
        assert_eq!(rows(few, few_jumps).categories(), [0; 0], "four values");
        // Rows behind the last target tell nothing.
        let mut short = rows(number, jumps);
        short.targets.truncate(300);
        assert_eq!(short.categories(), [0]);
        let two = |row: &[f32]| f64::from((place(row) * 5.0) % 14.0);
        let mut wide = rows(number, two);
        wide.targets = wide
            .targets
            .iter()
            .flat_map(|first| [*first, 0.0])
            .collect();
        wide.target_columns = 2;
        wide.targets.truncate(601);
        assert_eq!(wide.categories(), [0], "half of a row of targets is none");
        // Classes count as columns.
        let mut labelled = rows(number, |_| 0.0);
        let label = |row: &[f32]| ((place(row) * 5.0) as i64 % 14) / 5;
        labelled.labels = vec![labelled.rows().map(label).collect()];
        labelled.targets.clear();
        assert_eq!(labelled.categories(), [0]);
    }
}
