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

use crate::recorded::Kind;
use crate::running::{Live, Running, Sampling};
use burn::module::{Module, ModuleDisplay};
use burn::store::{ModuleRecord, RecordError};
use burn_tricks_core::{Buffers, Config, ConfigError, Mismatch};

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
        self.sampling().validated()?;
        Ok(Swa {
            config: self.clone(),
            average: Running::new(model),
        })
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            start_after: self.start_after,
            every: self.update_every,
        }
    }
}

/// The share of the mean of n samples in the mean of n + 1.
fn keep(n: u64) -> f64 {
    n as f64 / (n as f64 + 1.0)
}

/// The mean of sampled weights. Made by [`SwaConfig::init`].
#[derive(Debug, Clone)]
pub struct Swa<M: Module> {
    config: SwaConfig,
    average: Running<M>,
}

impl<M: Module> Swa<M> {
    /// The configuration that it was made with.
    pub fn config(&self) -> &SwaConfig {
        &self.config
    }

    /// Takes the weights after an optimizer step; samples them if it is time.
    ///
    /// # Panics
    ///
    /// If `model` has another architecture than the one that the average was made for.
    pub fn update(&mut self, model: &M) {
        self.average
            .update(
                &mut Live::new(model),
                self.config.sampling(),
                self.config.buffers,
                keep,
            )
            .unwrap_or_else(|mismatch| panic!("{mismatch}"));
    }

    /// Begins anew with the weights of `model`, as [`SwaConfig::init`] would: what was averaged, and the
    /// steps counted, are forgotten.
    pub fn restart(&mut self, model: &M) {
        self.average = Running::new(model);
    }

    /// The mean of the samples, to predict with: no gradients, dropout off. Until the average
    /// [has started](Self::has_started) these are the weights of the last `update`.
    ///
    /// To train on, [`restore_into`](Self::restore_into) a live model: `model().train()` has lost a
    /// gradient-checkpointing strategy of the device, and Burn panics where it meets one.
    pub fn model(&self) -> M {
        self.average.model()
    }

    /// `model` with the average, to train on. Its devices, element types, gradient requirements, training
    /// flags and parameter ids stay; `model` itself and its clones keep their values.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape: the first such place.
    pub fn restore_into(&self, model: &M) -> Result<M, Mismatch> {
        self.average.restore_into(model)
    }

    /// Whether weights have been sampled.
    pub fn has_started(&self) -> bool {
        self.average.updates() > 0
    }

    /// Optimizer steps seen.
    pub fn steps(&self) -> u64 {
        self.average.steps()
    }

    /// Samples in the mean.
    pub fn updates(&self) -> u64 {
        self.average.updates()
    }
}

impl<M: Module + ModuleDisplay> Swa<M> {
    /// What to save with a checkpoint: the mean and where it stands.
    pub fn to_record(&self) -> ModuleRecord {
        Running::to_record(Kind::Swa, [&self.average].into_iter())
    }

    /// Goes on where the recorded average was.
    ///
    /// # Errors
    ///
    /// Burn's, if the record is not that of an SWA of such a model.
    pub fn load_record(mut self, record: ModuleRecord) -> Result<Self, RecordError> {
        let like = self.average.like();
        let average = [(&mut self.average, keep)];
        Running::load_record(Kind::Swa, average.into_iter(), &like, record)?;
        Ok(self)
    }
}
