//! Latest weight averaging.

use crate::average::Average;
use crate::average_record::AverageKind;
use crate::average_rule::{AverageRule, Sampling, Update};
use burn::module::Module;
use burn_tricks_core::{Buffers, Config, ConfigError};

/// Configuration of [`Lawa`], latest weight averaging: the mean of the last k sampled weights.
///
/// ```text
/// w̄ = 1/k Σ w     over the last k samples
/// ```
///
/// [`Swa`](crate::SwaConfig) averages the weights along the end of the run. LAWA has an average at any time in the
/// run, since older weights drop out of it.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_average::LawaConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let steps_per_epoch = 47;
/// let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let mut lawa = LawaConfig::new(6, steps_per_epoch).init(&model)?;
/// for step in 0..10 * steps_per_epoch {
///     // ... model = optim.step(lr, model, grads); ...
///     lawa.update(&model);
/// }
/// assert_eq!(lawa.len(), 6);
/// let average = lawa.model();
/// # let _ = average;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `update` after the optimizer's step.
///
/// # Cost
///
/// k copies of the weights, in their own type; steps between two samples cost nothing. Up to the first sample, the
/// average shares the tensors of the trained weights, so the optimizer cannot update them in place. The mean is computed
/// when [`model`](crate::Average::model) is called, in `f32` for half precision.
///
/// # Differences
///
/// On a CPU, the authors' code keeps references to the weights in training, so that its average equals the
/// newest weights. Here the samples are independent copies.
///
/// # Suggested values
///
/// The last 5 to 10 epochs (Kaddour).
///
/// # References
///
/// - Kaddour, *Stop wasting my time! Saving days of ImageNet and BERT training with latest weight
///   averaging*, 2022, <https://arxiv.org/abs/2209.14981>
#[derive(Config, Debug, PartialEq)]
pub struct LawaConfig {
    /// k, the largest number of samples, at least 1.
    pub last: usize,
    /// Optimizer steps from one sample to the next, at least 1.
    pub update_every: usize,
    /// The number of optimizer steps before the weights may be sampled. Default: 0.
    #[config(default = 0)]
    pub start_after: usize,
    /// What happens to running statistics. Default: they are averaged. If they are copied, they are those of
    /// the newest sample.
    #[config(default = "Buffers::Average")]
    pub buffers: Buffers,
}

impl LawaConfig {
    /// The average before the first step, which holds the weights of `model`.
    ///
    /// # Errors
    ///
    /// If `last` or `update_every` is 0.
    pub fn init<M: Module>(&self, model: &M) -> Result<Lawa<M>, ConfigError> {
        Average::init(self.clone(), model)
    }
}

impl AverageRule for LawaConfig {
    fn kind(&self) -> AverageKind {
        AverageKind::LAWA
    }

    /// Never called: the samples are held one by one, and count alike.
    fn keep(&self, _update: &Update, _memory: &mut [f64]) -> f64 {
        0.0
    }

    fn samples(&self) -> Option<usize> {
        Some(self.last)
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            start_after: self.start_after,
            every: self.update_every,
        }
    }

    fn buffers(&self) -> Buffers {
        self.buffers
    }
}

/// The mean of the last samples. Made by [`LawaConfig::init`].
pub type Lawa<M> = Average<M, LawaConfig>;

impl<M: Module> Lawa<M> {
    /// The number of samples in the mean.
    pub fn len(&self) -> usize {
        if self.has_started() {
            self.held().len()
        } else {
            0
        }
    }

    /// Whether nothing has been sampled yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
