//! What single features of the data say.

use crate::history::moments::moments;
use crate::history::rows::Rows;
use std::collections::BTreeMap;

/// The deviation of a feature, as a share of that of all inputs, below which it is hardly ever on.
const ON: f64 = 0.25;

/// The factor of deviations from which a feature is on another scale.
const RESCALED: f64 = 1.5;

/// How many standard errors make a difference.
const ERRORS: f64 = 6.0;

impl Rows {
    /// The share of the features that vary in `training` whose mean is far from that in `training`.
    pub(crate) fn shifted(&self, training: &Self) -> f64 {
        // Rows that are handed over in each epoch tell no more than once.
        let counts = [self, training].map(|rows| rows.distinct_rows() as f64);
        let error = counts.map(f64::recip).iter().sum::<f64>().sqrt();
        if self.features != training.features || counts[0] < 2.0 {
            return 0.0;
        }
        let (mut varied, mut shifted) = (0usize, 0usize);
        for at in training.examined() {
            let of = |rows: &Self| moments(rows.column(at).map(f64::from));
            let (mean, deviation, ..) = of(training);
            if deviation > 0.0 {
                varied += 1;
                let distance = (of(self).0 - mean).abs() / deviation;
                shifted += usize::from(distance > 0.5 && distance > ERRORS * error);
            }
        }
        shifted as f64 / varied.max(1) as f64
    }

    /// The share of the features with a deviation in `training` that have another one here: by a factor of more than 1.5, and
    /// by more than six standard errors of a variance, √((κ − 1)(1/n + 1/m)) for n and m rows of kurtosis κ.
    pub(crate) fn rescaled(&self, training: &Self) -> f64 {
        let counts = [self, training].map(|rows| rows.distinct_rows() as f64);
        if self.features != training.features || counts[0] < 2.0 || counts[1] < 2.0 {
            return 0.0;
        }
        let (_, whole, ..) = moments(training.inputs.iter().copied().map(f64::from));
        let (mut seen, mut rescaled) = (0usize, 0usize);
        for at in training.examined() {
            let column = |rows: &Self| rows.column(at).map(f64::from).collect::<Vec<_>>();
            let values = column(training);
            let (mean, deviation, ..) = moments(values.iter().copied());
            if deviation <= ON * whole {
                continue;
            }
            seen += 1;
            let fourth = values
                .iter()
                .map(|value| ((value - mean) / deviation).powi(4));
            let kurtosis = fourth.sum::<f64>() / values.len() as f64;
            let error =
                ((kurtosis - 1.0).max(0.0) * counts.map(f64::recip).iter().sum::<f64>()).sqrt();
            let (_, own, ..) = moments(column(self).iter().copied());
            let ratio = (own / deviation).powi(2);
            let is_far = ratio > RESCALED.powi(2) || ratio < RESCALED.powi(-2);
            rescaled += usize::from(is_far && (ratio - 1.0).abs() > ERRORS * error);
        }
        rescaled as f64 / seen.max(1) as f64
    }

    /// The largest magnitude in the feature with the largest numbers over that in the one with the smallest, of those that
    /// vary.
    pub(crate) fn scale_ratio(&self) -> f64 {
        let magnitude = |at: usize| {
            let column = self.column(at).filter(|value| value.is_finite());
            let first = self.column(at).next();
            let varies = column.clone().any(|value| Some(value) != first);
            varies.then(|| column.fold(0.0, |most: f32, value| most.max(value.abs())))
        };
        let features = self.examined().into_iter();
        let all: Vec<f32> = features.filter_map(magnitude).collect();
        let largest = all.iter().copied().fold(0.0, f32::max);
        let smallest = all.iter().copied().fold(largest, f32::min);
        if smallest > 0.0 {
            f64::from(largest) / f64::from(smallest)
        } else {
            1.0
        }
    }

    /// The features that tell the target: the share of their variance between the classes, or the squared correlation
    /// with the target, is nearly 1. A network of one input may learn the identity, so at least two features are needed,
    /// and the leaking ones are the minority. A feature with one value in nearly all different rows tells no class.
    pub(crate) fn leaking(&self) -> Vec<usize> {
        let labels: Vec<i64> = self.labels.iter().flatten().copied().collect();
        let rows = self.inputs.len() / self.features.max(1);
        let has_labels = labels.len() >= rows;
        let has_targets = self.target_columns == 1 && self.targets.len() >= rows;
        if rows < 10 || self.features < 2 || self.is_unpaired || !(has_labels || has_targets) {
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
        let examined = self.examined();
        let mut leaking: Vec<usize> = examined.iter().copied().filter(leaks).collect();
        if 2 * leaking.len() > examined.len() {
            return Vec::new();
        }
        if !has_targets && !leaking.is_empty() {
            let places = self.different_places();
            leaking.retain(|at| self.unusual(*at, &places) >= UNUSUAL);
        }
        if leaking.is_empty() {
            return self.alone().into_iter().collect();
        }
        leaking
    }

    /// In how many of these rows a feature has another value than its most frequent one.
    fn unusual(&self, at: usize, places: &[usize]) -> usize {
        let value = |row: &usize| self.inputs[row * self.features + at];
        let mut values: Vec<f32> = places.iter().map(value).collect();
        values.sort_by(f32::total_cmp);
        let equal = values.chunk_by(|one, other| one == other);
        values.len() - equal.map(<[f32]>::len).max().unwrap_or(0)
    }

    /// The feature that nearly tells the target where no other feature tells much of it.
    fn alone(&self) -> Option<usize> {
        let labels: Vec<i64> = self.labels.iter().flatten().copied().collect();
        if self.features > MOST || self.inputs.len() / self.features.max(1) < ENOUGH {
            return None;
        }
        let told = |at: usize| {
            let column = self.column(at).map(f64::from);
            if labels.is_empty() {
                squared_correlation(column, &self.targets)
            } else {
                beyond_chance(column, &labels)
            }
        };
        let mut told: Vec<(f64, usize)> = (0..self.features).map(|at| (told(at), at)).collect();
        told.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let [(first, at), (second, _), ..] = told[..] else {
            return None;
        };
        // One measurement may decide the class; the number of a row in a sorted file should not.
        let is_told = if labels.is_empty() {
            !self.comes_later(at)
        } else {
            self.numbers_rows(at)
        };
        (first > NEARLY && second < LITTLE && is_told).then_some(at)
    }

    /// Whether this feature may number the rows of a file: each has another value, and they are spread over their range
    /// as evenly as draws from it, by the statistic of Kolmogorov (1933).
    fn numbers_rows(&self, at: usize) -> bool {
        let value = |row: &usize| f64::from(self.inputs[row * self.features + at]);
        let mut values: Vec<f64> = self.different_places().iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        let [low, .., high] = values[..] else {
            return false;
        };
        let count = values.len() as f64;
        let uneven = |(at, value): (usize, &f64)| {
            ((value - low) / (high - low) - (at as f64 + 0.5) / count).abs()
        };
        let farthest = values.iter().enumerate().map(uneven).fold(0.0, f64::max);
        let are_different = values.windows(2).all(|pair| pair[0] < pair[1]);
        are_different && farthest < EVEN / count.sqrt()
    }

    /// The different rows that differ from one of `training` in exactly one feature, where no feature has many values.
    pub(crate) fn beside(&self, training: &Self) -> usize {
        let (own, known) = (self.different_places(), training.different_places());
        let work = own.len() * known.len() * self.features;
        let is_alike = self.features == training.features && self.features > 1;
        if !is_alike || work > WORK {
            return 0;
        }
        let row = |of: &'_ Self, at: usize| -> Vec<u32> {
            let row = of.inputs[at * of.features..][..of.features].iter();
            row.map(|value| value.to_bits()).collect()
        };
        let known: Vec<Vec<u32>> = known.iter().map(|at| row(training, *at)).collect();
        let differs_in_one = |one: &[u32], other: &[u32]| {
            let mut others = one.iter().zip(other).filter(|(a, b)| a != b);
            others.next().is_some() && others.next().is_none()
        };
        let is_beside = |at: &&usize| {
            let row = row(self, **at);
            known.iter().any(|other| differs_in_one(&row, other))
        };
        own.iter().filter(is_beside).count()
    }
}

/// The share of the variance of a feature between classes from which it tells the class.
const BETWEEN: f64 = 0.98;

/// Of a feature that has another value than its most frequent one in fewer different rows, nothing is known: a row that is alone
/// in its class has any rare word to itself, and the two rows of another class easily share one.
const UNUSUAL: usize = 3;

/// The squared correlation with a regression target from which a feature is the target.
const CORRELATED: f64 = 0.9999;

/// The share that a feature tells of the target from which it may be the target with some noise, and up to which the next feature
/// tells little.
const NEARLY: f64 = 0.97;
const LITTLE: f64 = 0.5;

/// Of more features each is not looked at.
const MOST: usize = 256;

/// The statistic times the root of the rows below which numbers are spread evenly: that of even draws is above by a
/// chance of 0.01.
const EVEN: f64 = 1.63;

/// The most comparisons of numbers.
const WORK: usize = 1 << 29;

/// Of fewer rows a feature tells the target by chance.
const ENOUGH: usize = 100;

/// The neighbours on either side, in the order of a feature.
const SIDE: usize = 2;

/// The share of the way from the most frequent class to all that a vote of the neighbours in the order of a feature gets right.
fn beyond_chance(column: impl Iterator<Item = f64>, labels: &[i64]) -> f64 {
    let mut rows: Vec<(f64, i64)> = column.zip(labels.iter().copied()).collect();
    // Rows that are handed over in each epoch count once, and equal values say what most of them say.
    rows.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    rows.iter()
        .for_each(|(_, label)| *counts.entry(*label).or_default() += 1);
    let mut values: Vec<(f64, BTreeMap<i64, usize>)> = Vec::new();
    for (value, label) in &rows {
        match values.last_mut().filter(|(last, _)| last == value) {
            Some((_, of)) => *of.entry(*label).or_default() += 1,
            None => values.push((*value, BTreeMap::from([(*label, 1)]))),
        }
    }
    let most = |of: &BTreeMap<i64, usize>| {
        let most = of.iter().max_by_key(|(_, count)| **count);
        most.map(|(label, count)| (*label, *count))
    };
    let right: usize = (0..values.len())
        .map(|at| {
            let own: usize = values[at].1.values().sum();
            let (label, count) = most(&values[at].1).unwrap_or_default();
            let around = at.saturating_sub(SIDE)..(at + SIDE + 1).min(values.len());
            let mut votes: BTreeMap<i64, usize> = BTreeMap::new();
            for other in around.filter(|other| *other != at) {
                if let Some((label, _)) = most(&values[other].1) {
                    *votes.entry(label).or_default() += 1;
                }
            }
            // A value of many rows speaks for itself; that of one needs its neighbours.
            if own > 2 * SIDE {
                count
            } else if most(&votes).is_some_and(|(voted, _)| voted == label) {
                own
            } else {
                0
            }
        })
        .sum();
    let chance = most(&counts).map_or(1.0, |(_, count)| count as f64 / rows.len() as f64);
    let right = right as f64 / rows.len().max(1) as f64;
    if chance < 1.0 {
        (right - chance) / (1.0 - chance)
    } else {
        0.0
    }
}

/// The variance of the means of the classes over the whole variance; 0 if the feature is constant.
pub(crate) fn share_between(column: impl Iterator<Item = f64>, labels: &[i64]) -> f64 {
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
pub(crate) fn squared_correlation(column: impl Iterator<Item = f64>, targets: &[f64]) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 300 rows of three numbers, in no order.
    fn rows() -> Rows {
        let number = |at: usize, by: usize| ((at * by) % 307) as f32 / 307.0;
        Rows {
            features: 3,
            inputs: (1..=300)
                .flat_map(|at| [number(at, 37), number(at, 101), number(at, 211)])
                .collect(),
            ..Rows::default()
        }
    }

    #[test]
    fn a_feature_that_is_the_target_with_some_noise_leaks_if_no_other_tells_as_much() {
        let target = |noise: f64, of_other: f64| {
            let mut of = rows();
            of.target_columns = 1;
            of.targets = (of.rows())
                .map(|row| {
                    let [one, two, other] = [row[0], row[1], row[2]].map(f64::from);
                    two + of_other * other + noise * one
                })
                .collect();
            of.leaking()
        };
        assert_eq!(target(0.1, 0.0), [1]);
        assert_eq!(target(0.3, 0.0), [0; 0], "0.92 of it");
        assert_eq!(target(0.1, 1.0), [0; 0], "two of them");
        // Another feature tells half of it too, as measurements of one thing do.
        let mut of = rows();
        of.inputs
            .chunks_mut(3)
            .for_each(|row| row[2] = row[1] + 0.5 * row[2]);
        of.target_columns = 1;
        of.targets = (of.rows())
            .map(|row| f64::from(row[1] + 0.1 * row[0]))
            .collect();
        assert_eq!(of.leaking(), [0; 0]);
        // The label is whether the second is within a range.
        let label = |exceptions: usize| {
            let mut of = rows();
            let labels = of.rows().enumerate().map(|(at, row)| {
                let is_within = (0.3..0.7).contains(&row[1]);
                i64::from(is_within ^ (at % 100 < exceptions))
            });
            of.labels = vec![labels.collect()];
            of.leaking()
        };
        assert_eq!(label(0), [1]);
        assert_eq!(label(10), [0; 0]);
        // A measurement that decides the class numbers no rows.
        let mut of = rows();
        let labels = of.rows().map(|row| i64::from((0.3..0.7).contains(&row[1])));
        of.labels = vec![labels.collect()];
        of.inputs.chunks_mut(3).for_each(|row| row[1] *= row[1]);
        assert_eq!(of.leaking(), [0; 0]);
    }

    #[test]
    fn a_rare_word_of_a_row_that_is_alone_in_its_class_is_no_target() {
        let leaking = |rare: usize, has_label: bool| {
            let number = |at: usize, by: usize| ((at * by) % 307) as f32 / 307.0;
            let label = |at: usize| if at <= rare { 99 } else { at as i64 % 10 };
            let row = |at: usize| {
                let fifth = if has_label {
                    label(at) as f32
                } else {
                    number(at, 89)
                };
                let word = f32::from(u8::from(at <= rare));
                let numbers = [37, 101, 211, 53].map(|by| number(at, by));
                numbers.into_iter().chain([fifth, word])
            };
            let once = Rows {
                features: 6,
                inputs: (1..=300).flat_map(row).collect(),
                labels: vec![(1..=300).map(label).collect()],
                ..Rows::default()
            };
            // A second epoch tells no more.
            let twice = Rows {
                inputs: once.inputs.repeat(2),
                labels: vec![once.labels[0].clone(); 2],
                ..once.clone()
            };
            assert_eq!(once.leaking(), twice.leaking());
            once.leaking()
        };
        assert_eq!(leaking(1, false), [0; 0]);
        assert_eq!(leaking(2, false), [0; 0]);
        assert_eq!(leaking(3, false), [5]);
        assert_eq!(leaking(1, true), [4], "the label itself");
    }

    #[test]
    fn rows_of_a_text_differ_from_others_in_one_place() {
        let rows = |numbers: &[[u8; 3]]| Rows {
            features: 3,
            inputs: numbers
                .iter()
                .flatten()
                .map(|value| f32::from(*value))
                .collect(),
            ..Rows::default()
        };
        let train = rows(&[[1, 2, 3], [1, 2, 4], [7, 8, 9]]);
        let valid = rows(&[[1, 2, 3], [1, 2, 3], [7, 8, 9], [1, 5, 3], [7, 5, 5]]);
        // The first has another row beside it, [7, 8, 9] has none, and the last differs in two places.
        assert_eq!(valid.beside(&train), 2);
        let history = valid.history(Some(&train));
        assert_eq!(
            (history.rows_in_training, history.rows_beside_training),
            (2, 2)
        );
    }
}
