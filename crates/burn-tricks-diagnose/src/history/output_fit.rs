//! How well outputs fit targets that are numbers.

use crate::loss_kind::LossKind;
use serde::{Deserialize, Serialize};

/// How well the outputs of the network fit the targets of a regression: those of the last pass through the validation, or of the
/// last recorded steps of the training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct OutputFit {
    /// The rows.
    pub rows: usize,
    /// The outputs of a row.
    pub columns: usize,
    /// The share of the variance of the targets that the outputs explain, as they are, or, where the loss takes the sigmoid of
    /// them, by their sigmoids.
    #[serde(with = "crate::float")]
    pub explained: f64,
    /// The same after the best shift and factor for each column: the squared correlation.
    #[serde(with = "crate::float")]
    pub correlated: f64,
    /// The share that the exponentials of the outputs explain.
    #[serde(with = "crate::float")]
    pub exponential: f64,
    /// The squared correlation of the exponentials of the outputs with the targets.
    #[serde(with = "crate::float")]
    pub exponential_correlated: f64,
    /// The mean of the outputs.
    #[serde(with = "crate::float")]
    pub output_mean: f64,
    /// The mean of the targets.
    #[serde(with = "crate::float")]
    pub target_mean: f64,
    /// The mean deviation of a column of outputs.
    #[serde(with = "crate::float")]
    pub output_deviation: f64,
    /// The mean deviation of a column of targets.
    #[serde(with = "crate::float")]
    pub target_deviation: f64,
}

impl OutputFit {
    /// Of outputs and targets, row by row; `None` of fewer than two rows, of targets that do not vary, and of numbers that are not
    /// finite.
    pub(crate) fn of(
        columns: usize,
        outputs: &[f64],
        targets: &[f64],
        kind: Option<LossKind>,
    ) -> Option<Self> {
        let rows = targets.len() / columns.max(1);
        if rows < 2 || outputs.len() != targets.len() {
            return None;
        }
        let outputs: Vec<f64> = match kind {
            Some(LossKind::BinaryCrossEntropyOfScores) => outputs
                .iter()
                .map(|score| 1.0 / (1.0 + (-score).exp()))
                .collect(),
            _ => outputs.to_vec(),
        };
        let mut fit = Self {
            rows,
            columns,
            ..Self::default()
        };
        let (mut whole, mut error, mut of_powers) = (0.0, 0.0, 0.0);
        let (mut told, mut told_by_powers) = (0.0, 0.0);
        let count = rows as f64;
        for column in 0..columns {
            let of = |values: &'_ [f64]| -> Vec<f64> {
                values
                    .iter()
                    .skip(column)
                    .step_by(columns)
                    .copied()
                    .collect()
            };
            let (x, y) = (of(&outputs), of(targets));
            let powers: Vec<f64> = x.iter().map(|x| x.min(50.0).exp()).collect();
            let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
            let (of_x, of_y) = (mean(&x), mean(&y));
            let square = |values: &[f64], mean: f64| -> f64 {
                values.iter().map(|value| (value - mean).powi(2)).sum()
            };
            let xx = square(&x, of_x);
            let yy = square(&y, of_y);
            whole += yy;
            for ((x, power), y) in x.iter().zip(&powers).zip(&y) {
                error += (x - y).powi(2);
                of_powers += (power - y).powi(2);
            }
            // The share of the sum of squares that a line through these numbers tells. Those that fall where the targets rise
            // tell nothing.
            let told_by = |values: &[f64]| -> f64 {
                let of_values = mean(values);
                let squares = square(values, of_values);
                let pairs = values.iter().zip(&y);
                let product: f64 = pairs.map(|(x, y)| (x - of_values) * (y - of_y)).sum();
                if squares > 0.0 && product > 0.0 {
                    product * product / squares
                } else {
                    0.0
                }
            };
            told += told_by(&x);
            told_by_powers += told_by(&powers);
            let share = 1.0 / columns as f64;
            fit.output_mean += share * of_x;
            fit.target_mean += share * of_y;
            fit.output_deviation += share * (xx / count).sqrt();
            fit.target_deviation += share * (yy / count).sqrt();
        }
        fit.explained = 1.0 - error / whole;
        fit.exponential = 1.0 - of_powers / whole;
        fit.correlated = told / whole;
        fit.exponential_correlated = told_by_powers / whole;
        (fit.explained.is_finite() && fit.correlated.is_finite()).then_some(fit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_on_another_scale_correlate_and_explain_nothing() {
        let targets: Vec<f64> = (1..=50).map(f64::from).collect();
        let exact = OutputFit::of(1, &targets, &targets, None).unwrap();
        assert_eq!((exact.explained, exact.correlated), (1.0, 1.0));
        let logs: Vec<f64> = targets.iter().map(|target| target.ln()).collect();
        let fit = OutputFit::of(1, &logs, &targets, None).unwrap();
        assert!(fit.explained < -1.0 && fit.correlated > 0.7, "{fit:?}");
        assert!(fit.exponential > 0.999, "{fit:?}");
        // Twice as large as they should be.
        let logs: Vec<f64> = targets.iter().map(|target| (2.0 * target).ln()).collect();
        let fit = OutputFit::of(1, &logs, &targets, None).unwrap();
        assert!(fit.exponential < 0.0, "{fit:?}");
        assert!(fit.exponential_correlated > 0.999, "{fit:?}");
        let turned: Vec<f64> = targets.iter().map(|target| -target).collect();
        let fit = OutputFit::of(1, &turned, &targets, None).unwrap();
        assert_eq!(fit.correlated, 0.0);
        let kind = Some(LossKind::BinaryCrossEntropyOfScores);
        let fit = OutputFit::of(2, &[9.0, -9.0, -9.0, 9.0], &[1.0, 0.0, 0.0, 1.0], kind).unwrap();
        assert!(fit.explained > 0.99, "{fit:?}");
        assert_eq!(OutputFit::of(1, &[1.0], &[1.0], None), None);
        assert_eq!(OutputFit::of(1, &[f64::NAN, 1.0], &[1.0, 2.0], None), None);
        assert_eq!(OutputFit::of(1, &[0.0, 1.0], &[2.0, 2.0], None), None);
    }
}
