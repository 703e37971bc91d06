//! Whether training and validation say the same about what belongs together.

use crate::history::floor::score_variance;
use crate::history::moments::moments;
use crate::history::rows::Rows;
use std::collections::{BTreeMap, HashMap};

/// Fewer rows tell nothing.
const ENOUGH: usize = 100;

/// Of more features, or columns of targets, each is not looked at.
const MOST: usize = 512;

/// The difference of the shares that a feature tells of the target, and how many standard errors it must be.
const LESS: f64 = 0.2;
const ERRORS: f64 = 6.0;

/// Fewer columns at the same places as inputs do not make a picture or a series.
const PLACES: usize = 4;

/// How many times its variance by chance the shift that shares of classes predict must be.
const TOLD: f64 = 4.0;

/// The standard error of the shift above which it tells nothing.
const UNSURE: f64 = 0.2;

/// The share of training rows of a class that the validation need not have.
const FEW: f64 = 0.02;

impl Rows {
    /// The correlation of inputs and targets at the same place.
    pub(crate) fn in_place(&self) -> Option<f64> {
        let columns = self.target_columns;
        // Of the last batch not all rows are kept.
        let rows = (self.rows().count()).min(self.targets.len() / columns.max(1));
        let is_paired = columns == self.features;
        if !self.labels.is_empty() || !is_paired || columns < PLACES || rows < ENOUGH {
            return None;
        }
        let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
        for column in 0..columns {
            let inputs = || self.column(column).map(f64::from).take(rows);
            let targets = || self.targets.iter().skip(column).step_by(columns).copied();
            let targets = || targets().take(rows);
            let (of_x, of_y) = (moments(inputs()).0, moments(targets()).0);
            for (x, y) in inputs().zip(targets()) {
                xx += (x - of_x).powi(2);
                yy += (y - of_y).powi(2);
                xy += (x - of_x) * (y - of_y);
            }
        }
        Some(xy / (xx * yy).sqrt()).filter(|correlation| correlation.is_finite())
    }

    /// The columns of targets that are an input at another place in every row, and not that at their own.
    pub(crate) fn repeated(&self) -> Vec<usize> {
        let columns = self.target_columns;
        let rows = (self.rows().count()).min(self.targets.len() / columns.max(1));
        let is_small = columns <= MOST && self.features <= MOST;
        if !self.labels.is_empty() || !is_small || rows < ENOUGH || columns < PLACES {
            return Vec::new();
        }
        let value = |row: usize, column: usize| self.targets[row * columns + column] as f32;
        let varies = |column: &usize| (1..rows).any(|row| value(row, *column) != value(0, *column));
        let is_same = |at: usize, column: usize| {
            let mut inputs = self.column(at).take(rows).enumerate();
            inputs.all(|(row, input)| input == value(row, column))
        };
        let is_input = |column: &usize| {
            let own = *column < self.features && is_same(*column, *column);
            !own && (0..self.features).any(|at| is_same(at, *column))
        };
        let columns = (0..columns).filter(varies);
        columns.filter(is_input).collect()
    }

    /// The features that tell far more of the targets of `training` than of these, if they are the minority and none tells far
    /// less: the columns are the same ones.
    pub(crate) fn less_told(&self, training: &Self) -> Vec<usize> {
        let counts = [training, self].map(Self::distinct_rows);
        let is_alike = self.features == training.features && self.features <= MOST;
        if !is_alike || counts.iter().any(|count| *count < ENOUGH) || self.features < 2 {
            return Vec::new();
        }
        let difference = |at: usize| -> f64 {
            let shares = [training, self].map(|rows| rows.told_by(at));
            let [Some(before), Some(here)] = shares else {
                return 0.0;
            };
            let errors = [(before, counts[0]), (here, counts[1])]
                .map(|(share, count)| score_variance(share, false, count));
            let room = LESS.max(ERRORS * errors.iter().sum::<f64>().sqrt());
            (before - here) / room
        };
        let differences: Vec<f64> = (0..self.features).map(difference).collect();
        let features: Vec<usize> = (0..self.features)
            .filter(|at| differences[*at] > 1.0)
            .collect();
        let is_other = differences.iter().any(|difference| *difference < -0.5);
        if 2 * features.len() > self.features || is_other {
            return Vec::new();
        }
        features
    }

    /// The share of the variance of the target that a line through the feature tells; of labels, that of the feature which lies
    /// between the classes.
    fn told_by(&self, at: usize) -> Option<f64> {
        let column = self.column(at).map(f64::from);
        let rows = self.rows().count();
        let labels: Vec<i64> = self.labels.iter().flatten().copied().collect();
        if labels.len() >= rows && rows > 0 {
            Some(super::features::share_between(column, &labels))
        } else if self.target_columns == 1 && self.targets.len() >= rows {
            Some(super::features::squared_correlation(column, &self.targets))
        } else {
            None
        }
    }

    /// Where the classes of `training` have other shares than here: the shift of the means and the squares of its inputs along the
    /// one that those shares say, if each class has the inputs that it has here, over that one; and its standard error.
    pub(crate) fn shift_with_classes(&self, training: &Self) -> Option<[f64; 2]> {
        if self.features != training.features || self.features > MOST {
            return None;
        }
        let scales: Vec<(f64, f64)> = (0..self.features)
            .map(|at| {
                let (mean, deviation, ..) = moments(self.column(at).map(f64::from));
                (mean, deviation)
            })
            .collect();
        let told = |rows: &Self| Told::of(rows, &scales);
        let (train, valid) = (told(training)?, told(self)?);
        let (of_train, of_valid) = (train.whole(), valid.whole());
        let count = |told: &Told| told.classes.values().map(|of| of.rows).sum::<f64>();
        let (n, m) = (count(&train), count(&valid));
        let numbers = of_train.len();
        let mut expected = vec![0.0; numbers];
        let mut chance = vec![0.0; numbers];
        for class in train.classes.keys().chain(valid.classes.keys()) {
            let share =
                |told: &Told, all: f64| told.classes.get(class).map_or(0.0, |of| of.rows) / all;
            let moved = share(&train, n) - share(&valid, m);
            let Some(of) = valid.classes.get(class) else {
                if share(&train, n) > FEW {
                    return None;
                }
                continue;
            };
            // Classes of both are seen twice.
            let weight = if train.classes.contains_key(class) {
                0.5
            } else {
                1.0
            };
            for (at, sum) in of.sums.iter().enumerate() {
                expected[at] += weight * moved * sum / of.rows;
                chance[at] += weight * moved * moved / of.rows;
            }
        }
        let (mut along, mut length, mut by_chance, mut error) = (0.0, 0.0, 0.0, 0.0);
        for at in 0..numbers {
            let shift = of_train[at] - of_valid[at];
            along += shift * expected[at];
            length += expected[at].powi(2);
            // Both kinds of numbers have variance 1 or so here.
            by_chance += chance[at];
            error += expected[at].powi(2) * (1.0 / n + 1.0 / m);
        }
        let error = error.sqrt() / length;
        let follows = along / length;
        let is_told = length > TOLD * by_chance && error < UNSURE && follows.is_finite();
        is_told.then_some([follows, error])
    }
}

/// For each class its rows and the sums of their standardised inputs and of their squares.
struct Told {
    classes: BTreeMap<i64, OfClass>,
}

struct OfClass {
    rows: f64,
    sums: Vec<f64>,
}

impl Told {
    /// Rows that are handed over in each epoch count once.
    fn of(rows: &Rows, scales: &[(f64, f64)]) -> Option<Self> {
        let labels: Vec<i64> = rows.labels.iter().flatten().copied().collect();
        let places = rows.different_places();
        if labels.len() < rows.rows().count() || places.len() < ENOUGH {
            return None;
        }
        let mut classes: HashMap<i64, OfClass> = HashMap::new();
        for row in places {
            let of = classes.entry(labels[row]).or_insert_with(|| OfClass {
                rows: 0.0,
                sums: vec![0.0; 2 * scales.len()],
            });
            of.rows += 1.0;
            let inputs = &rows.inputs[row * rows.features..][..rows.features];
            for (at, (input, (mean, deviation))) in inputs.iter().zip(scales).enumerate() {
                if *deviation > 0.0 {
                    let value = (f64::from(*input) - mean) / deviation;
                    of.sums[2 * at] += value;
                    // Large ones would drown the others.
                    of.sums[2 * at + 1] += (value * value).min(9.0) / 2f64.sqrt();
                }
            }
        }
        Some(Self {
            classes: classes.into_iter().collect(),
        })
    }

    /// The means over all rows.
    fn whole(&self) -> Vec<f64> {
        let rows: f64 = self.classes.values().map(|of| of.rows).sum();
        let numbers = self.classes.values().map(|of| of.sums.len()).max();
        (0..numbers.unwrap_or(0))
            .map(|at| self.classes.values().map(|of| of.sums[at]).sum::<f64>() / rows)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(at: usize, by: usize) -> f32 {
        ((at * by) % 997) as f32 / 997.0 - 0.5
    }

    /// Rows of two classes, `ones` of ten of the second, whose first input is larger by 1; `filled` of ten of these are labelled
    /// as the first.
    fn classes(ones: usize, filled: usize) -> Rows {
        let mut rows = Rows {
            features: 3,
            labels: vec![Vec::new()],
            ..Rows::default()
        };
        for at in 1..=800 {
            let is_one = at * 7 % 10 < ones;
            let shift = if is_one { 1.0 } else { 0.0 };
            let inputs = [number(at, 37) + shift, number(at, 101), number(at, 211)];
            rows.inputs.extend(inputs);
            let is_known = at * 13 % 100 / 10 >= filled;
            rows.labels[0].push(i64::from(is_one && is_known));
        }
        rows
    }

    #[test]
    fn other_shares_of_classes_come_with_other_inputs_or_with_wrong_labels() {
        let valid = classes(5, 0);
        let [shift, error] = valid.shift_with_classes(&classes(2, 0)).unwrap();
        assert!((0.7..1.3).contains(&shift) && error < 0.2, "{shift}");
        let [shift, _] = valid.shift_with_classes(&classes(5, 6)).unwrap();
        assert!(shift.abs() < 0.2, "{shift}");
        assert_eq!(
            valid.shift_with_classes(&classes(5, 0)),
            None,
            "equal shares"
        );
        let mut unknown = classes(2, 0);
        unknown.inputs[4] = f32::NAN;
        let shift = valid.shift_with_classes(&unknown);
        assert!(shift.is_none_or(|shift| shift.iter().all(|number| number.is_finite())));
    }

    #[test]
    fn a_mean_of_targets_tells_more_of_these_than_of_others() {
        let rows = |leaks: bool| {
            let mut rows = Rows {
                features: 2,
                target_columns: 1,
                ..Rows::default()
            };
            for at in 1..=400 {
                let [one, two, noise] = [37, 101, 211].map(|by| number(at, by));
                let mean = if leaks { noise } else { two };
                rows.inputs.extend([one, mean]);
                rows.targets.push(f64::from(one + noise));
            }
            rows
        };
        assert_eq!(rows(false).less_told(&rows(true)), [1]);
        assert_eq!(rows(true).less_told(&rows(true)), [0; 0]);
        assert_eq!(rows(true).less_told(&rows(false)), [0; 0], "more");
        let mut turned = rows(true);
        for row in turned.inputs.chunks_mut(2) {
            row.swap(0, 1);
        }
        let first = |mut rows: Rows| {
            rows.targets = rows.rows().map(|row| f64::from(row[0])).collect();
            rows
        };
        let (one, mut other) = (first(rows(true)), first(rows(true)));
        other.inputs = turned.inputs;
        assert_eq!(
            other.less_told(&one),
            [0; 0],
            "another column tells it here"
        );
    }

    #[test]
    fn a_series_repeats_its_inputs_one_place_later() {
        let mut rows = Rows {
            features: 6,
            target_columns: 6,
            ..Rows::default()
        };
        for at in 0..120 {
            let series: Vec<f32> = (0..7).map(|t| number(at * 7 + t + 1, 389)).collect();
            rows.inputs.extend(&series[..6]);
            rows.targets
                .extend(series[1..].iter().map(|x| f64::from(*x)));
        }
        assert_eq!(rows.repeated(), [0, 1, 2, 3, 4]);
        assert!(rows.in_place().unwrap().abs() < 0.9);
        rows.targets = rows.inputs.iter().map(|x| f64::from(*x)).collect();
        assert!((rows.in_place().unwrap() - 1.0).abs() < 1e-9);
        // Targets of rows that were not kept.
        rows.targets.extend([9.0; 6]);
        assert!((rows.in_place().unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(rows.repeated(), [0; 0], "at their own places");
        rows.target_columns = 5;
        assert_eq!(rows.in_place(), None);
    }
}
