//! How well outputs fit targets.

use super::data::{Rows, Task};
use super::loss::Loss;
use burn::tensor::{Device, Tensor};

/// A loss, and a score that is better if it is larger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    pub(super) loss: f64,
    /// The accuracy, or R².
    pub(super) score: f64,
}

impl Scored {
    /// Of outputs `[samples, numbers]` for all of `rows`.
    pub(super) fn of(outputs: Tensor<2>, rows: &Rows, task: Task, loss: Loss) -> Self {
        let (_, targets) = rows.all(&Device::flex());
        let loss = (loss.compute)(outputs.clone(), targets).into_scalar::<f64>();
        let [_, columns] = outputs.dims();
        let outputs: Vec<f32> = outputs.into_data().iter::<f32>().collect();
        let outputs = outputs.chunks(columns);
        let score = match task {
            Task::Classes(_) => accuracy(outputs, &rows.targets),
            Task::Numbers => r_squared(outputs, &rows.targets),
        };
        Self { loss, score }
    }
}

/// The share of rows whose largest output, or whose single output above ½, is the class. Rows that are not
/// numbers count as class 0, as a framework's argmax has it.
fn accuracy<'a>(outputs: impl Iterator<Item = &'a [f32]>, targets: &[Vec<f32>]) -> f64 {
    let class = |row: &[f32]| match row {
        [single] => usize::from(*single > 0.5),
        row => (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }),
    };
    let right = outputs
        .zip(targets)
        .filter(|(row, target)| class(row) as f32 == target[0]);
    right.count() as f64 / targets.len() as f64
}

/// One minus the squared error over the squared distance from the mean.
fn r_squared<'a>(outputs: impl Iterator<Item = &'a [f32]>, targets: &[Vec<f32>]) -> f64 {
    let errors = outputs.flatten().zip(targets.iter().flatten());
    let error = errors.map(|(output, target)| f64::from(output - target).powi(2));
    1.0 - error.sum::<f64>() / spread(targets.iter().flatten())
}

/// The sum of the squared distances from the mean.
pub(super) fn spread<'a>(values: impl Iterator<Item = &'a f32> + Clone) -> f64 {
    let values = values.map(|value| f64::from(*value));
    let mean = values.clone().sum::<f64>() / values.clone().count() as f64;
    values.map(|value| (value - mean).powi(2)).sum()
}

/// The same from the mean of the column that a number is in.
pub(super) fn spread_in_columns(rows: &[Vec<f32>]) -> f64 {
    let columns = rows.first().map_or(0, Vec::len);
    let of_column = |column: usize| spread(rows.iter().map(move |row| &row[column]));
    (0..columns).map(of_column).sum()
}

/// A share of explained variance over all numbers, as the share of the variance in the columns: the means of the columns, which
/// a network without inputs can give, explain nothing of it.
pub(super) fn in_columns(r_squared: f64, targets: &[Vec<f32>]) -> f64 {
    let larger = spread(targets.iter().flatten()) / spread_in_columns(targets);
    1.0 - (1.0 - r_squared) * larger
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_means_of_columns_explain_nothing_in_the_columns() {
        let targets = [[0.0, 100.0], [2.0, 104.0]].map(Vec::from);
        let score = |outputs: [[f32; 2]; 2]| {
            let pooled = r_squared(outputs.iter().map(|row| &row[..]), &targets);
            (pooled, in_columns(pooled, &targets))
        };
        let (pooled, in_columns) = score([[1.0, 102.0]; 2]);
        assert!(pooled > 0.99 && in_columns.abs() < 1e-9, "{in_columns}");
        assert_eq!(score([[0.0, 100.0], [2.0, 104.0]]), (1.0, 1.0));
        // The second column, of four times the variance of the first, without an error.
        let (_, in_columns) = score([[1.0, 100.0], [1.0, 104.0]]);
        assert!((in_columns - 0.8).abs() < 1e-9, "{in_columns}");
    }
}
