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

/// One minus the squared error over the squared distance of the targets from the mean of their column, both over all columns.
/// So the means of the columns, which a network without inputs can give, explain nothing.
fn r_squared<'a>(outputs: impl Iterator<Item = &'a [f32]>, targets: &[Vec<f32>]) -> f64 {
    let errors = outputs.flatten().zip(targets.iter().flatten());
    let error = errors.map(|(output, target)| f64::from(output - target).powi(2));
    1.0 - error.sum::<f64>() / spread(targets)
}

/// The sum of the squared distances of these numbers from the mean of their column.
pub(super) fn spread(targets: &[Vec<f32>]) -> f64 {
    let columns = targets.first().map_or(0, Vec::len);
    let of_column = |column: usize| {
        let values = targets.iter().map(|row| f64::from(row[column]));
        let mean = values.clone().sum::<f64>() / targets.len() as f64;
        values.map(|value| (value - mean).powi(2)).sum::<f64>()
    };
    (0..columns).map(of_column).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_means_of_the_columns_explain_nothing() {
        let targets = [[0.0, 100.0], [2.0, 104.0]].map(Vec::from);
        let score =
            |outputs: [[f32; 2]; 2]| r_squared(outputs.iter().map(|row| &row[..]), &targets);
        assert_eq!(score([[1.0, 102.0]; 2]), 0.0);
        assert_eq!(score([[0.0, 100.0], [2.0, 104.0]]), 1.0);
        // The second column, of a variance of 4 beside 1, without an error.
        assert_eq!(score([[1.0, 100.0], [1.0, 104.0]]), 0.8);
    }
}
