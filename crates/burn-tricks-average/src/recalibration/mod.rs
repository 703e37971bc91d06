//! Batch-norm statistics for a model whose weights were averaged.

pub(crate) mod norm_layers;
pub(crate) mod norm_momentum;
pub(crate) mod norm_probe;
pub(crate) mod pooled_statistics;
pub(crate) mod recalibration_error;
pub(crate) mod running_statistics;

use crate::recalibration::norm_layers::norm_layers;
use crate::recalibration::norm_probe::NormProbe;
use crate::recalibration::pooled_statistics::Statistics;
use crate::recalibration::recalibration_error::RecalibrationError;
use crate::recalibration::running_statistics::{MEAN, VARIANCE, join, write};
use burn::module::{Module, ParamGroup};
use burn_tricks_core::{BatchVariance, Config, Snapshot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the statistics of the batches are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchRule {
    /// As if all values were one batch.
    Pooled,
    /// The mean over batches, each counted once: PyTorch's `update_bn`.
    Cumulative,
}

/// Configuration of the recalibration: measures batch-norm statistics for a model whose weights were averaged.
///
/// The statistics of averaged weights are not the average of the statistics: they have to be measured,
/// by sending data through the model. For each batch-norm layer and channel, over batches b of nᵦ values with
/// mean μᵦ and variance σᵦ²:
///
/// ```text
/// Pooled       μ = Σ nᵦ μᵦ / Σ nᵦ      σ² = Σ nᵦ (σᵦ² + (μᵦ − μ)²) / Σ nᵦ
/// Cumulative   μ = mean of μᵦ          σ² = mean of σᵦ²
/// ```
///
/// Pooled statistics are the mean and variance of all values, as if they were one batch. Cumulative statistics
/// count a small last batch as much as a full one, and leave out how far the means of the batches lie apart.
///
/// # Example
///
/// ```
/// use burn::nn::{BatchNorm, BatchNormConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_average::RecalibrationConfig;
///
/// # fn main() -> Result<(), burn_tricks_average::RecalibrationError> {
/// let device = Device::flex().autodiff(); // where batch norm looks at its batch
/// let average: BatchNorm = BatchNormConfig::new(1).init(&device); // e.g. `swa.model()`
/// let batches = [vec![1.0, 3.0], vec![5.0, 7.0, 9.0]];
///
/// let model = RecalibrationConfig::new().apply(&average, batches, |model, batch| {
///     let samples = batch.len();
///     let batch = Tensor::<1>::from_floats(batch.as_slice(), &device);
///     model.forward(batch.reshape([samples, 1]));
///     samples
/// })?;
/// let mean = model.running_mean.value().into_scalar::<f32>();
/// assert!((mean - 5.0).abs() < 1e-5);
/// let variance = model.running_var.value().into_scalar::<f32>();
/// assert!((variance - 8.0).abs() < 1e-5);
/// # Ok(())
/// # }
/// ```
///
/// # Which layers
///
/// All layers with running statistics named `running_mean` and `running_var` are recalibrated. A running
/// statistic alone does not show the statistics of each batch, so these come from:
///
/// | layer | source |
/// | --- | --- |
/// | this library's `TorchBatchNorm` and `GhostBatchNorm` | the layer reports them, with the number of values |
/// | Burn's `BatchNorm`, recognised by its name and fields | its running statistics, after a check that they follow Burn's rule |
/// | a layer of your own | the layer reports them, with [`batch_statistics::report`](burn_tricks_core::batch_statistics::report) |
/// | any other layer | none: [`RecalibrationError::UnknownLayer`] names its path |
///
/// A `FrozenBatchNorm` and the layers that `group` leaves out keep their statistics, and normalise with them
/// during the measurement.
///
/// If a layer reports several times for one batch (one report for each part of a ghost batch norm, or because
/// the forward pass uses the layer twice), the reports are pooled and count as one batch. Burn's layer does not
/// report. If a forward pass uses it twice, that is an error, since its running statistics then mix both uses.
///
/// The momentum of Burn's layer cannot be read, so it is measured. The first batch that has samples goes
/// through the model three times, with running statistics of 0, of a very large number and of its negative. A
/// layer that does not mix the same share of the batch into every channel each time is an error. The momentum
/// is taken to be the shortest decimal number that agrees with the measurement in the element type of the
/// statistics. The result has the precision of that type: three digits in `f16`, two to three in `bf16`. A
/// momentum below 0.002 (in `f16`, below 0.00025) is an error, and a momentum that is not a short decimal
/// number costs another digit. Cast the model to `f32` for more precision.
///
/// Burn's layer does not report nᵦ either. Pooling uses the number of samples instead, which gives the same
/// result if all samples have the same number of values per channel.
///
/// Two assumptions about Burn's layer cannot be checked: that no other type with the same name and fields
/// divides the variance by another number, and that `forward` runs each layer on one thread.
///
/// # Order
///
/// Recalibrate after [SWA](crate::SwaConfig), a [soup](crate::GreedySoupConfig) or an average of checkpoints, and before
/// validation. Use training data, scaled and augmented as in training, in batches of the training size: each
/// batch norm normalises with its batch, and the layers behind it see the result. A batch of one value per
/// channel counts too: for it, the layers of this library output the value normalised with their running
/// statistics, and Burn's layer outputs β.
///
/// # Cost
///
/// One forward pass per batch without gradients, and two more for the first batch if the model has batch norms
/// of Burn's. The statistics are read to the host after each batch and pooled there in `f64`.
///
/// # Differences
///
/// - PyTorch's `update_bn` computes [`BatchRule::Cumulative`] with [`BatchVariance::Unbiased`], and runs
///   dropout and all other layers in training mode. Here only batch norm is in training mode.
/// - Burn's running variance is the biased one (divided by n). So is the variance measured here by default,
///   whichever variance the layer keeps in training.
/// - Lightning updates the statistics in one more training epoch; Composer continues training.
///
/// # Suggested values
///
/// The whole training set once (Izmailov et al.), or some thousand samples of it.
///
/// # References
///
/// - Izmailov et al., *Averaging weights leads to wider optima and better generalization*, 2018,
///   section 3.2, <https://arxiv.org/abs/1803.05407>
/// - Wu, Johnson, *Rethinking "batch" in BatchNorm*, 2021, section 3, <https://arxiv.org/abs/2105.07576>
/// - Chan, Golub, LeVeque, *Algorithms for computing the sample variance*, 1983, for the pooling
/// - PyTorch, `torch.optim.swa_utils.update_bn`
#[derive(Config, Debug)]
pub struct RecalibrationConfig {
    /// How the statistics of the batches are combined. Default: [`BatchRule::Pooled`].
    #[config(default = "BatchRule::Pooled")]
    pub rule: BatchRule,
    /// Which variance is measured, divided by n or by n − 1. Default: [`BatchVariance::Biased`].
    #[config(default = "BatchVariance::Biased")]
    pub variance: BatchVariance,
    /// Which layers are recalibrated, by the path or the id of their `running_mean`. The other layers keep
    /// their statistics and normalise with them. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl RecalibrationConfig {
    /// The settings that give PyTorch's statistics.
    pub fn torch() -> Self {
        Self::new()
            .with_rule(BatchRule::Cumulative)
            .with_variance(BatchVariance::Unbiased)
    }

    /// `model` with statistics measured on `batches`, to predict with. `model` itself is not changed. A model
    /// without batch norm is returned as it is.
    ///
    /// `forward` sends a batch through the model it is given, and returns the number of samples in it. A batch
    /// without samples does not count. The input must be on an autodiff device, as in training: on another
    /// device batch norm does not compute statistics of its batch. The device must not use gradient
    /// checkpointing, which Burn does not allow together with the copy of `model` that is measured.
    ///
    /// # Errors
    ///
    /// If there is no sample; if a layer did not compute statistics of a batch, or its statistics cannot be
    /// known; if an unbiased variance of one value is asked for; if a statistic is not finite; if the model has
    /// layers with running statistics and `group` matches none of them.
    pub fn apply<M: Module, B: Clone>(
        &self,
        model: &M,
        batches: impl IntoIterator<Item = B>,
        mut forward: impl FnMut(&M, B) -> usize,
    ) -> Result<M, RecalibrationError> {
        let layers = norm_layers(model, &self.group)?;
        if layers.is_empty() {
            return Ok(model.valid());
        }
        if self.variance == BatchVariance::Unbiased
            && let Some(layer) = layers.iter().find(|layer| !layer.may_report())
        {
            let layer = layer.path.clone();
            return Err(RecalibrationError::UnknownCount { layer });
        }
        let original = Snapshot::new(model);
        let mut probe = NormProbe::of(model, layers);
        let mut totals = BTreeMap::<String, Statistics>::new();
        for (at, batch) in batches.into_iter().enumerate() {
            for (layer, of_batch) in probe.show(at, batch, &mut forward)? {
                if let Some(got) = of_batch.non_finite() {
                    return Err(RecalibrationError::NonFinite { layer, got });
                }
                let total = totals.entry(layer.clone()).or_default();
                match self.rule {
                    BatchRule::Pooled => total.pool(&of_batch),
                    BatchRule::Cumulative => {
                        total.average(&with_variance(self.variance, of_batch, &layer)?)
                    }
                }
            }
        }
        if totals.is_empty() {
            return Err(RecalibrationError::NoSamples);
        }
        let mut values = BTreeMap::new();
        for (layer, total) in totals {
            let total = match self.rule {
                BatchRule::Pooled => with_variance(self.variance, total, &layer)?,
                BatchRule::Cumulative => total,
            };
            values.insert(join(&layer, MEAN), total.mean);
            values.insert(join(&layer, VARIANCE), total.variance);
        }
        Ok(write(original.model(), |path, _| values.get(path).cloned()))
    }
}

/// `statistics` of `layer`, whose variance is divided by n, converted to the variance that is asked for.
fn with_variance(
    variance: BatchVariance,
    mut statistics: Statistics,
    layer: &str,
) -> Result<Statistics, RecalibrationError> {
    let n = statistics.weight;
    match variance {
        BatchVariance::Biased => {}
        _ if n < 2.0 => {
            let layer = layer.to_owned();
            return Err(RecalibrationError::OneValue { layer });
        }
        _ => {
            let variances = statistics.variance.iter_mut();
            variances.for_each(|variance| *variance *= n / (n - 1.0));
        }
    }
    Ok(statistics)
}
