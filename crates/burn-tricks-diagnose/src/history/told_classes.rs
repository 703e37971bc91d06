//! How well each class is told from all others together, whatever its share of the rows is.

use crate::history::table::Table;
use std::collections::BTreeMap;

/// Of more classes none is looked at.
const MOST: usize = 64;

/// The nearest rows whose distances are averaged.
const K: usize = 2;

/// The most subtractions.
const WORK: usize = 100_000_000;

/// For each class, by the distance of a validation row to the nearest training rows of the class over that to the nearest others:
/// the most rows of the class that lie below a threshold, without those of others that do, over the rows of the class.
/// A model whose accuracy counts would find so many of them; of a class that overlaps with a more frequent one it is
/// about 0.
pub(crate) fn of(table: &Table) -> BTreeMap<i64, f64> {
    let classes = table.classes();
    let work = table
        .rows
        .saturating_mul(table.queries)
        .saturating_mul(table.features);
    if classes.len() < 2 || classes.len() > MOST || work > WORK {
        return BTreeMap::new();
    }
    // For each validation row its distances to each class.
    let near: Vec<Vec<f64>> = (0..table.queries)
        .map(|at| distances(table, at, classes.len()))
        .collect();
    let told = |class: usize| {
        let ratio = |near: &Vec<f64>| {
            let others = near.iter().enumerate().filter(|(other, _)| *other != class);
            let other = others
                .map(|(_, distance)| *distance)
                .fold(f64::INFINITY, f64::min);
            near[class] / other.max(f64::MIN_POSITIVE)
        };
        let mut rows: Vec<(f64, bool)> = (near.iter().enumerate())
            .map(|(at, near)| (ratio(near), table.asked_class(at) == Some(classes[class])))
            .collect();
        rows.sort_by(|one, other| one.0.total_cmp(&other.0));
        let all = rows.iter().filter(|(_, is_own)| *is_own).count();
        let (mut net, mut most) = (0i64, 0i64);
        for (_, is_own) in rows {
            net += if is_own { 1 } else { -1 };
            most = most.max(net);
        }
        (all > 0).then(|| (classes[class], most as f64 / all as f64))
    };
    (0..classes.len()).filter_map(told).collect()
}

/// The mean squared distance of a validation row to the nearest training rows of each class.
fn distances(table: &Table, query: usize, classes: usize) -> Vec<f64> {
    let mut nearest = vec![[f32::INFINITY; K]; classes];
    let query = table.query(query);
    for (at, class) in table.labels.iter().enumerate() {
        let parts = table.row(at).iter().zip(query);
        let distance: f32 = parts.map(|(a, b)| (a - b) * (a - b)).sum();
        let best = &mut nearest[*class];
        if distance < best[K - 1] {
            best[K - 1] = distance;
            best.sort_by(f32::total_cmp);
        }
    }
    let mean = |best: &[f32; K]| {
        let known: Vec<f64> = best
            .iter()
            .filter(|d| d.is_finite())
            .map(|d| f64::from(*d))
            .collect();
        known.iter().sum::<f64>() / known.len().max(1) as f64
    };
    nearest.iter().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::rows::Rows;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    /// Rows of two uniform numbers, of which every tenth is of class 1 and lies `far` to the right.
    fn rows(seed: u64, far: f32) -> Rows {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut rows = Rows {
            features: 2,
            labels: vec![Vec::new()],
            ..Rows::default()
        };
        for at in 0..400 {
            let is_rare = at % 10 == 0;
            let shift = if is_rare { far } else { 0.0 };
            let across = shift + dice.random_range(-1.0..1.0f32);
            rows.inputs.extend([across, dice.random_range(-1.0..1.0)]);
            rows.labels[0].push(i64::from(is_rare));
        }
        rows
    }

    #[test]
    fn a_rare_class_is_told_as_far_as_it_lies_apart() {
        let told = |far: f32| {
            let table = Table::of(&rows(1, far), &rows(2, far)).unwrap();
            let told = of(&table);
            assert_eq!(told.len(), 2);
            told[&1]
        };
        assert!(told(3.0) > 0.95, "{}", told(3.0));
        assert!(told(0.2) < 0.1, "{}", told(0.2));
        assert!((0.3..0.9).contains(&told(1.4)), "{}", told(1.4));
    }
}
