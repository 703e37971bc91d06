//! How near validation rows are to training rows, and training rows to each other.

use crate::history::measures::median;
use crate::history::moments::spread;
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

/// The distance of rows that are equal but for rounding, as a share of that of the last neighbour.
const ROUNDING: f64 = 1e-5;

/// The most subtractions.
const WORK: usize = 150_000_000;

/// Fewer rows of the validation, of more, tell nothing.
const FEWEST: usize = 60;

/// The nearest training rows with their squared distances, the nearest first.
type Near = [(f32, usize); K];

/// How near validation rows are to training rows, and what training rows say about each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Closeness {
    /// The different training rows whose neighbours were looked at, all or of many large ones some, without those whose inputs
    /// another training row has too: what is left of equal rows, each of which counts once for each target, has another target.
    pub rows: usize,
    /// The validation rows whose neighbours were looked at, without those whose inputs a training row has too.
    pub queries: usize,
    /// The accuracy of a vote of the five nearest other training rows on these training rows; for a regression, the share of the
    /// variance that their mean explains.
    #[serde(with = "crate::float")]
    pub train_score: f64,
    /// The same of the training rows on these validation rows.
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
    /// The share of training rows with another training row as near as that.
    #[serde(with = "crate::float")]
    pub train_copies: f64,
    /// The median distance of a training row to its fifth neighbour over that of a validation row: above 1 where training rows
    /// were changed, as by an augmentation.
    #[serde(with = "crate::float")]
    pub spread: Option<f64>,
    /// The mean number of training rows of a class, of a classification.
    #[serde(with = "crate::float")]
    pub rows_of_class: Option<f64>,
}

impl Closeness {
    /// `None` if there are too few rows, or it would take too long to look at some of them.
    pub(crate) fn of(table: &Table) -> Option<Self> {
        let [of_train, of_valid] = looked_at(table.rows, table.queries, table.features)?;
        let of_valid: Vec<usize> = spread(table.queries, of_valid).collect();
        let of_train: Vec<usize> = spread(table.rows, of_train).collect();
        let around = |row: &[f32], but: Option<usize>| nearest(table, row, but);
        let queries: Vec<_> = (of_valid.iter())
            .map(|at| around(table.query(*at), None))
            .collect();
        let train: Vec<_> = (of_train.iter())
            .map(|at| around(table.row(*at), Some(*at)))
            .collect();
        let (asked, of_asked) = without_twins(&of_valid, &queries);
        let (known, of_known) = without_twins(&of_train, &train);
        // Where all rows are among those of the training, there is no other one to tell.
        let score = |places: &[usize], score: &dyn Fn() -> f64| {
            if places.is_empty() { 0.0 } else { score() }
        };
        let valid_score = score(&asked, &|| table.score(&asked, &votes(table, &of_asked)));
        let train_score = score(&known, &|| {
            table.train_score(&known, &votes(table, &of_known))
        });
        let dimension = dimension(&queries);
        // Of K rows in so many dimensions, the nearest is within this share of the distance of the last by this chance.
        let share = (CHANCE / (K - 1) as f64).powf(1.0 / dimension);
        let is_copy = |near: &&Near| {
            let (first, last) = (near[0].0, near[K - 1].0);
            let ratio = f64::from(first / last).sqrt();
            // What differs by rounding alone is the same row, as in a series that repeats itself.
            ratio > ROUNDING && ratio < share
        };
        let share_of =
            |near: &[Near]| near.iter().filter(is_copy).count() as f64 / near.len() as f64;
        let scores_are_finite = train_score.is_finite() && valid_score.is_finite();
        (scores_are_finite && dimension.is_finite()).then_some(Self {
            rows: known.len(),
            queries: asked.len(),
            train_score,
            valid_score,
            is_accuracy: table.is_labelled(),
            dimension,
            near_copies: share_of(&queries),
            train_copies: share_of(&train),
            spread: spread_of(&train, &queries),
            rows_of_class: table.rows_of_class(),
        })
    }
}

/// How many training rows, and rows of the validation, are compared with all training rows: all, or as many as [`WORK`] is
/// enough for, half of them of the validation.
fn looked_at(rows: usize, queries: usize, features: usize) -> Option<[usize; 2]> {
    let most = WORK / rows.saturating_mul(features).max(1) / 2;
    let of_valid = queries.min(most);
    let of_train = rows.min(2 * most - of_valid);
    let is_enough = most >= FEWEST.min(queries) && rows > 2 * K;
    is_enough.then_some([of_train, of_valid])
}

/// The places, and the neighbours, of the rows whose nearest neighbour is not the same row.
fn without_twins(places: &[usize], near: &[Near]) -> (Vec<usize>, Vec<Near>) {
    let pairs = places.iter().copied().zip(near.iter().copied());
    pairs.filter(|(_, near)| near[0].0 > 0.0).unzip()
}

/// The nearest training rows with their squared distances, the nearest first.
fn nearest(table: &Table, query: &[f32], but: Option<usize>) -> Near {
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
fn votes(table: &Table, near: &[Near]) -> Vec<f64> {
    let columns = table.columns;
    let mean = |near: &Near, column: usize| {
        let targets = near[..VOTES]
            .iter()
            .map(|(_, at)| f64::from(table.targets[at * columns + column]));
        targets.sum::<f64>() / VOTES as f64
    };
    (near.iter())
        .flat_map(|near| (0..columns).map(move |column| mean(near, column)))
        .collect()
}

/// The median distance of the last neighbour that votes, of training rows over that of validation rows.
fn spread_of(train: &[Near], valid: &[Near]) -> Option<f64> {
    let usual = |near: &[Near]| median(near.iter().map(|near| f64::from(near[VOTES - 1].0)));
    let ratio = (usual(train)? / usual(valid)?).sqrt();
    Some(ratio).filter(|ratio| ratio.is_finite())
}

/// The maximum-likelihood estimate of Levina and Bickel, averaged as MacKay and Ghahramani do: over its inverses. The logarithm
/// of the distance of the last of K neighbours over that of the j-th is (1/j + ... + 1/(K − 1))/m on average, of m dimensions.
fn dimension(near: &[Near]) -> f64 {
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
    use crate::history::rows::Rows;
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
            // One in fifty is expected: a share of the distance that does not depend on the dimension gives none or many.
            assert!((0.004..0.06).contains(&near.train_copies), "{near:?}");
            assert!(near.near_copies < 0.06, "{near:?}");
            assert!(near.valid_score > 0.85 && near.train_score > 0.85);
        }
    }

    #[test]
    fn of_many_wide_rows_some_are_looked_at() {
        assert_eq!(looked_at(2048, 600, 8), Some([2048, 600]));
        // Eighteen features of 2,048 rows on either side were too many once.
        let [train, valid] = looked_at(2048, 2048, 30).unwrap();
        assert!(train > 1000 && valid > 1000, "{train} {valid}");
        assert!((train + valid) * 2048 * 30 <= WORK);
        assert_eq!(looked_at(2048, 100, 300), Some([144, 100]));
        assert_eq!(looked_at(2048, 2048, 784), None, "46 rows");
        assert_eq!(looked_at(40, 2048, 4), None, "no other neighbours");
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
        // What rounding makes of the same rows.
        for (value, first) in valid.inputs.iter_mut().zip(&train.inputs) {
            *value = first * (1.0 + f32::EPSILON);
        }
        assert_eq!(near(&valid).near_copies, 0.0);
    }

    #[test]
    fn rows_with_equal_inputs_do_not_vote_on_each_other() {
        // Five numbers of four values, and labels of which every fourth is turned round: a row that stands there with both labels
        // has a neighbour that says the other one.
        let rows = |seed: u64, count: usize| {
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            let mut rows = uniform(seed, count, 5);
            for value in &mut rows.inputs {
                *value = (2.0 * *value).floor();
            }
            let label = |row: &[f32]| {
                let is_high = row[0] + row[1] >= -1.0;
                i64::from(is_high ^ (dice.random_range(0..4) == 0))
            };
            rows.labels = vec![rows.inputs.chunks(7).map(label).collect()];
            rows
        };
        let (mut gap, mut known, mut asked) = (0.0, 0, 0);
        for seed in 0..20 {
            let (train, valid) = (rows(2 * seed, 1500), rows(2 * seed + 1, 800));
            let near = Closeness::of(&Table::of(&train, &valid).unwrap()).unwrap();
            gap += (near.valid_score - near.train_score) / 20.0;
            known += near.rows;
            asked += near.queries;
        }
        // Of 1,024 places three quarters are taken, and some twice.
        assert!(known > 20 * 300 && asked > 20 * 100, "{known} {asked}");
        // What is left of two rows with one label counts as one row, whose label is seldom turned round.
        assert!((-0.12..0.02).contains(&gap), "{gap}");
    }

    #[test]
    fn the_spread_of_training_rows_shows_what_was_added_to_them() {
        // Three numbers that are one.
        let line = |seed: u64, count: usize| {
            let mut rows = uniform(seed, count, 1);
            for row in rows.inputs.chunks_mut(3) {
                row.fill(row[0]);
            }
            rows
        };
        let (mut train, valid) = (line(1, 800), line(2, 300));
        let spread = |train: &Rows| {
            let near = Closeness::of(&Table::of(train, &valid).unwrap()).unwrap();
            let of_class = near.rows_of_class;
            assert_eq!(of_class, Some(400.0));
            near.spread.unwrap()
        };
        assert!((spread(&train) - 1.0).abs() < 0.1, "{}", spread(&train));
        let mut dice = ChaCha8Rng::seed_from_u64(3);
        for value in &mut train.inputs {
            *value += dice.random_range(-0.1..0.1);
        }
        assert!(spread(&train) > 1.2, "{}", spread(&train));
    }
}
