//! Targets that are the sum of a few features.

use crate::history::least_squares::solve;
use crate::history::moments::moments;
use crate::history::rows::Rows;

/// Of fewer different rows a fit is good by chance.
const ENOUGH: usize = 100;

/// The rows that each feature needs.
const PER_FEATURE: usize = 4;

/// Of more features a fit takes long.
const MOST: usize = 64;

/// The share of the variance of the target that a linear fit explains where the target is a sum.
pub(crate) const EXACT: f64 = 0.9999;

/// The share that a fit explains without one of the parts.
const MISSING: f64 = 0.98;

/// The share that the other features explain together, from which the target is one of nature, and not drawn from its parts.
const TOLD: f64 = 0.1;

/// The weight of a part, where inputs and target have deviation 1.
const WEIGHT: f64 = 0.01;

/// The parts, and the share of the features that are some at most.
const PARTS: [usize; 2] = [2, 3];
const SHARE: usize = 3;

/// The penalty on the squares of the weights, as a share of the rows.
const RIDGE: f64 = 1e-7;

impl Rows {
    /// The two or three features of which the target is a sum with factors, at most a third of all, where a fit without one of
    /// them is far from exact, and the others tell some of the target without them. A target that was drawn as such a sum is
    /// independent of the others, and in a series without noise other features give the target as well. And the share of the
    /// variance of the target that the sum explains.
    pub(crate) fn parts(&self) -> Option<(Vec<usize>, f64)> {
        let places = self.different_places();
        let is_regression = self.labels.is_empty() && self.target_columns == 1;
        let has_rows = places.len() >= ENOUGH.max(PER_FEATURE * self.features);
        let [fewest, most] = PARTS;
        let is_wide = (SHARE * fewest..=MOST).contains(&self.features);
        let has_targets = self.targets.len() >= self.rows().count();
        if !(is_regression && has_rows && is_wide && has_targets) || self.is_unpaired {
            return None;
        }
        let numbers = |of: &dyn Fn(usize) -> f64| -> Option<Vec<f64>> {
            let values = || places.iter().map(|row| of(*row));
            let (mean, deviation, .., non_finite) = moments(values());
            let is_usable = deviation > 0.0 && non_finite == 0.0;
            is_usable.then(|| values().map(|value| (value - mean) / deviation).collect())
        };
        let target = numbers(&|row| self.targets[row])?;
        let columns: Vec<(usize, Vec<f64>)> = (0..self.features)
            .filter_map(|at| {
                let column = numbers(&|row| f64::from(self.inputs[row * self.features + at]))?;
                Some((at, column))
            })
            .collect();
        let fit = |without: &[usize]| -> Option<(f64, Vec<(usize, f64)>)> {
            let kept: Vec<&(usize, Vec<f64>)> = (columns.iter())
                .filter(|(at, _)| !without.contains(at))
                .collect();
            let inputs = |row: usize| -> Vec<f64> {
                let values = kept.iter().map(|(_, column)| column[row]);
                values.chain([1.0]).collect()
            };
            let rows = target.len();
            let weights = solve(
                [rows, kept.len() + 1, 1],
                RIDGE * rows as f64,
                inputs,
                |row, _| target[row],
            )?;
            let error = |row: usize| {
                let parts = inputs(row).into_iter().zip(&weights);
                let sum: f64 = parts.map(|(input, weight)| input * weight).sum();
                (target[row] - sum).powi(2)
            };
            // Of rows that are as many as features, all is explained.
            let free = rows.checked_sub(kept.len() + 1).filter(|free| *free > 0)?;
            let left = (0..rows).map(error).sum::<f64>() / free as f64;
            let weights = kept.iter().map(|(at, _)| *at).zip(weights);
            Some((1.0 - left, weights.collect()))
        };
        let (whole, weights) = fit(&[])?;
        let parts: Vec<usize> = (weights.iter())
            .filter(|(_, weight)| weight.abs() > WEIGHT)
            .map(|(at, _)| *at)
            .collect();
        let are_few =
            (fewest..=most).contains(&parts.len()) && SHARE * parts.len() <= self.features;
        if whole <= EXACT || !are_few {
            return None;
        }
        let is_needed = |part: &usize| fit(&[*part]).is_some_and(|(share, _)| share < MISSING);
        let (others, _) = fit(&parts)?;
        let is_told = (TOLD..MISSING).contains(&others);
        (is_told && parts.iter().all(is_needed)).then_some((parts, whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    /// 300 rows of seven numbers, and the target that comes behind them.
    fn rows(mut row: impl FnMut(&mut ChaCha8Rng) -> [f32; 8]) -> Rows {
        let mut dice = ChaCha8Rng::seed_from_u64(2);
        let mut rows = Rows {
            features: 7,
            target_columns: 1,
            ..Rows::default()
        };
        for _ in 0..300 {
            let row = row(&mut dice);
            rows.inputs.extend(&row[..7]);
            rows.targets.push(f64::from(row[7]));
        }
        rows
    }

    /// A cause, two parts that follow it with noise, and their sum.
    fn counted(dice: &mut ChaCha8Rng, noise: f32) -> [f32; 8] {
        let mut row = [(); 8].map(|()| dice.random_range(-1.0..1.0f32));
        row[5] += row[0];
        row[6] -= 2.0 * row[1];
        row[7] = 3.0 * row[5] + row[6] + noise * row[7];
        row
    }

    #[test]
    fn a_target_that_is_the_sum_of_two_features_is_read_off_them() {
        let (parts, share) = rows(|dice| counted(dice, 0.0)).parts().unwrap();
        assert_eq!(parts, [5, 6]);
        assert!(share > EXACT, "{share}");
        let history = rows(|dice| counted(dice, 0.0)).history(None);
        assert_eq!(history.leaking_features, [5, 6]);
        assert_eq!(history.leaking_sum, Some(share));
        assert_eq!(rows(|dice| counted(dice, 0.1)).parts(), None, "noise");
    }

    #[test]
    fn a_drawn_target_and_a_series_without_noise_are_no_leak() {
        let drawn = |dice: &mut ChaCha8Rng| {
            let mut row = [(); 8].map(|()| dice.random_range(-1.0..1.0f32));
            row[7] = 3.0 * row[5] + row[6];
            row
        };
        assert_eq!(rows(drawn).parts(), None);
        let wave = |dice: &mut ChaCha8Rng| {
            let phase = dice.random_range(0.0..6.0f32);
            std::array::from_fn(|at| (phase + 0.4 * at as f32).sin())
        };
        assert_eq!(rows(wave).parts(), None);
        let all = |dice: &mut ChaCha8Rng| {
            let mut row = counted(dice, 0.0);
            row[7] += row[2] + row[3];
            row
        };
        assert_eq!(rows(all).parts(), None, "most features");
        // Of labels nothing is a sum.
        let mut labelled = rows(|dice| counted(dice, 0.0));
        labelled.labels = vec![vec![0; 300]];
        assert_eq!(labelled.parts(), None);
    }
}
