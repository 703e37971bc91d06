//! Targets that are later values of an input.

use crate::history::rows::Rows;
use std::collections::HashSet;

/// The smallest and the largest values of two lists of which one of each may be the same: one list begins and ends later.
const ENDS: usize = 3;

/// The distance of two numbers up to which they are the same, as a share of their range: a number on another scale is rounded.
const SAME: f64 = 1e-5;

impl Rows {
    /// Whether the target of a row is this feature of another row, on a scale of its own or not: of a series its next value, which
    /// is near the present one.
    pub(crate) fn comes_later(&self, at: usize) -> bool {
        let values: Vec<f64> = self.column(at).map(f64::from).collect();
        let different: HashSet<u64> = values.iter().map(|value| value.to_bits()).collect();
        let is_measured = 2 * different.len() > self.distinct_rows();
        let [sorted, wanted] = [&values, &self.targets].map(|values| {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            sorted
        });
        let ([low, .., high], [_, .., _]) = (&sorted[..], &wanted[..]) else {
            return false;
        };
        let room = SAME * (high - low);
        let is_later = |factor: f64, offset: f64| {
            let later = values.iter().zip(&self.targets).filter(|(value, target)| {
                let as_value = (**target - offset) / factor;
                let next = sorted.partition_point(|value| *value < as_value - room);
                let is_there = sorted
                    .get(next)
                    .is_some_and(|value| *value <= as_value + room);
                is_there && (as_value - **value).abs() > room
            });
            2 * later.count() > values.len()
        };
        is_measured
            && (is_later(1.0, 0.0)
                || scales(&sorted, &wanted).any(|[factor, offset]| is_later(factor, offset)))
    }
}

/// The factors and offsets that bring one of the smallest and one of the largest of these values to those of the others.
fn scales<'a>(values: &'a [f64], wanted: &'a [f64]) -> impl Iterator<Item = [f64; 2]> + 'a {
    let ends = |of: &'a [f64]| {
        let count = ENDS.min(of.len() / 2);
        let pair = move |at: usize| [of[at / count], of[of.len() - 1 - at % count]];
        (0..count * count).map(pair)
    };
    ends(values).flat_map(move |[low, high]| {
        ends(wanted).filter_map(move |[from, to]| {
            let factor = (to - from) / (high - low);
            let is_scale = factor.is_finite() && factor > 0.0;
            is_scale.then_some([factor, from - factor * low])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_value_of_a_series_is_no_target_among_the_inputs() {
        // A slow wave with a little noise, and the hour.
        let series: Vec<f32> = (0..301)
            .map(|at| (at as f32 / 30.0).sin() + 0.05 * ((at * 37) % 101) as f32 / 101.0)
            .collect();
        let of = |noise: f64, [factor, offset]: [f64; 2]| {
            let target = |at: usize| f64::from(series[at + 1]) + noise * (at % 7 + 1) as f64;
            let rows = Rows {
                features: 2,
                inputs: (0..300)
                    .flat_map(|at| [series[at], (at % 24) as f32])
                    .collect(),
                target_columns: 1,
                targets: (0..300)
                    .map(|at| f64::from((factor * target(at) + offset) as f32))
                    .collect(),
                ..Rows::default()
            };
            rows.leaking()
        };
        assert_eq!(of(0.0, [1.0, 0.0]), [0; 0]);
        assert_eq!(of(0.0, [1.37, -0.2]), [0; 0], "on a scale of its own");
        for scale in [[1.0, 0.0], [1.37, -0.2]] {
            assert_eq!(of(1e-4, scale), [0], "values of no other row");
        }
    }
}
