//! How near validation rows are to training rows, and training rows to each other.

use crate::history::table::Table;
use serde::{Deserialize, Serialize};

/// The neighbours that are looked at.
const K: usize = 20;

/// The neighbours that vote.
const VOTES: usize = 5;

/// The neighbours from which the dimension is estimated lie between this one and the last.
const FIRST: usize = 10;

/// The chance of a row, drawn as all others are, to have a neighbour that counts as its copy.
const CHANCE: f64 = 0.02;

/// The most subtractions.
const WORK: usize = 150_000_000;

/// How near validation rows are to training rows, and what training rows say about each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Closeness {
    /// The different training rows.
    pub rows: usize,
    /// The validation rows.
    pub queries: usize,
    /// The accuracy of a vote of the five nearest other training rows on the training rows; for a regression, the share of the
    /// variance that their mean explains.
    #[serde(with = "crate::float")]
    pub train_score: f64,
    /// The same of the training rows on the validation rows.
    #[serde(with = "crate::float")]
    pub valid_score: f64,
    /// Whether the scores are accuracies.
    pub is_accuracy: bool,
    /// The number of dimensions in which the training rows lie around a validation row, as Levina and Bickel (2004) estimate it
    /// from the distances of its 10th to its 20th neighbour.
    #[serde(with = "crate::float")]
    pub dimension: f64,
    /// The share of validation rows whose nearest training row is another row and so near, as a share of the distance of the 20th,
    /// that one row in fifty has such a neighbour by chance in so many dimensions.
    #[serde(with = "crate::float")]
    pub near_copies: f64,
}

impl Closeness {
    /// `None` if it would take too long, or there are too few rows.
    pub(crate) fn of(table: &Table) -> Option<Self> {
        let pairs = table.rows * (table.rows + table.queries);
        if pairs.saturating_mul(table.features) > WORK || table.rows <= 2 * K {
            return None;
        }
        let around = |row: &[f32], but: Option<usize>| nearest(table, row, but);
        let queries: Vec<_> = (0..table.queries)
            .map(|at| around(table.query(at), None))
            .collect();
        let valid_score = table.score(&votes(table, &queries));
        let of_train: Vec<_> = (0..table.rows)
            .map(|at| around(table.row(at), Some(at)))
            .collect();
        let train_score = table.train_score(&votes(table, &of_train));
        let dimension = dimension(&queries);
        // Of K rows in so many dimensions, the nearest is within this share of the distance of the last by this chance.
        let share = (CHANCE / (K - 1) as f64).powf(1.0 / dimension);
        let is_copy = |near: &&[(f32, usize); K]| {
            let (first, last) = (near[0].0, near[K - 1].0);
            first > 0.0 && f64::from(first / last).sqrt() < share
        };
        let copies = queries.iter().filter(is_copy).count();
        let scores_are_finite = train_score.is_finite() && valid_score.is_finite();
        (scores_are_finite && dimension.is_finite()).then_some(Self {
            rows: table.rows,
            queries: table.queries,
            train_score,
            valid_score,
            is_accuracy: table.is_labelled(),
            dimension,
            near_copies: copies as f64 / table.queries as f64,
        })
    }
}

/// The nearest training rows with their squared distances, the nearest first.
fn nearest(table: &Table, query: &[f32], but: Option<usize>) -> [(f32, usize); K] {
    let mut best = [(f32::INFINITY, 0); K];
    for at in (0..table.rows).filter(|at| Some(*at) != but) {
        let parts = table.row(at).iter().zip(query);
        let distance: f32 = parts.map(|(a, b)| (a - b) * (a - b)).sum();
        if distance < best[K - 1].0 {
            let place = best.partition_point(|(other, _)| *other <= distance);
            best[place..].rotate_right(1);
            best[place] = (distance, at);
        }
    }
    best
}

/// The mean of the targets of the nearest rows, rows × columns.
fn votes(table: &Table, near: &[[(f32, usize); K]]) -> Vec<f64> {
    let columns = table.columns;
    let mean = |near: &[(f32, usize); K], column: usize| {
        let targets = near[..VOTES]
            .iter()
            .map(|(_, at)| f64::from(table.targets[at * columns + column]));
        targets.sum::<f64>() / VOTES as f64
    };
    (near.iter())
        .flat_map(|near| (0..columns).map(move |column| mean(near, column)))
        .collect()
}

/// The maximum-likelihood estimate of Levina and Bickel, averaged as MacKay and Ghahramani do: over its inverses. The logarithm
/// of the distance of the last of K neighbours over that of the j-th is (1/j + ... + 1/(K − 1))/m on average, of m dimensions.
fn dimension(near: &[[(f32, usize); K]]) -> f64 {
    let (mut measured, mut expected) = (0.0, 0.0);
    for near in near {
        let last = f64::from(near[K - 1].0);
        let mut mean = 0.0;
        for j in (FIRST..K).rev() {
            mean += 1.0 / j as f64;
            let squared = f64::from(near[j - 1].0);
            if squared > 0.0 {
                measured += 0.5 * (last / squared).ln();
                expected += mean;
            }
        }
    }
    expected / measured
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::data::Rows;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    /// Rows of so many uniform numbers and two zeros, whose label is the sign of the first.
    fn uniform(seed: u64, count: usize, numbers: usize) -> Rows {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut rows = Rows {
            features: numbers + 2,
            ..Rows::default()
        };
        let mut labels = Vec::new();
        for _ in 0..count {
            let row: Vec<f32> = (0..numbers).map(|_| dice.random_range(-1.0..1.0)).collect();
            labels.push(i64::from(row[0] > 0.0));
            rows.inputs.extend(row);
            rows.inputs.extend([0.0, 0.0]);
        }
        rows.labels = vec![labels];
        rows
    }

    #[test]
    fn the_dimension_is_that_of_what_varies_and_few_rows_are_copies_by_chance() {
        for (numbers, most) in [(1, 1.3), (2, 2.4), (4, 4.6)] {
            let (train, valid) = (uniform(1, 800, numbers), uniform(2, 200, numbers));
            let near = Closeness::of(&Table::of(&train, &valid).unwrap()).unwrap();
            let least = 0.75 * numbers as f64;
            assert!((least..most).contains(&near.dimension), "{near:?}");
            assert!(near.near_copies < 0.06, "{near:?}");
            assert!(near.valid_score > 0.85 && near.train_score > 0.85);
        }
    }

    #[test]
    fn rows_with_a_little_noise_are_copies() {
        let train = uniform(1, 600, 4);
        let mut valid = Rows {
            inputs: train.inputs[..6 * 200].to_vec(),
            labels: vec![train.labels[0][..200].to_vec()],
            ..train.clone()
        };
        let near = |valid: &Rows| Closeness::of(&Table::of(&train, valid).unwrap()).unwrap();
        // The same rows are no other rows.
        assert_eq!(near(&valid).near_copies, 0.0);
        let mut dice = ChaCha8Rng::seed_from_u64(3);
        for row in valid.inputs.chunks_mut(6) {
            row[..4]
                .iter_mut()
                .for_each(|value| *value += dice.random_range(-0.01..0.01));
        }
        let copies = near(&valid).near_copies;
        assert!(copies > 0.9, "{copies}");
    }
}
