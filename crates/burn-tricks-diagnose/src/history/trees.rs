//! What a forest of random trees says: a model that needs no scale of its inputs, and finds what depends on a few of them.

use crate::history::reference::ReferenceFit;
use crate::history::table::Table;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The trees.
const TREES: usize = 40;

/// Fewer trees say little.
const FEWEST: usize = 8;

/// Rows of a leaf, for a regression.
const LEAF: usize = 3;

/// The most features that are tried at a node.
const TRIED: usize = 12;

/// The levels of a tree that count for its cost.
const LEVELS: usize = 12;

/// The most sums.
const WORK: usize = 80_000_000;

/// Extremely randomized trees of Geurts et al. (2006): at each node some features are drawn, for each of them a threshold
/// between its smallest and its largest value, and the split that lowers the variance of the targets the most is taken.
/// `None` if it would take too long.
pub(crate) fn fit(table: &Table) -> Option<ReferenceFit> {
    let [tried, trees] = plan(
        table.rows,
        table.features,
        table.columns,
        table.is_labelled(),
    )?;
    let mut forest = Forest {
        table,
        tried,
        leaf: leaf(table.is_labelled()),
        dice: ChaCha8Rng::seed_from_u64(0),
        predicted: vec![0.0; table.queries * table.columns],
    };
    for _ in 0..trees {
        let mut rows: Vec<usize> = (0..table.rows).collect();
        let mut queries: Vec<usize> = (0..table.queries).collect();
        forest.grow(&mut rows, &mut queries);
    }
    let mean: Vec<f64> = (forest.predicted.iter())
        .map(|sum| sum / trees as f64)
        .collect();
    ReferenceFit::of(table, &mean)
}

/// The fewest rows of a leaf.
fn leaf(is_labelled: bool) -> usize {
    if is_labelled { 1 } else { LEAF }
}

/// How many features are tried at a node, and how many trees are grown.
fn plan(rows: usize, features: usize, columns: usize, is_labelled: bool) -> Option<[usize; 2]> {
    let wished = if is_labelled {
        (features as f64).sqrt().ceil() as usize
    } else {
        features
    };
    // The sums of targets at each level, and at each node one of every column, for either side.
    let cost = |tried: usize| {
        let sums = if is_labelled { 1 } else { columns };
        let of_rows = rows.saturating_mul(LEVELS * tried * sums);
        let of_nodes = (2 * rows / leaf(is_labelled)).saturating_mul(2 * tried * columns);
        of_rows.saturating_add(of_nodes)
    };
    let tried = (1..=wished.clamp(1, TRIED))
        .rev()
        .find(|tried| cost(*tried).saturating_mul(TREES) <= WORK)
        .unwrap_or(1);
    let trees = (WORK / cost(tried).max(1)).min(TREES);
    (trees >= FEWEST).then_some([tried, trees])
}

struct Forest<'a> {
    table: &'a Table,
    tried: usize,
    leaf: usize,
    dice: ChaCha8Rng,
    /// The sum over the trees, `queries` × `columns`.
    predicted: Vec<f64>,
}

impl Forest<'_> {
    /// Splits these rows until they are alike, and predicts these queries.
    fn grow(&mut self, rows: &mut [usize], queries: &mut [usize]) {
        if queries.is_empty() {
            return;
        }
        let split = if rows.len() < 2 * self.leaf || self.is_pure(rows) {
            None
        } else {
            self.split(rows)
        };
        let Some((feature, threshold)) = split else {
            self.predict(rows, queries);
            return;
        };
        let table = self.table;
        let left = partition(rows, |row| table.row(row)[feature] < threshold);
        let left_queries = partition(queries, |at| table.query(at)[feature] < threshold);
        let (rows, others) = rows.split_at_mut(left);
        let (queries, other_queries) = queries.split_at_mut(left_queries);
        self.grow(rows, queries);
        self.grow(others, other_queries);
    }

    fn is_pure(&self, rows: &[usize]) -> bool {
        let columns = self.table.columns;
        let target = |row: usize| &self.table.targets[row * columns..][..columns];
        rows.iter().all(|row| target(*row) == target(rows[0]))
    }

    /// The best one of the splits that are drawn; `None` if all rows have one value in each of the features.
    fn split(&mut self, rows: &[usize]) -> Option<(usize, f32)> {
        let mut best: Option<(f64, usize, f32)> = None;
        for _ in 0..self.tried {
            let feature = self.dice.random_range(0..self.table.features);
            let values = || rows.iter().map(|row| self.table.row(*row)[feature]);
            let low = values().fold(f32::INFINITY, f32::min);
            let high = values().fold(f32::NEG_INFINITY, f32::max);
            if low >= high {
                continue;
            }
            // Above the lowest, so that neither side is empty.
            let threshold = high - (high - low) * self.dice.random_range(0.0..1.0f32);
            if threshold <= low {
                continue;
            }
            let gain = self.gain(rows, feature, threshold);
            if best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, feature, threshold));
            }
        }
        best.map(|(_, feature, threshold)| (feature, threshold))
    }

    /// The sum over both sides of the squared length of their sum of targets over their rows: the larger, the less
    /// variance is left.
    fn gain(&self, rows: &[usize], feature: usize, threshold: f32) -> f64 {
        let columns = self.table.columns;
        let mut sums = vec![0.0; 2 * columns];
        let mut counts = [0.0, 0.0];
        for row in rows {
            let side = usize::from(self.table.row(*row)[feature] >= threshold);
            counts[side] += 1.0;
            if self.table.is_labelled() {
                sums[side * columns + self.table.labels[*row]] += 1.0;
            } else {
                let targets = &self.table.targets[row * columns..][..columns];
                let sums = sums[side * columns..].iter_mut().zip(targets);
                sums.for_each(|(sum, target)| *sum += f64::from(*target));
            }
        }
        let sides = sums.chunks_exact(columns).zip(counts);
        let of_side = |(sums, count): (&[f64], f64)| {
            sums.iter().map(|sum| sum * sum).sum::<f64>() / f64::max(count, 1.0)
        };
        sides.map(of_side).sum()
    }

    /// Adds the mean of the targets of `rows` to what these queries get.
    fn predict(&mut self, rows: &[usize], queries: &[usize]) {
        let columns = self.table.columns;
        for column in 0..columns {
            let targets = rows
                .iter()
                .map(|row| self.table.targets[row * columns + column]);
            let mean = targets.map(f64::from).sum::<f64>() / rows.len() as f64;
            for query in queries {
                self.predicted[query * columns + column] += mean;
            }
        }
    }
}

/// Moves those that are on the left to the front, and says how many they are.
fn partition(places: &mut [usize], is_left: impl Fn(usize) -> bool) -> usize {
    let mut left = 0;
    for at in 0..places.len() {
        if is_left(places[at]) {
            places.swap(left, at);
            left += 1;
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::radial;
    use crate::history::rows::Rows;

    /// Points of the plane at equal distances, moved, each with what `target` makes of it.
    fn plane(shift: f32, target: impl Fn(f32, f32) -> f64) -> Rows {
        let mut rows = Rows {
            features: 2,
            target_columns: 1,
            ..Rows::default()
        };
        for at in 0..625 {
            let [x, y] = [at % 25, at / 25].map(|place| place as f32 / 12.0 - 1.0 + shift);
            rows.inputs.extend([x, 1e3 * y]);
            rows.targets.push(target(x, y));
        }
        rows
    }

    #[test]
    fn a_product_that_no_line_follows_is_found_by_trees_and_by_bumps() {
        let product = |x: f32, y: f32| f64::from(x * y);
        let (train, valid) = (plane(0.0, product), plane(0.03, product));
        let table = Table::of(&train, &valid).unwrap();
        let trees = fit(&table).unwrap();
        assert!(trees.score > 0.85 && !trees.is_accuracy, "{trees:?}");
        assert_eq!((trees.rows, trees.queries), (625, 625));
        let bumps = radial::fit(&table).unwrap();
        assert!(bumps.score > 0.98, "{bumps:?}");
        // What has another sign in the validation is predicted badly.
        let other = plane(0.03, |x, y| -product(x, y));
        let table = Table::of(&train, &other).unwrap();
        assert!(fit(&table).unwrap().score < 0.0);
        assert!(radial::fit(&table).unwrap().score < 0.0);
    }

    #[test]
    fn of_many_classes_fewer_features_and_trees_are_tried() {
        assert_eq!(plan(1400, 64, 10, true), Some([8, 40]));
        assert_eq!(plan(2048, 784, 10, true), Some([12, 40]));
        assert_eq!(plan(2048, 784, 100, true), Some([2, 40]));
        let [tried, trees] = plan(2048, 784, 1000, true).unwrap();
        assert_eq!(tried, 1);
        assert!(trees * 4 * 2048 * 1000 <= WORK, "{trees}");
        assert_eq!(plan(2048, 784, 2048, true), None);
        assert_eq!(plan(222, 150_528, 150_528, false), None);
    }

    #[test]
    fn classes_are_votes_and_rows_that_repeat_count_once() {
        let labelled = |shift: f32| {
            let mut rows = plane(shift, |_, _| 0.0);
            let label = |row: &[f32]| i64::from(row[0] * row[1] > 0.0);
            let labels: Vec<i64> = rows.rows().map(label).collect();
            rows.targets.clear();
            // Three epochs.
            rows.labels = vec![labels; 3];
            rows.inputs = rows.inputs.repeat(3);
            rows
        };
        let (train, valid) = (labelled(0.0), labelled(0.01));
        let table = Table::of(&train, &valid).unwrap();
        let trees = fit(&table).unwrap();
        assert!(trees.score > 0.9 && trees.is_accuracy, "{trees:?}");
        assert_eq!((trees.rows, trees.queries), (625, 625));
        assert!(radial::fit(&table).unwrap().score > 0.9);
        let mut broken = valid;
        broken.inputs[7] = f32::NAN;
        assert!(Table::of(&train, &broken).is_none());
    }
}
