//! What the nearest training rows say: a model that needs no training.

use crate::history::rows::Rows;
use serde::{Deserialize, Serialize};

/// The neighbours that vote.
const K: usize = 5;

/// Fewer rows on either side tell nothing.
const ENOUGH: usize = 40;

/// Of more columns each is not looked at.
const COLUMNS: usize = 8;

/// The most subtractions.
const WORK: usize = 100_000_000;

/// What the five nearest training rows say about each validation row. Each feature is divided by its standard deviation
/// in the training rows.
///
/// It is a floor for what the inputs tell about the targets: with many rows the error of the nearest neighbour is at most
/// twice the lowest possible one (Cover and Hart, 1967). With many features it may be far from that, so a network
/// that is better than it need not be good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Neighbours {
    /// The training rows.
    pub rows: usize,
    /// The validation rows that were predicted.
    pub queries: usize,
    /// The accuracy of the vote; for a regression, the share of the variance that the mean of the five explains.
    #[serde(with = "crate::float")]
    pub score: f64,
    /// Whether the score is an accuracy.
    pub is_accuracy: bool,
}

impl Neighbours {
    /// Predicts the rows of `valid` from those of `train`; `None` if there are too few, or they do not fit together.
    pub(crate) fn of(train: &Rows, valid: &Rows) -> Option<Self> {
        let features = train.features;
        let (known, asked) = (train.wanted()?, valid.wanted()?);
        let is_accuracy = known.is_labelled();
        let is_alike = known.columns == asked.columns && is_accuracy == asked.is_labelled();
        if features == 0 || valid.features != features || !is_alike {
            return None;
        }
        let rows = known.rows.min(train.inputs.len() / features);
        let queries = asked.rows.min(valid.inputs.len() / features);
        let queries = queries.min(WORK / (rows * features).max(1));
        if rows < ENOUGH || queries < ENOUGH {
            return None;
        }
        let scales = scales(train, rows);
        let nearest: Vec<[usize; K]> = (0..queries)
            .map(|query| {
                let row = &valid.inputs[query * features..][..features];
                nearest(train, rows, row, &scales)
            })
            .collect();
        let score = if is_accuracy {
            let vote = |query: usize| most_frequent(nearest[query].map(|at| known.label(at)));
            let right = (0..queries).filter(|query| vote(*query) == asked.label(*query));
            right.count() as f64 / queries as f64
        } else {
            asked.explained(queries, |query, column| {
                let values = nearest[query].map(|at| known.value(at, column));
                values.iter().sum::<f64>() / K as f64
            })
        };
        score.is_finite().then_some(Self {
            rows,
            queries,
            score,
            is_accuracy,
        })
    }
}

/// The share of the variance of each column of validation targets that the mean of the five nearest training rows explains, of a
/// few columns of a regression.
pub(crate) fn columns(train: &Rows, valid: &Rows) -> Vec<f64> {
    if !(2..=COLUMNS).contains(&train.target_columns) || !train.labels.is_empty() {
        return Vec::new();
    }
    let column = |rows: &Rows, at: usize| Rows {
        target_columns: 1,
        targets: (rows.targets.iter().skip(at))
            .step_by(rows.target_columns)
            .copied()
            .collect(),
        ..rows.clone()
    };
    let score = |at: usize| {
        let fit = Neighbours::of(&column(train, at), &column(valid, at));
        fit.map_or(f64::NAN, |fit| fit.score)
    };
    (0..train.target_columns).map(score).collect()
}

/// One over the variance of each feature; 0 for a constant one.
fn scales(train: &Rows, rows: usize) -> Vec<f32> {
    let features = train.features;
    let count = rows as f64;
    let of_feature = |at: usize| {
        let column = || (0..rows).map(move |row| f64::from(train.inputs[row * features + at]));
        let mean = column().sum::<f64>() / count;
        let variance = column().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        if variance > 0.0 {
            (1.0 / variance) as f32
        } else {
            0.0
        }
    };
    (0..features).map(of_feature).collect()
}

/// The places of the nearest training rows, the nearest first.
fn nearest(train: &Rows, rows: usize, query: &[f32], scales: &[f32]) -> [usize; K] {
    let mut best = [(f32::INFINITY, 0); K];
    for at in 0..rows {
        let row = &train.inputs[at * train.features..][..train.features];
        let parts = row.iter().zip(query).zip(scales);
        let distance: f32 = parts.map(|((a, b), scale)| (a - b) * (a - b) * scale).sum();
        if distance < best[K - 1].0 {
            let place = best.partition_point(|(other, _)| *other <= distance);
            best[place..].rotate_right(1);
            best[place] = (distance, at);
        }
    }
    best.map(|(_, at)| at)
}

/// The value that occurs most often; of several the one that comes first.
fn most_frequent(votes: [Option<i64>; K]) -> Option<i64> {
    let count = |vote: Option<i64>| votes.iter().filter(|other| **other == vote).count();
    let most = votes.iter().map(|vote| count(*vote)).max();
    let first = votes.iter().find(|vote| Some(count(**vote)) == most);
    first.copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, shift: f32) -> Rows {
        let inputs = (0..count).flat_map(|at| {
            let side = if at % 2 == 0 { -1.0 } else { 1.0 };
            // The second feature is loud and tells nothing.
            [side + shift, 1e3 * ((at * 7919) % 101) as f32]
        });
        Rows {
            features: 2,
            inputs: inputs.collect(),
            labels: vec![(0..count as i64).map(|at| at % 2).collect()],
            ..Rows::default()
        }
    }

    #[test]
    fn rows_of_two_classes_are_told_apart_whatever_the_scale_of_a_feature() {
        let found = Neighbours::of(&rows(200, 0.0), &rows(60, 0.1)).unwrap();
        assert_eq!(
            (found.rows, found.queries, found.is_accuracy),
            (200, 60, true)
        );
        assert!(found.score > 0.95, "{found:?}");
        assert_eq!(Neighbours::of(&rows(39, 0.0), &rows(60, 0.1)), None);
        assert_eq!(Neighbours::of(&rows(200, 0.0), &Rows::default()), None);
    }

    #[test]
    fn a_regression_is_scored_by_the_variance_that_is_explained() {
        let line = |count: usize| Rows {
            features: 1,
            inputs: (0..count).map(|at| at as f32 / count as f32).collect(),
            target_columns: 1,
            targets: (0..count).map(|at| at as f64 / count as f64).collect(),
            ..Rows::default()
        };
        let found = Neighbours::of(&line(500), &line(77)).unwrap();
        assert!(found.score > 0.99 && !found.is_accuracy, "{found:?}");
    }
}
