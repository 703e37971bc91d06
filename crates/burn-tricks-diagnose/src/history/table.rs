//! The different rows of training and validation, ready for models that are fitted without the network.

use crate::history::moments::moments;
use crate::history::rows::Rows;
use crate::history::wanted::Wanted;
use std::collections::HashSet;

/// Fewer rows on either side tell nothing.
const ENOUGH: usize = 40;

/// The most inputs, and the most targets, of training and validation together: 64 MiB each, in `f32`.
const MOST: usize = 1 << 24;

/// The different training rows and the validation rows, each feature with mean 0 and deviation 1 in training, and their
/// targets; of classes a column for each, which is 1 for its rows.
pub(crate) struct Table {
    pub(crate) features: usize,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) queries: usize,
    /// `rows` × `features`.
    pub(crate) train: Vec<f32>,
    /// `queries` × `features`.
    pub(crate) valid: Vec<f32>,
    /// `rows` × `columns`.
    pub(crate) targets: Vec<f32>,
    /// Of classes, that of each training row, as a column.
    pub(crate) labels: Vec<usize>,
    /// Of classes, that of each column.
    classes: Vec<i64>,
    /// Of each validation row the class, or the numbers.
    asked: Vec<Asked>,
}

impl Table {
    /// `None` if there are too few rows, or they do not fit together, or some are not finite, or there are more than 2²⁴
    /// inputs or targets.
    pub(crate) fn of(train: &Rows, valid: &Rows) -> Option<Self> {
        let features = train.features;
        let (known, asked) = (train.wanted()?, valid.wanted()?);
        let is_alike = known.columns == asked.columns && known.is_labelled() == asked.is_labelled();
        if features == 0 || valid.features != features || !is_alike {
            return None;
        }
        let (all, asked_all) = (
            known.rows.min(train.inputs.len() / features),
            asked.rows.min(valid.inputs.len() / features),
        );
        let classes = known.classes(all);
        let columns = if classes.is_empty() {
            known.columns
        } else {
            classes.len()
        };
        if (all + asked_all).saturating_mul(features.max(columns)) > MOST {
            return None;
        }
        // Rows that are handed over in each epoch count once.
        let places = different(train, &known, all);
        let of_queries = different(valid, &asked, asked_all);
        let (rows, queries) = (places.len(), of_queries.len());
        let is_finite = train
            .inputs
            .iter()
            .chain(&valid.inputs)
            .all(|x| x.is_finite());
        if rows < ENOUGH || queries < ENOUGH || !is_finite {
            return None;
        }
        let scales: Vec<(f64, f64)> = (0..features)
            .map(|at| {
                let values = places
                    .iter()
                    .map(|row| f64::from(train.inputs[row * features + at]));
                let (mean, deviation, ..) = moments(values);
                (mean, deviation)
            })
            .collect();
        let scaled = |rows: &Rows, row: usize| -> Vec<f32> {
            let row = rows.inputs[row * features..][..features].iter();
            let scale = |(value, (mean, deviation)): (&f32, &(f64, f64))| {
                if *deviation > 0.0 {
                    ((f64::from(*value) - mean) / deviation) as f32
                } else {
                    0.0
                }
            };
            row.zip(&scales).map(scale).collect()
        };
        let label = |row: usize| {
            let label = known.label(row)?;
            classes.binary_search(&label).ok()
        };
        let labels: Vec<usize> = places.iter().filter_map(|row| label(*row)).collect();
        let target = |row: usize, column: usize| match label(row) {
            Some(class) => f32::from(u8::from(class == column)),
            None => known.value(row, column) as f32,
        };
        let targets: Vec<f32> = (places.iter())
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .map(|(row, column)| target(*row, column))
            .collect();
        let is_finite = targets.iter().all(|target| target.is_finite());
        is_finite.then(|| Self {
            features,
            columns,
            rows,
            queries,
            train: places.iter().flat_map(|row| scaled(train, *row)).collect(),
            valid: (of_queries.iter())
                .flat_map(|row| scaled(valid, *row))
                .collect(),
            targets,
            labels,
            classes,
            asked: of_queries.iter().map(|row| wanted(&asked, *row)).collect(),
        })
    }

    /// Whether targets are classes.
    pub(crate) fn is_labelled(&self) -> bool {
        !self.classes.is_empty()
    }

    /// The classes, in order.
    pub(crate) fn classes(&self) -> &[i64] {
        &self.classes
    }

    /// The class of a validation row.
    pub(crate) fn asked_class(&self, at: usize) -> Option<i64> {
        self.asked[at].label()
    }

    /// The mean number of training rows of a class, of classes.
    pub(crate) fn rows_of_class(&self) -> Option<f64> {
        (self.is_labelled()).then(|| self.rows as f64 / self.classes.len() as f64)
    }

    /// A training row.
    pub(crate) fn row(&self, at: usize) -> &[f32] {
        &self.train[at * self.features..][..self.features]
    }

    /// A validation row.
    pub(crate) fn query(&self, at: usize) -> &[f32] {
        &self.valid[at * self.features..][..self.features]
    }

    /// The accuracy of predictions on the validation rows at `places`, a row of `columns` for each, or the share of variance
    /// that they explain.
    pub(crate) fn score(&self, places: &[usize], predicted: &[f64]) -> f64 {
        let asked = places.iter().map(|at| &self.asked[*at]);
        if self.is_labelled() {
            let wanted: Vec<Option<i64>> = asked.map(Asked::label).collect();
            return self.accuracy(&wanted, predicted);
        }
        let wanted: Vec<&[f64]> = asked.map(Asked::numbers).collect();
        explained(&wanted, self.columns, predicted)
    }

    /// As [`score`](Self::score), of predictions for the training rows at `places`.
    pub(crate) fn train_score(&self, places: &[usize], predicted: &[f64]) -> f64 {
        let columns = self.columns;
        if self.is_labelled() {
            let label = |at: &usize| Some(self.classes[self.labels[*at]]);
            let wanted: Vec<Option<i64>> = places.iter().map(label).collect();
            return self.accuracy(&wanted, predicted);
        }
        let row = |at: &usize| -> Vec<f64> {
            let targets = self.targets[at * columns..][..columns].iter();
            targets.copied().map(f64::from).collect()
        };
        let targets: Vec<Vec<f64>> = places.iter().map(row).collect();
        let wanted: Vec<&[f64]> = targets.iter().map(Vec::as_slice).collect();
        explained(&wanted, columns, predicted)
    }

    /// The share of rows of predictions whose largest one is that of the wanted class; of equal ones the last.
    fn accuracy(&self, wanted: &[Option<i64>], predicted: &[f64]) -> f64 {
        let best = |row: &[f64]| {
            let all = row.iter().zip(&self.classes);
            all.max_by(|one, other| one.0.total_cmp(other.0))
                .map(|(_, class)| *class)
        };
        let rows = predicted.chunks_exact(self.columns).zip(wanted);
        let right = rows.filter(|(row, label)| best(row) == **label).count();
        right as f64 / wanted.len() as f64
    }
}

/// What a validation row should give.
enum Asked {
    Class(Option<i64>),
    Numbers(Vec<f64>),
}

impl Asked {
    fn label(&self) -> Option<i64> {
        match self {
            Self::Class(label) => *label,
            Self::Numbers(_) => None,
        }
    }

    fn numbers(&self) -> &[f64] {
        match self {
            Self::Class(_) => &[],
            Self::Numbers(numbers) => numbers,
        }
    }
}

fn wanted(of: &Wanted<'_>, row: usize) -> Asked {
    if of.is_labelled() {
        Asked::Class(of.label(row))
    } else {
        Asked::Numbers(
            (0..of.columns)
                .map(|column| of.value(row, column))
                .collect(),
        )
    }
}

/// The places of the different ones of the first `count` rows, by inputs and targets.
fn different(rows: &Rows, wanted: &Wanted<'_>, count: usize) -> Vec<usize> {
    let mut seen = HashSet::new();
    let is_new = |(row, key): &(usize, u128)| {
        let targets = (0..wanted.columns).map(|column| wanted.value(*row, column).to_bits());
        let targets: Vec<u64> = match wanted.label(*row) {
            Some(label) => vec![label as u64],
            None => targets.collect(),
        };
        seen.insert((*key, targets))
    };
    let all = rows.keys().take(count).enumerate();
    all.filter(is_new).map(|(row, _)| row).collect()
}

/// The share of the variance of the rows of `wanted` that is explained, over all columns.
fn explained(wanted: &[&[f64]], columns: usize, predicted: &[f64]) -> f64 {
    let (mut error, mut whole) = (0.0, 0.0);
    for column in 0..columns {
        let values = wanted.iter().map(|row| row[column]);
        let (_, deviation, ..) = moments(values.clone());
        whole += deviation * deviation * wanted.len() as f64;
        let errors = values.zip(predicted.iter().skip(column).step_by(columns));
        error += errors
            .map(|(value, predicted)| (value - predicted).powi(2))
            .sum::<f64>();
    }
    1.0 - error / whole
}
