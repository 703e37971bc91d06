//! What a sum of Gaussian bumps says: a model that follows smooth curves, and is fitted in one step.

use crate::history::least_squares::solve;
use crate::history::measures::median;
use crate::history::reference::ReferenceFit;
use crate::history::table::Table;

/// The most bumps.
const BUMPS: usize = 160;

/// The rows that each weight needs.
const PER_WEIGHT: usize = 2;

/// The widths of the bumps, as shares of the median distance of two rows.
const WIDTHS: [f64; 2] = [0.4, 1.0];

/// The penalty on the squares of the weights, as a share of the rows.
const RIDGE: f64 = 1e-4;

/// The most multiplications.
const WORK: usize = 200_000_000;

/// A linear least-squares fit of Gaussian bumps around some of the training rows, and of the inputs, after Broomhead and Lowe
/// (1988), for the better one of two widths; `None` if it would take too long.
pub(crate) fn fit(table: &Table) -> Option<ReferenceFit> {
    let (rows, features, columns) = (table.rows, table.features, table.columns);
    let bumps = (rows / (2 * PER_WEIGHT)).min(BUMPS);
    // With more features the inputs are left out.
    let linear = if PER_WEIGHT * (bumps + features) <= rows {
        features
    } else {
        0
    };
    let size = bumps + linear + 1;
    let fits = rows.saturating_mul(size * size / 2 + size * columns);
    let predicts = table.queries.saturating_mul(size * columns);
    let bumped = (rows + table.queries).saturating_mul(bumps * features);
    let work = WIDTHS.len() * fits.saturating_add(predicts);
    if work.saturating_add(bumped) > WORK || bumps == 0 {
        return None;
    }
    let step = rows / bumps;
    let centres: Vec<&[f32]> = (0..bumps).map(|at| table.row(at * step)).collect();
    let pairs = centres.iter().zip(centres.iter().skip(1).step_by(2));
    let usual = median(pairs.map(|(one, other)| f64::from(distance(one, other))))?;
    let squared = |row: &[f32]| -> Vec<f64> {
        let centres = centres.iter();
        centres
            .map(|centre| f64::from(distance(row, centre)))
            .collect()
    };
    let [of_rows, of_queries] = [
        (0..rows)
            .map(|at| squared(table.row(at)))
            .collect::<Vec<_>>(),
        (0..table.queries)
            .map(|at| squared(table.query(at)))
            .collect(),
    ];
    let of_width = |width: f64| {
        let scale = -0.5 / (width * width * usual);
        let inputs = |row: &[f32], distances: &[f64]| -> Vec<f64> {
            let bumps = distances.iter().map(|squared| (scale * squared).exp());
            let inputs = row[..linear].iter().copied().map(f64::from);
            bumps.chain(inputs).chain([1.0]).collect()
        };
        let weights = solve(
            [rows, size, columns],
            RIDGE * rows as f64,
            |row| inputs(table.row(row), &of_rows[row]),
            |row, column| f64::from(table.targets[row * columns + column]),
        )?;
        let predicted = (0..table.queries).flat_map(|at| {
            let inputs = inputs(table.query(at), &of_queries[at]);
            let sum = |weights: &[f64]| -> f64 {
                let parts = weights.iter().zip(&inputs);
                parts.map(|(weight, input)| weight * input).sum()
            };
            weights.chunks_exact(size).map(sum).collect::<Vec<_>>()
        });
        ReferenceFit::of(table, &predicted.collect::<Vec<_>>())
    };
    let better = |one: ReferenceFit, other: ReferenceFit| {
        if other.score > one.score { other } else { one }
    };
    WIDTHS.into_iter().filter_map(of_width).reduce(better)
}

/// The squared distance.
fn distance(one: &[f32], other: &[f32]) -> f32 {
    let parts = one.iter().zip(other);
    parts.map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::rows::Rows;

    #[test]
    fn what_is_predicted_counts_as_work() {
        let fits = |columns: usize| {
            let rows = Rows {
                features: 3,
                inputs: (0..1200).map(|at| (at as f32 * 0.7).sin()).collect(),
                target_columns: columns,
                targets: (0..400 * columns).map(|at| (at as f64).cos()).collect(),
                ..Rows::default()
            };
            fit(&Table::of(&rows, &rows).unwrap()).is_some()
        };
        assert!(fits(2));
        // 400 rows and 104 inputs of 1,300 columns, fitted and predicted for two widths.
        assert!(!fits(1300));
    }
}
