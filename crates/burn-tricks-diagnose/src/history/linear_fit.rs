//! What a linear model of the inputs says: a model that is fitted in one step.

use crate::history::least_squares::solve;
use crate::history::rows::Rows;
use serde::{Deserialize, Serialize};

/// Fewer rows on either side tell nothing.
const ENOUGH: usize = 40;

/// The training rows that each feature needs.
const PER_FEATURE: usize = 2;

/// The most multiplications.
const WORK: usize = 100_000_000;

/// The penalty on the squares of the weights, as a share of the rows: it keeps features that repeat each other apart.
const RIDGE: f64 = 1e-3;

/// What a linear least-squares fit of the training rows says about the validation rows. Each feature is divided by its
/// standard deviation in the training rows, and classes are columns that are 1 for their rows.
///
/// It is a floor for what the inputs tell about the targets: a network that is worse has not learned what a linear model
/// learns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LinearFit {
    /// The training rows.
    pub rows: usize,
    /// The validation rows that were predicted.
    pub queries: usize,
    /// The accuracy on the validation rows; for a regression, the share of the variance that is explained.
    #[serde(with = "crate::float")]
    pub score: f64,
    /// Whether the score is an accuracy.
    pub is_accuracy: bool,
}

impl LinearFit {
    /// Fits `train` and predicts `valid`; `None` if there are too few rows, or they do not fit together.
    pub(crate) fn of(train: &Rows, valid: &Rows) -> Option<Self> {
        let features = train.features;
        let (known, asked) = (train.wanted()?, valid.wanted()?);
        let is_alike = known.columns == asked.columns && known.is_labelled() == asked.is_labelled();
        if features == 0 || valid.features != features || !is_alike {
            return None;
        }
        let rows = known.rows.min(train.inputs.len() / features);
        let queries = asked.rows.min(valid.inputs.len() / features);
        let work = rows
            .saturating_mul(features + 1)
            .saturating_mul(features + 1);
        let is_many = rows >= ENOUGH.max(PER_FEATURE * features) && queries >= ENOUGH;
        if !is_many || work > WORK {
            return None;
        }
        let classes = known.classes(rows);
        let columns = if classes.is_empty() {
            known.columns
        } else {
            classes.len()
        };
        if columns * rows * (features + 1) > WORK {
            return None;
        }
        let target = |row: usize, column: usize| {
            if classes.is_empty() {
                known.value(row, column)
            } else {
                f64::from(u8::from(known.label(row) == Some(classes[column])))
            }
        };
        let scaled = Scaled::of(train, rows);
        let inputs_of = |row: usize| scaled.row(train, row).collect();
        // The last input of a row is 1.
        let weights = solve(
            [rows, features + 1, columns],
            RIDGE * rows as f64,
            inputs_of,
            target,
        )?;
        let predicted = |row: usize, column: usize| {
            let inputs = scaled.row(valid, row);
            let of_column = &weights[column * (features + 1)..][..features + 1];
            inputs
                .zip(of_column)
                .map(|(input, weight)| input * weight)
                .sum::<f64>()
        };
        let score = if classes.is_empty() {
            asked.explained(queries, predicted)
        } else {
            let best = |row: usize| {
                let all = (0..columns).map(|column| (predicted(row, column), classes[column]));
                all.max_by(|a, b| a.0.total_cmp(&b.0))
                    .map(|(_, class)| class)
            };
            let right = (0..queries).filter(|row| best(*row) == asked.label(*row));
            right.count() as f64 / queries as f64
        };
        score.is_finite().then_some(Self {
            rows,
            queries,
            score,
            is_accuracy: !classes.is_empty(),
        })
    }
}

/// Inputs with mean 0 and deviation 1 in the training rows, and a 1 behind them.
struct Scaled<'a> {
    train: &'a Rows,
    moments: Vec<(f64, f64)>,
}

impl<'a> Scaled<'a> {
    fn of(train: &'a Rows, rows: usize) -> Self {
        let features = train.features;
        let moments = |at: usize| {
            let column = || (0..rows).map(move |row| f64::from(train.inputs[row * features + at]));
            let mean = column().sum::<f64>() / rows as f64;
            let variance = column().map(|value| (value - mean).powi(2)).sum::<f64>() / rows as f64;
            (mean, variance.sqrt())
        };
        let moments = (0..features).map(moments).collect();
        Self { train, moments }
    }

    fn row(&self, of: &Rows, at: usize) -> impl Iterator<Item = f64> {
        let features = self.train.features;
        let row = of.inputs[at * features..][..features].iter();
        let scale = |(value, (mean, deviation)): (&f32, &(f64, f64))| {
            if *deviation == 0.0 {
                0.0
            } else {
                (f64::from(*value) - mean) / deviation
            }
        };
        row.zip(&self.moments).map(scale).chain([1.0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of the plane on a line, of a wave of the first number.
    fn plane(count: usize, slopes: [f32; 2]) -> Rows {
        let at = |row: usize| {
            [
                (row * 37 % 101) as f32 - 50.0,
                1e-6 * ((row * 61 % 103) as f32),
            ]
        };
        let inputs: Vec<f32> = (0..count).flat_map(at).collect();
        let target = |row: &[f32]| f64::from(slopes[0] * row[0] + slopes[1] * row[1]) + 7.0;
        Rows {
            features: 2,
            targets: inputs.chunks(2).map(target).collect(),
            target_columns: 1,
            inputs,
            ..Rows::default()
        }
    }

    #[test]
    fn a_line_is_found_whatever_the_scale_of_a_feature() {
        let found = LinearFit::of(&plane(300, [1.0, 1e6]), &plane(77, [1.0, 1e6])).unwrap();
        assert!(found.score > 0.999 && !found.is_accuracy, "{found:?}");
        // Another line than that of the training rows is predicted badly.
        let other = LinearFit::of(&plane(300, [1.0, 0.0]), &plane(77, [-1.0, 0.0])).unwrap();
        assert!(other.score < -1.0, "{other:?}");
        assert_eq!(
            LinearFit::of(&plane(39, [1.0, 0.0]), &plane(77, [1.0, 0.0])),
            None
        );
        assert_eq!(
            LinearFit::of(&plane(300, [1.0, 0.0]), &Rows::default()),
            None
        );
    }

    #[test]
    fn classes_on_two_sides_of_a_line_are_told_apart() {
        let sides = |count: usize| {
            let rows = plane(count, [1.0, 1e6]);
            let labels = rows
                .targets
                .iter()
                .map(|target| 3 + 2 * i64::from(*target > 50.0));
            Rows {
                labels: vec![labels.collect()],
                targets: Vec::new(),
                target_columns: 0,
                ..rows
            }
        };
        let found = LinearFit::of(&sides(300), &sides(77)).unwrap();
        assert!(found.score > 0.9 && found.is_accuracy, "{found:?}");
    }

    #[test]
    fn inputs_that_are_not_finite_have_no_fit() {
        let mut train = plane(300, [1.0, 0.0]);
        train.inputs[5] = f32::NAN;
        assert_eq!(LinearFit::of(&train, &plane(77, [1.0, 0.0])), None);
    }
}
