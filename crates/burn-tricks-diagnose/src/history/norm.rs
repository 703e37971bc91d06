//! What goes into a norm layer.

use serde::{Deserialize, Serialize};

/// The variance up to which a unit is constant: Burn's batch norm adds this number to it.
const FLAT: f64 = 1e-5;

/// The statistics of the batch that went into a norm layer in the last recorded step, against the running statistics
/// that the layer holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct NormHistory {
    /// The path of the layer.
    pub path: String,
    /// The recorded step.
    pub step: usize,
    /// The units over whose values the layer takes a mean each.
    pub units: usize,
    /// The numbers of each unit in a batch: the rows, times the positions of an image.
    pub values: usize,
    /// The units whose variance over the batch is below 1e-5, which the layer adds to it.
    pub flat_units: usize,
    /// How far the running mean is from the mean of the batch, in standard deviations of the batch: the median over the
    /// units. `None` if the layer has no running statistics.
    #[serde(with = "crate::float")]
    pub mean_distance: Option<f64>,
    /// The factor between the running variance and the variance of the batch, at least 1: the median over the units.
    #[serde(with = "crate::float")]
    pub variance_ratio: Option<f64>,
}

impl NormHistory {
    /// From the mean and the variance of each unit in a batch, and the running ones if there are some.
    pub(crate) fn of(
        path: &str,
        step: usize,
        values: usize,
        [mean, variance]: [&[f64]; 2],
        running: Option<[&[f64]; 2]>,
    ) -> Self {
        let usable = running.filter(|[of_mean, of_variance]| {
            of_mean.len() == mean.len() && of_variance.len() == mean.len()
        });
        let median_of = |of_unit: &dyn Fn([&[f64]; 2], usize) -> f64| {
            let varied = (0..mean.len()).filter(|at| variance[*at] > FLAT);
            let all = usable.map(|running| varied.map(|at| of_unit(running, at)).collect());
            all.and_then(|all: Vec<f64>| crate::history::measures::median(all))
        };
        let distance = |[running, _]: [&[f64]; 2], at: usize| {
            (running[at] - mean[at]).abs() / variance[at].sqrt()
        };
        let ratio = |[_, running]: [&[f64]; 2], at: usize| {
            let ratio = running[at] / variance[at];
            ratio.max(1.0 / ratio)
        };
        Self {
            path: path.to_owned(),
            step,
            units: mean.len(),
            values,
            flat_units: variance
                .iter()
                .filter(|variance| **variance <= FLAT)
                .count(),
            mean_distance: median_of(&distance),
            variance_ratio: median_of(&ratio),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_statistics_are_compared_in_deviations_of_the_batch() {
        let batch = [[1.0, 2.0, 0.0].as_slice(), &[4.0, 1.0, 0.0]];
        let norm = NormHistory::of(
            "norm",
            3,
            32,
            batch,
            Some([&[5.0, 2.0, 9.0], &[1.0, 1.0, 1.0]]),
        );
        assert_eq!((norm.units, norm.flat_units), (3, 1));
        // Of the units that vary: distances 2 and 0, ratios 4 and 1, and the upper median of each.
        assert_eq!(
            (norm.mean_distance, norm.variance_ratio),
            (Some(2.0), Some(4.0))
        );
        let layer = NormHistory::of("norm", 3, 32, batch, None);
        assert_eq!(layer.mean_distance, None);
    }
}
