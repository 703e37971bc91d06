//! Targets that begin anew at the end of their range: angles, hours, and numbers that have overflowed their type.

use crate::history::moments::{moments, spread};
use crate::history::rows::Rows;

/// Fewer different rows tell nothing, and of more so many are compared with each other.
const ROWS: [usize; 2] = [100, 1000];

/// Of more features, or columns of targets, it takes long.
const FEATURES: usize = 64;
const COLUMNS: usize = 4;

/// Fewer different targets are classes.
const DIFFERENT: usize = 20;

/// The part of the range at either end, and the least share of targets within it; the least share in its middle half.
const END: f64 = 0.1;
const AT_END: f64 = 0.04;
const MIDDLE: f64 = 0.25;

/// The mean squared difference around the range between nearest rows, as a share of that of targets that are drawn from it at
/// random, a twelfth of its square, up to which the inputs tell the target.
const TOLD: f64 = 0.6;

impl Rows {
    /// The share of the mean squared difference between the targets of nearest rows that vanishes around the range, the
    /// largest of the columns.
    pub(crate) fn wrapped(&self) -> Option<f64> {
        let wanted = self.wanted()?;
        let places = self.different_places();
        let [fewest, most] = ROWS;
        let is_small = (1..=FEATURES).contains(&self.features) && wanted.columns <= COLUMNS;
        if wanted.is_labelled() || places.len() < fewest || !is_small {
            return None;
        }
        let places: Vec<usize> = spread(places.len(), most)
            .map(|at| places[at])
            .filter(|row| *row < wanted.rows)
            .collect();
        let columns: Vec<Vec<f64>> = (0..wanted.columns)
            .map(|column| {
                places
                    .iter()
                    .map(|row| wanted.value(*row, column))
                    .collect()
            })
            .filter(|values: &Vec<f64>| fills_its_range(values))
            .collect();
        if columns.is_empty() {
            return None;
        }
        let pairs = self.nearest(&places);
        let shares = columns.iter().filter_map(|values| share(values, &pairs));
        shares.reduce(f64::max)
    }

    /// The shares of targets that are the smallest and the largest one, of a single column of measured ones.
    pub(crate) fn piled(&self) -> [f64; 2] {
        let values = &self.targets;
        if self.target_columns != 1 || values.len() < ROWS[0] || different(values) < DIFFERENT {
            return [0.0; 2];
        }
        let (low, high) = range(values);
        [low, high].map(|end| {
            let count = values.iter().filter(|value| **value == end).count();
            count as f64 / values.len() as f64
        })
    }

    /// For each of these rows the nearest other one, by inputs of deviation 1, as places in the list.
    fn nearest(&self, places: &[usize]) -> Vec<usize> {
        let scales: Vec<f32> = (0..self.features)
            .map(|at| {
                let (_, deviation, ..) = moments(self.column(at).map(f64::from));
                if deviation > 0.0 {
                    (1.0 / deviation) as f32
                } else {
                    0.0
                }
            })
            .collect();
        let rows: Vec<Vec<f32>> = places
            .iter()
            .map(|row| {
                let row = &self.inputs[row * self.features..][..self.features];
                row.iter()
                    .zip(&scales)
                    .map(|(x, scale)| x * scale)
                    .collect()
            })
            .collect();
        let distance = |one: &[f32], other: &[f32]| -> f32 {
            let parts = one.iter().zip(other);
            parts.map(|(a, b)| (a - b) * (a - b)).sum()
        };
        (0..rows.len())
            .map(|own| {
                let others = (0..rows.len()).filter(|other| *other != own);
                let near = others.map(|other| (distance(&rows[own], &rows[other]), other));
                let near = near.min_by(|one, other| one.0.total_cmp(&other.0));
                near.map_or(own, |(_, other)| other)
            })
            .collect()
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

fn different(values: &[f64]) -> usize {
    let mut different: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
    different.sort_unstable();
    different.dedup();
    different.len()
}

/// Whether there are many different values, at both ends of their range and in its middle.
fn fills_its_range(values: &[f64]) -> bool {
    let (low, high) = range(values);
    let share = |from: f64, to: f64| {
        let place = |value: &&f64| (from..=to).contains(&((**value - low) / (high - low)));
        values.iter().filter(place).count() as f64 / values.len() as f64
    };
    values.iter().all(|value| value.is_finite())
        && different(values) >= DIFFERENT
        && share(0.0, END) >= AT_END
        && share(1.0 - END, 1.0) >= AT_END
        && share(0.25, 0.75) >= MIDDLE
}

fn share(values: &[f64], pairs: &[usize]) -> Option<f64> {
    let (low, high) = range(values);
    let (mut straight, mut around) = (0.0, 0.0);
    for (own, other) in pairs.iter().enumerate() {
        let difference = (values[own] - values[*other]).abs() / (high - low);
        straight += difference.powi(2);
        around += difference.min(1.0 - difference).powi(2);
    }
    let is_told = around / pairs.len() as f64 * 12.0 < TOLD;
    (is_told && straight > 0.0).then(|| 1.0 - around / straight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{PI, TAU};

    #[test]
    fn targets_pile_up_where_they_are_cut_off() {
        let of = |most: f64| {
            let rows = Rows {
                target_columns: 1,
                targets: (0..400)
                    .map(|at| f64::from(at * 127 % 400).min(most))
                    .collect(),
                ..Rows::default()
            };
            rows.piled()
        };
        assert_eq!(of(299.0), [1.0 / 400.0, 101.0 / 400.0]);
        assert_eq!(of(400.0), [1.0 / 400.0; 2]);
        assert_eq!(of(15.0), [0.0; 2], "classes");
    }

    /// 400 angles in no order, what two gauges show of each and of a little more or less, and these targets of them.
    fn of(target: impl Fn(f64) -> f64) -> Option<f64> {
        let angles: Vec<f64> = (0..400)
            .map(|at| f64::from(at * 127 % 400) / 400.0 * TAU - PI)
            .collect();
        let rows = Rows {
            features: 2,
            inputs: (angles.iter().enumerate())
                .flat_map(|(at, angle)| {
                    let shown = angle + 0.3 * (at * 37 % 101) as f64 / 101.0;
                    [shown.sin() as f32, shown.cos() as f32]
                })
                .collect(),
            target_columns: 1,
            target_batches: vec![400],
            targets: angles.iter().map(|angle| target(*angle)).collect(),
            ..Rows::default()
        };
        rows.wrapped()
    }

    #[test]
    fn an_angle_begins_anew_at_the_end_of_its_range() {
        assert!(of(|angle| angle).unwrap() > 0.9);
        let overflowed = of(|angle| (angle * 40.0).rem_euclid(80.0));
        assert!(overflowed.unwrap() > 0.6, "{overflowed:?}");
        assert!(of(|angle| angle.sin()).unwrap() < 0.1);
        assert_eq!(of(|angle| angle.sin().signum()), None, "two classes");
        let random = of(|angle| ((1e3 * angle).sin() * 43_758.545_3).rem_euclid(1.0));
        assert_eq!(random, None, "nothing is told");
    }
}
