//! Stochastic weight averaging: the plain mean of the weights along the end of the training.
//!
//! ```text
//! w̄ ← w̄ + 1/(n + 1) (w − w̄)     at the sampled steps n = 0, 1, 2, ...
//! ```
//!
//! With a learning rate that stays high or cycles, the weights wander around a wide minimum, and their
//! mean is nearer to its middle than any of them.
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use burn_tricks_average::SwaConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let (epochs, steps_per_epoch) = (100, 47);
//! let start = 75 * steps_per_epoch; // the schedule's last phase begins there too
//! let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
//! let mut swa = SwaConfig::new(steps_per_epoch) // once per epoch
//!     .with_start_after(start)
//!     .init(&model)?;
//! for step in 0..epochs * steps_per_epoch {
//!     // ... model = optim.step(schedule.step(), model, grads); ...
//!     swa.update(&model);
//! }
//! assert_eq!(swa.updates(), 25);
//! let average = swa.model();
//! # let _ = average;
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! After the optimizer's step. The learning rate is the schedule's business: hold or cycle it from the
//! step that `start_after` names, e.g. a cosine from the initial rate to the SWA rate, held at its end,
//! of `burn-tricks-schedule`. Afterwards [`recalibrate`](crate::recalibration) batch norm: the statistics
//! of the mean weights are not the mean of the statistics.
//!
//! # Cost
//!
//! As [`Ema`](crate::ema): one copy of the weights, in `f32` for half precision. Between two samples
//! nothing at all.
//!
//! # Differences
//!
//! The numbers are PyTorch's `AveragedModel`'s with its default `avg_fn`. torch-uncertainty counts the
//! first sample twice; Lightning leaves the average out of its checkpoints.
//!
//! # Suggested values
//!
//! From three quarters of the run, once per epoch, at a constant rate of about half the initial one
//! (Izmailov et al.).
//!
//! # References
//!
//! - Izmailov et al., *Averaging weights leads to wider optima and better generalization*, 2018,
//!   <https://arxiv.org/abs/1803.05407>
//! - PyTorch, `torch.optim.swa_utils`

use crate::average::Average;
use crate::average_record::AverageKind;
use crate::average_rule::{AverageRule, Sampling, Update};
use burn::module::Module;
use burn_tricks_core::{Buffers, Config, ConfigError};

/// Configuration of [`Swa`].
#[derive(Config, Debug, PartialEq)]
pub struct SwaConfig {
    /// Optimizer steps from one sample to the next, at least 1: those of an epoch, or of a cycle.
    pub update_every: usize,
    /// Optimizer steps before the first may be sampled: the first sample is taken at step
    /// `start_after + update_every`. Default: 0.
    #[config(default = 0)]
    pub start_after: usize,
    /// What becomes of running statistics. Default: averaged.
    #[config(default = "Buffers::Average")]
    pub buffers: Buffers,
}

impl SwaConfig {
    /// The average, before the first step: it is the weights of `model`.
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
