//! By what the sum of squared deviations of a batch is divided.

use serde::{Deserialize, Serialize};

/// By what the sum of squared deviations of a batch is divided, to be its variance in the running statistics
/// of a batch norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchVariance {
    /// By n, the number of values per channel, as in Burn and Keras: the variance of the batch.
    Biased,
    /// By n − 1, as in PyTorch: an estimate of the variance of the population. It needs a layer that knows
    /// its n. The batch norms of `burn-tricks-nn` do; Burn's does not, and recalibrating it is an error.
    Unbiased,
    /// As [`Unbiased`](Self::Unbiased), with the number of samples for n where a layer does not report n.
    /// Right for layers that see one value per sample and channel, after a linear layer. After a
    /// convolution n is larger, and this makes the variance too large. In a layer that knows its n it is
    /// `Unbiased`.
    UnbiasedPerSample,
}
