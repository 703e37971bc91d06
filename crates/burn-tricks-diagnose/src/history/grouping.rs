//! Whether batches hold rows with similar targets.

use crate::history::moments::spread;
use crate::history::rows::Rows;
use std::collections::{BTreeMap, HashMap};

/// Small batches are joined to groups of so many rows.
const GROUP: usize = 8;

/// Of more columns of targets, so many at equal distances are looked at.
const COLUMNS: usize = 512;

/// Fewer groups show nothing.
const ENOUGH: usize = 3;

/// The targets of consecutive rows.
#[derive(Debug, Default)]
struct Group {
    rows: usize,
    /// The sum of each column of the targets; of labels, the rows of each class.
    sums: BTreeMap<i64, f64>,
    squares: f64,
}

impl Group {
    fn push(&mut self, key: i64, value: f64) {
        *self.sums.entry(key).or_default() += value;
        self.squares += value * value;
    }

    fn join(&mut self, other: Self) {
        self.rows += other.rows;
        self.squares += other.squares;
        for (key, sum) in other.sums {
            *self.sums.entry(key).or_default() += sum;
        }
    }

    /// The squared length of the sum over the rows.
    fn between(&self) -> f64 {
        self.sums.values().map(|sum| sum * sum).sum::<f64>() / self.rows.max(1) as f64
    }
}

impl Rows {
    /// The share of the variance of the targets that lies between batches beyond what chance puts there, ε² of Kelley
    /// (1935): (SSB − (k − 1)·MSW)/SST for k batches. A class is a column that is 1 for its rows.
    pub(crate) fn between_batches(&self) -> f64 {
        let groups = grouped(self.batches());
        let mut all = Group::default();
        let mut between = 0.0;
        let count = groups.len();
        for group in groups {
            between += group.between();
            all.join(group);
        }
        if count < ENOUGH || all.rows < count + GROUP {
            return 0.0;
        }
        let whole = all.squares - all.between();
        let between = between - all.between();
        let within = (whole - between) / (all.rows - count) as f64;
        let share = (between - (count - 1) as f64 * within) / whole;
        // Of equal targets only rounding is left.
        if share.is_finite() && whole > 1e-12 * all.squares {
            share.max(0.0)
        } else {
            0.0
        }
    }

    /// The share of the variance of the targets of the first `count` rows that lies among rows of equal inputs: the mean
    /// variance within their groups over that of all; `None` where fewer than half of the rows repeat another one.
    pub(crate) fn ambiguous(&self, count: usize) -> Option<f64> {
        let wanted = self.wanted()?;
        let mut groups: HashMap<u128, Group> = HashMap::new();
        for (row, key) in self.keys().take(count.min(wanted.rows)).enumerate() {
            let group = groups.entry(key).or_default();
            group.rows += 1;
            match wanted.label(row) {
                Some(label) => group.push(label, 1.0),
                None => spread(wanted.columns, COLUMNS)
                    .for_each(|column| group.push(column as i64, wanted.value(row, column))),
            }
        }
        let (mut all, mut between) = (Group::default(), 0.0);
        let different = groups.len();
        for group in groups.into_values() {
            between += group.between();
            all.join(group);
        }
        if all.rows < 2 * different.max(1) {
            return None;
        }
        let within = (all.squares - between) / (all.rows - different) as f64;
        let whole = (all.squares - all.between()) / (all.rows - 1) as f64;
        Some(within / whole).filter(|share| share.is_finite())
    }

    /// The targets of each batch.
    fn batches(&self) -> Vec<Group> {
        let of_labels = self.labels.iter().map(|labels| {
            let mut group = Group {
                rows: labels.len(),
                ..Group::default()
            };
            labels.iter().for_each(|label| group.push(*label, 1.0));
            group
        });
        let mut rows = self.targets.chunks(self.target_columns.max(1));
        let of_targets = self.target_batches.iter().map(|count| {
            let mut group = Group {
                rows: *count,
                ..Group::default()
            };
            for row in rows.by_ref().take(*count) {
                for column in spread(row.len(), COLUMNS) {
                    group.push(column as i64, row[column]);
                }
            }
            group
        });
        of_labels.chain(of_targets).collect()
    }
}

/// Consecutive batches joined to groups of at least [`GROUP`] rows; what is left at the end goes to the last.
fn grouped(batches: Vec<Group>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut open = Group::default();
    for batch in batches {
        open.join(batch);
        if open.rows >= GROUP {
            groups.push(std::mem::take(&mut open));
        }
    }
    if let Some(last) = groups.last_mut() {
        last.join(open);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::rows::tests::rows;

    fn of_targets(targets: Vec<f64>, batch: usize) -> Rows {
        Rows {
            target_columns: 1,
            target_batches: vec![batch; targets.len() / batch],
            targets,
            ..Rows::default()
        }
    }

    #[test]
    fn sorted_targets_vary_between_batches_and_shuffled_ones_within_them() {
        let sorted: Vec<f64> = (0..320).map(f64::from).collect();
        let shuffled: Vec<f64> = (0..320).map(|at| f64::from(at * 127 % 320)).collect();
        for batch in [32, 4, 1] {
            assert!(of_targets(sorted.clone(), batch).between_batches() > 0.95);
            assert!(of_targets(shuffled.clone(), batch).between_batches() < 0.05);
        }
        // One batch, and equal targets, tell nothing.
        assert_eq!(of_targets(sorted, 320).between_batches(), 0.0);
        assert_eq!(of_targets(vec![3.0; 320], 32).between_batches(), 0.0);
    }

    #[test]
    fn two_classes_in_each_batch_of_ten_are_sorted() {
        let labels = |class: fn(i64) -> i64| Rows {
            labels: (0..30)
                .map(|batch| (0..16).map(|row| class(batch * 16 + row)).collect())
                .collect(),
            ..Rows::default()
        };
        let sorted = labels(|row| 2 * (row / 96) + row % 2).between_batches();
        assert!((0.3..0.6).contains(&sorted), "{sorted}");
        assert!(labels(|row| row * 7 % 10).between_batches() < 0.05);
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
}
