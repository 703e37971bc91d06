//! The divisor of the variance of a batch.

use serde::{Deserialize, Serialize};

/// The number by which the sum of squared deviations of a batch is divided to give the variance in the running
/// statistics of a batch norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchVariance {
    /// By n, the number of values per channel, as in Burn and Keras: the variance of the batch.
    Biased,
    /// By n − 1, as in PyTorch: an estimate of the variance of the population. It needs a layer that reports
    /// its n. The batch norms of `burn-tricks-nn` do; Burn's does not, so recalibrating it with this variance
    /// is an error.
    Unbiased,
    /// Like [`Unbiased`](Self::Unbiased), with the number of samples as n for a layer that does not report n.
    /// This is right for layers with one value per sample and channel, as after a linear layer. After a
    /// convolution n is larger, so the variance becomes too large. For a layer that reports n it is the same as
    /// `Unbiased`.
    UnbiasedPerSample,
}
