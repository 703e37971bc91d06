//! Stochastic weight averaging.

use crate::average::Average;
use crate::average_record::AverageKind;
use crate::average_rule::{AverageRule, Sampling, Update};
use burn::module::Module;
use burn_tricks_core::{Buffers, Config, ConfigError};

/// Configuration of [`Swa`], stochastic weight averaging: the plain mean of the weights along the end of the
/// training.
///
/// ```text
/// w̄ ← w̄ + 1/(n + 1) (w − w̄)     at the sampled steps n = 0, 1, 2, ...
/// ```
///
/// With a learning rate that stays high or cycles, the weights move around a wide minimum, and their mean is
/// nearer to its centre than any of them.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_average::SwaConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let (epochs, steps_per_epoch) = (100, 47);
/// let start = 75 * steps_per_epoch; // the schedule's last phase begins there too
/// let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let mut swa = SwaConfig::new(steps_per_epoch) // once per epoch
///     .with_start_after(start)
///     .init(&model)?;
/// for step in 0..epochs * steps_per_epoch {
///     // ... model = optim.step(schedule.step(), model, grads); ...
///     swa.update(&model);
/// }
/// assert_eq!(swa.updates(), 25);
/// let average = swa.model();
/// # let _ = average;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `update` after the optimizer's step. SWA does not set the learning rate: choose a schedule that holds
/// or cycles it from step `start_after` on. For example, the cosine of `burn-tricks-schedule` falls from the
/// initial rate to the SWA rate and stays there. [Recalibrate](crate::RecalibrationConfig) batch norms afterwards:
/// the statistics of the mean weights are not the mean of the statistics.
///
/// # Cost
///
/// The cost of an [`Ema`](crate::EmaConfig): one copy of the weights, in `f32` for half precision. Steps between two
/// samples have no cost. Up to the first sample, the average shares the tensors of the trained weights, so the optimizer
/// cannot update them in place.
///
/// # Differences
///
/// The averages equal those of PyTorch's `AveragedModel` with its default `avg_fn`. torch-uncertainty counts
/// the first sample twice; Lightning leaves the average out of its checkpoints.
///
/// # Suggested values
///
/// From three quarters of the run on, once per epoch, at a constant learning rate of about half the initial one
/// (Izmailov et al.).
///
/// # References
///
/// - Izmailov et al., *Averaging weights leads to wider optima and better generalization*, 2018,
///   <https://arxiv.org/abs/1803.05407>
/// - PyTorch, `torch.optim.swa_utils`
#[derive(Config, Debug, PartialEq)]
pub struct SwaConfig {
    /// Optimizer steps from one sample to the next, at least 1: usually the steps of an epoch or of a cycle.
    pub update_every: usize,
    /// The number of optimizer steps before the weights may be sampled: the first sample is taken at step
    /// `start_after + update_every`. Default: 0.
    #[config(default = 0)]
    pub start_after: usize,
    /// What happens to running statistics. Default: they are averaged.
    #[config(default = "Buffers::Average")]
    pub buffers: Buffers,
}

impl SwaConfig {
    /// The average before the first step, which holds the weights of `model`.
    ///
    /// # Errors
    ///
    /// If `update_every` is 0.
    pub fn init<M: Module>(&self, model: &M) -> Result<Swa<M>, ConfigError> {
        Average::init(self.clone(), model)
    }
}

impl AverageRule for SwaConfig {
    fn kind(&self) -> AverageKind {
        AverageKind::SWA
    }

    /// The share of the mean of n samples in the mean of n + 1.
    fn keep(&self, update: &Update, _memory: &mut [f64]) -> f64 {
        let n = update.number as f64;
        n / (n + 1.0)
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

/// The mean of sampled weights. Made by [`SwaConfig::init`].
pub type Swa<M> = Average<M, SwaConfig>;
