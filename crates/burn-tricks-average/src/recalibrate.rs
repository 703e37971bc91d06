//! Batch-norm statistics for a model whose weights were averaged.
//!
//! The statistics of averaged weights are not the average of the statistics: they have to be measured,
//! by sending data through the model. For each batch-norm layer, over batches b of nᵦ samples with mean
//! μᵦ and variance σᵦ²:
//!
//! ```text
//! Pooled       μ = Σ nᵦ μᵦ / Σ nᵦ      σ² = Σ nᵦ (σᵦ² + (μᵦ − μ)²) / Σ nᵦ
//! Cumulative   μ = mean of μᵦ          σ² = mean of σᵦ²
//! ```
//!
//! The first is the mean and variance of all samples as if they were one batch. The second counts a
//! small last batch as much as a full one and leaves out how far the batches lie apart.
//!
//! # Example
//!
//! ```
//! use burn::nn::{BatchNorm, BatchNormConfig};
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_average::RecalibrationConfig;
//!
//! # fn main() -> Result<(), burn_tricks_average::RecalibrationError> {
//! let device = Device::flex().autodiff(); // where batch norm looks at its batch
//! let average: BatchNorm = BatchNormConfig::new(1).init(&device); // e.g. `swa.model()`
//! let batches = [vec![1.0, 3.0], vec![5.0, 7.0, 9.0]];
//!
//! let model = RecalibrationConfig::new().run(&average, batches, |model, batch| {
//!     let samples = batch.len();
//!     let batch = Tensor::<1>::from_floats(batch.as_slice(), &device);
//!     model.forward(batch.reshape([samples, 1]));
//!     samples
//! })?;
//! let mean = model.running_mean.value().into_scalar::<f32>();
//! assert!((mean - 5.0).abs() < 1e-5);
//! let variance = model.running_var.value().into_scalar::<f32>();
//! assert!((variance - 8.0).abs() < 1e-5);
//! # Ok(())
//! # }
//! ```
//!
//! # Where it stands
//!
//! After [SWA](crate::swa), a [soup](crate::soup) or an average of checkpoints; before validation. Use
//! training data, scaled and augmented as in training.
//!
//! # Cost
//!
//! One forward pass per batch, one more for the first, and no gradients. The statistics are read to the
//! host after each batch and pooled there in `f64`.
//!
//! # Differences
//!
//! - PyTorch's `update_bn` is [`BatchRule::Cumulative`] with [`BatchVariance::Unbiased`], and runs dropout
//!   and everything else in training mode. Here only batch norm is in training mode.
//! - Burn's running variance is the biased one (divided by n), so ours is by default.
//! - Lightning trains one more epoch; Composer goes on training.
//!
//! A layer is recognised by statistics named `running_mean` and `running_var` side by side. Pooling
//! weighs batches by their samples, which is exact where samples have one size. How much of its batch a
//! layer mixes into its statistics (`momentum`) cannot be read from a module: it is measured on the
//! first batch that has a sample, and taken for the shortest decimal number that the measurement may be
//! in the type of the statistics. They have the precision of that type: three digits in `f16`, two to
//! three in `bf16`, where a momentum below 0.002 (`f16`: 0.00025) is an error, and one that is no short
//! decimal number costs another digit. Cast the model to `f32` to measure it better.
//!
//! A layer that is used twice in one forward pass mixes both batches, and its momentum with them; that
//! does not show, and its statistics are then neither batch's. Give each use a layer of its own.
//!
//! # Suggested values
//!
//! The whole training set once (Izmailov et al.), or some thousand samples of it.
//!
//! # References
//!
//! - Izmailov et al., *Averaging weights leads to wider optima and better generalization*, 2018,
//!   section 3.2, <https://arxiv.org/abs/1803.05407>
//! - Wu, Johnson, *Rethinking "batch" in BatchNorm*, 2021, section 3, <https://arxiv.org/abs/2105.07576>
//! - Chan, Golub, LeVeque, *Algorithms for computing the sample variance*, 1983, for the pooling
//! - PyTorch, `torch.optim.swa_utils.update_bn`

use crate::norm_statistics::{NormStatistics, Read, with_training_norms};
use crate::recalibration_error::RecalibrationError;
use burn::module::Module;
use burn_tricks_core::{Config, Snapshot};
use serde::{Deserialize, Serialize};

/// How the statistics of the batches become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchRule {
    /// As if all samples were one batch.
    Pooled,
    /// The mean over batches, each counted once: PyTorch's `update_bn`.
    Cumulative,
}

/// By what the sum of squared deviations is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchVariance {
    /// By their number n, as Burn's batch norm does.
    Biased,
    /// By n − 1, with n the number of samples (of all for [`BatchRule::Pooled`], of a batch for
    /// [`BatchRule::Cumulative`]), as PyTorch's does. Right for layers that see one value
    /// per sample and channel, after a linear layer; after a convolution n is larger, and the
    /// difference to the biased one smaller than this makes it.
    Unbiased,
}

/// Configuration of the recalibration.
#[derive(Config, Debug, PartialEq)]
pub struct RecalibrationConfig {
    /// How the batches become one. Default: [`BatchRule::Pooled`].
    #[config(default = "BatchRule::Pooled")]
    pub rule: BatchRule,
    /// By what to divide. Default: [`BatchVariance::Biased`].
    #[config(default = "BatchVariance::Biased")]
    pub variance: BatchVariance,
}

impl RecalibrationConfig {
    /// PyTorch's numbers, for layers that see one value per sample and channel.
    pub fn torch() -> Self {
        Self::new()
            .with_rule(BatchRule::Cumulative)
            .with_variance(BatchVariance::Unbiased)
    }

    /// `model` with statistics measured on `batches`, to predict with. `model` itself stays as it is;
    /// without batch norm it comes back as it is.
    ///
    /// `forward` sends a batch through the model it is given, each layer once, and returns the number of
    /// samples in it. A batch without samples does not count.
    /// The input must be on an autodiff device, as in training: elsewhere batch norm does not look at
    /// its batch.
    ///
    /// # Errors
    ///
    /// If there is no sample, if an unbiased variance is asked for of one sample, if a layer did
    /// not look at a batch, if its momentum cannot be told from 0, or if a statistic is not finite.
    pub fn run<M: Module, B: Clone>(
        &self,
        model: &M,
        batches: impl IntoIterator<Item = B>,
        mut forward: impl FnMut(&M, B) -> usize,
    ) -> Result<M, RecalibrationError> {
        let mut norms = NormStatistics::of(model);
        if norms.is_empty() {
            return Ok(model.valid());
        }
        let original = Snapshot::of(model);
        let mut probe = with_training_norms(model);
        let mut samples = 0;
        let mut has_momenta = false;
        for (at, batch) in batches.into_iter().enumerate() {
            let again = (!has_momenta).then(|| batch.clone());
            probe = norms.prepare(probe);
            let count = forward(&probe, batch);
            // Also of a batch without samples: what it leaves must not come into the next.
            let after = Read::of(&probe);
            if count == 0 {
                continue;
            }
            norms.check_reached(&after, at)?;
            if let Some(batch) = again {
                probe = norms.prepare_to_measure_momentum(probe);
                forward(&probe, batch);
                norms.measure_momentum(&Read::of(&probe))?;
                has_momenta = true;
            }
            norms.add(&after, count, self.rule, self.variance)?;
            samples += count;
        }
        if samples == 0 {
            return Err(RecalibrationError::NoSamples);
        }
        norms.write_into(original.model(), self.rule, self.variance)
    }
}
