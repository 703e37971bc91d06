//! Latest weight averaging: the mean of the last k sampled weights.
//!
//! ```text
//! w̄ = 1/k Σ w     over the last k samples
//! ```
//!
//! What [`Swa`](crate::swa) does with the end of the run, this does at any time in it: older weights drop
//! out.
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use burn_tricks_average::LawaConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let steps_per_epoch = 47;
//! let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
//! let mut lawa = LawaConfig::new(6, steps_per_epoch).init(&model)?;
//! for step in 0..10 * steps_per_epoch {
//!     // ... model = optim.step(lr, model, grads); ...
//!     lawa.update(&model);
//! }
//! assert_eq!(lawa.len(), 6);
//! let average = lawa.model();
//! # let _ = average;
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! After the optimizer's step.
//!
//! # Cost
//!
//! k copies of the weights, in their own type. The mean is calculated when asked for, in `f32` for half
//! precision.
//!
//! # Differences
//!
//! The authors' code keeps references to the live weights on a CPU, so that its average is the newest
//! weights. Here the samples are values.
//!
//! # Suggested values
//!
//! The last 5 to 10 epochs (Kaddour).
//!
//! # References
//!
//! - Kaddour, *Stop wasting my time! Saving days of ImageNet and BERT training with latest weight
//!   averaging*, 2022, <https://arxiv.org/abs/2209.14981>

use crate::recorded::{Kind, read_members, record_members};
use crate::running::Sampling;
use burn::module::{Module, ModuleDisplay};
use burn::store::{ModuleRecord, RecordError};
use burn_tricks_core::{Buffers, Config, ConfigError, Mismatch, Snapshot};
use std::collections::VecDeque;

/// Configuration of [`Lawa`].
#[derive(Config, Debug, PartialEq)]
pub struct LawaConfig {
    /// k, at least 1: how many samples there are at most.
    pub last: usize,
    /// Optimizer steps from one sample to the next, at least 1.
    pub update_every: usize,
    /// Optimizer steps before the first may be sampled. Default: 0.
    #[config(default = 0)]
    pub start_after: usize,
    /// What becomes of running statistics; copied are those of the newest sample. Default: averaged.
    #[config(default = "Buffers::Average")]
    pub buffers: Buffers,
}

impl LawaConfig {
    /// The average, before the first step: it is the weights of `model`.
    ///
    /// # Errors
    ///
    /// If `last` or `update_every` is 0.
    pub fn init<M: Module>(&self, model: &M) -> Result<Lawa<M>, ConfigError> {
        ConfigError::at_least_one("last", self.last)?;
        self.sampling().validated()?;
        Ok(Lawa {
            config: self.clone(),
            samples: [Snapshot::new(model)].into(),
            steps: 0,
            updates: 0,
        })
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            start_after: self.start_after,
            every: self.update_every,
        }
    }
}

/// The mean of the last samples. Made by [`LawaConfig::init`].
#[derive(Debug, Clone)]
pub struct Lawa<M: Module> {
    config: LawaConfig,
    /// Oldest first. Before the first sample, the live weights.
    samples: VecDeque<Snapshot<M>>,
    steps: u64,
    updates: u64,
}

impl<M: Module> Lawa<M> {
    /// The configuration that it was made with.
    pub fn config(&self) -> &LawaConfig {
        &self.config
    }

    /// Takes the weights after an optimizer step; samples them if it is time.
    ///
    /// # Panics
    ///
    /// If `model` has another architecture than the one that the average was made for.
    pub fn update(&mut self, model: &M) {
        self.steps += 1;
        let counts = self.config.sampling().counts(self.steps);
        if counts || self.updates == 0 {
            self.sample(model)
                .unwrap_or_else(|mismatch| panic!("{mismatch}"));
        }
        self.updates += u64::from(counts);
    }

    /// Begins anew with the weights of `model`, as [`LawaConfig::init`] would: what was sampled, and the
    /// steps counted, are forgotten.
    pub fn restart(&mut self, model: &M) {
        self.samples = [Snapshot::new(model)].into();
        (self.steps, self.updates) = (0, 0);
    }

    fn sample(&mut self, model: &M) -> Result<(), Mismatch> {
        let newest = self.samples.back().expect("there is always one");
        let mut sample = newest.clone();
        sample.replace(model)?;
        let full = self.samples.len() == self.config.last;
        if full || self.updates == 0 {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        Ok(())
    }

    /// The mean of the samples, to predict with: no gradients, dropout off. Until the average
    /// [has started](Self::has_started) these are the weights of the last `update`.
    ///
    /// To train on, [`restore_into`](Self::restore_into) a live model: `model().train()` has lost a
    /// gradient-checkpointing strategy of the device, and Burn panics where it meets one.
    pub fn model(&self) -> M {
        self.mean().model()
    }

    /// `model` with the average, to train on. Its devices, element types, gradient requirements, training
    /// flags and parameter ids stay; `model` itself and its clones keep their values.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape: the first such place.
    pub fn restore_into(&self, model: &M) -> Result<M, Mismatch> {
        self.mean().restore(model)
    }

    fn mean(&self) -> Snapshot<M> {
        let mut samples = self.samples.iter();
        let first = samples.next().expect("there is always one");
        let mut mean = first.clone().widened();
        for (n, sample) in (2..).zip(samples) {
            mean.lerp_with(sample, 1.0 / f64::from(n), self.config.buffers)
                .expect("checked when it was sampled");
        }
        mean
    }

    /// Whether weights have been sampled.
    pub fn has_started(&self) -> bool {
        self.updates > 0
    }

    /// Optimizer steps seen.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Of those, the ones that were sampled.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Samples in the mean.
    pub fn len(&self) -> usize {
        match self.has_started() {
            true => self.samples.len(),
            false => 0,
        }
    }

    /// Whether nothing has been sampled yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<M: Module + ModuleDisplay> Lawa<M> {
    /// What to save with a checkpoint: the samples and where it stands.
    pub fn to_record(&self) -> ModuleRecord {
        let members = self.samples.iter().map(Snapshot::held_model).collect();
        record_members(Kind::Lawa, members, &[self.steps, self.updates])
    }

    /// Goes on where the recorded average was. Of more samples than `last`, the newest are kept.
    ///
    /// # Errors
    ///
    /// Burn's, if the record is not that of a LAWA of such a model.
    pub fn load_record(mut self, record: ModuleRecord) -> Result<Self, RecordError> {
        let like = self.samples.back().expect("there is always one");
        let recorded = read_members(Kind::Lawa, like, 2, record)?;
        if recorded.members.is_empty() {
            return Err(RecordError::Validation(
                "the record of an average has no weights".to_owned(),
            ));
        }
        let surplus = recorded.members.len().saturating_sub(self.config.last);
        self.samples = recorded.members.into_iter().skip(surplus).collect();
        (self.steps, self.updates) = (recorded.counters[0], recorded.counters[1]);
        Ok(self)
    }
}
