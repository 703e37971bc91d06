//! How many different rows there can be.

use crate::history::rows::Rows;
use std::collections::HashMap;

impl Rows {
    /// Of each feature that is looked at, how many values it has as far as those of these rows tell: the number of pairs of
    /// rows over that of the pairs with one value, of which at least one is counted. So many values that are as likely as each
    /// other have as many pairs.
    pub(crate) fn values(&self, rows: &[usize]) -> Vec<f64> {
        let pairs = |count: usize| (count * count.saturating_sub(1)) as f64 / 2.0;
        let of_feature = |at: usize| {
            let mut counts: HashMap<u32, usize> = HashMap::new();
            for row in rows {
                let value = self.inputs[row * self.features + at];
                *counts.entry(value.to_bits()).or_default() += 1;
            }
            let equal: f64 = counts.values().map(|count| pairs(*count)).sum();
            (pairs(rows.len()) / equal.max(1.0)).max(1.0)
        };
        self.examined().into_iter().map(of_feature).collect()
    }

    /// How many different rows there can be, as far as the values of single features of the first `count` rows tell.
    pub(crate) fn likely(&self, count: usize) -> f64 {
        let rows: Vec<usize> = (0..count.min(self.rows().count())).collect();
        self.values(&rows).iter().product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::rows::tests::rows;

    #[test]
    fn measured_features_can_have_more_values_than_rows() {
        let one = |value: &dyn Fn(usize) -> f32| {
            let rows = Rows {
                features: 1,
                inputs: (0..200).map(value).collect(),
                ..Rows::default()
            };
            (rows.history(None).possible_rows, rows.likely(200))
        };
        // 200 rows have 19,900 pairs.
        assert_eq!(one(&|at| (at as f32).sqrt()), (19_900.0, 19_900.0));
        let two = rows(200, 2);
        assert!(two.history(None).possible_rows > 1e8);
        // Of four values each different row counts once, or in the epoch as often as it is there: 4 times 50 · 49 / 2 pairs.
        assert_eq!(one(&|at| (at % 4) as f32), (6.0, 19_900.0 / 4900.0));
        let grid = Rows {
            features: 2,
            inputs: (0..200)
                .flat_map(|at| [(at % 4) as f32, (at / 4 % 5) as f32])
                .collect(),
            ..Rows::default()
        };
        let grid = grid.history(None);
        assert!((10.0..40.0).contains(&grid.possible_rows), "{grid:?}");
        assert_eq!(grid.measured_features, 0);
        assert_eq!(two.history(None).measured_features, 2);
    }
}
