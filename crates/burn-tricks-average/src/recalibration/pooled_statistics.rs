//! Means and variances of samples, and those of several samples pooled.

use burn::tensor::Tensor;
use burn_tricks_core::batch_statistics::BatchStatistics;

/// The mean and the variance of each channel of a sample.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statistics {
    /// The number n of values per channel, or of samples, or of batches.
    pub(crate) weight: f64,
    pub(crate) mean: Vec<f64>,
    /// Divided by n.
    pub(crate) variance: Vec<f64>,
}

impl Statistics {
    pub(crate) fn new(weight: f64, mean: Vec<f64>, variance: Vec<f64>) -> Self {
        Self {
            weight,
            mean,
            variance,
        }
    }

    /// Pools two samples of unequal size (Chan, Golub, LeVeque).
    pub(crate) fn pool(&mut self, other: &Self) {
        self.start(other);
        let total = self.weight + other.weight;
        for at in 0..self.mean.len() {
            let apart = other.mean[at] - self.mean[at];
            let within = self.weight * self.variance[at] + other.weight * other.variance[at];
            let between = apart * apart * self.weight * other.weight / total;
            self.variance[at] = (within + between) / total;
            self.mean[at] += apart * other.weight / total;
        }
        self.weight = total;
    }

    /// The mean of the statistics, each counted once.
    pub(crate) fn average(&mut self, other: &Self) {
        self.start(other);
        self.weight += 1.0;
        for at in 0..self.mean.len() {
            self.mean[at] += (other.mean[at] - self.mean[at]) / self.weight;
            self.variance[at] += (other.variance[at] - self.variance[at]) / self.weight;
        }
    }

    fn start(&mut self, other: &Self) {
        self.mean.resize(other.mean.len(), 0.0);
        self.variance.resize(other.mean.len(), 0.0);
    }

    /// The first statistic that is NaN or infinite.
    pub(crate) fn non_finite(&self) -> Option<f64> {
        let mut all = self.mean.iter().chain(&self.variance).copied();
        all.find(|value| !value.is_finite())
    }
}

impl From<BatchStatistics> for Statistics {
    fn from(report: BatchStatistics) -> Self {
        #[allow(clippy::disallowed_methods)] // off the step path
        let read = |tensor: Tensor<1>| tensor.into_data().iter().collect();
        Self::new(
            report.count as f64,
            read(report.mean),
            read(report.variance),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_pool_to_the_statistics_of_all_values() {
        let mut whole = Statistics::default();
        // 1, 3 | 9 | 11
        for (n, mean, variance) in [(2.0, 2.0, 1.0), (1.0, 9.0, 0.0), (1.0, 11.0, 0.0)] {
            whole.pool(&Statistics::new(n, vec![mean], vec![variance]));
        }
        assert_eq!((whole.weight, whole.mean[0]), (4.0, 6.0));
        assert!((whole.variance[0] - 17.0).abs() < 1e-12);
    }
}
