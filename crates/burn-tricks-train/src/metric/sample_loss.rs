//! The mean of the loss over the samples of an epoch.

use burn::tensor::TensorReadError;
use burn::train::metric::{
    LossInput, LossMetric, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric,
    NumericEntry, SerializedEntry, format_float,
};

/// The mean of the loss over the samples of an epoch.
///
/// ```text
/// L = Σ nᵢ lᵢ / Σ nᵢ     over the batches i, of nᵢ samples and mean loss lᵢ
/// ```
///
/// Burn's `LossMetric` is the mean over batches: it takes one number per batch, and a last batch of one sample counts
/// as much as a batch of 256. The losses 0, 0, 0, 0 and 10 have the mean 2; in batches of four, `LossMetric` gives 5.
/// Early stopping, the best epoch and plateaus that read the loss depend on this number.
///
/// # Example
///
/// ```
/// use burn::train::metric::{Adaptor, LossInput};
/// use burn::train::{InferenceStep, LearnerModel, SupervisedTraining};
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal};
/// use burn_tricks_train::{SampleLossMetric, StopHandle, SupervisedTrainingExt as _};
///
/// # fn stopping_early<M: LearnerModel>(training: SupervisedTraining<M>) -> Result<(), burn_tricks_core::ConfigError>
/// # where <M as InferenceStep>::Output: Adaptor<LossInput> {
/// let handle = StopHandle::new(EarlyStoppingConfig::new(Goal::Minimize).init()?);
/// let training = training.stop_early(SampleLossMetric::new(), &handle);
/// # let _ = training;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// In place of `LossMetric`, in training, validation and Burn's evaluator, for every output that has a `LossInput`.
/// It has the same name, "Loss", so that Burn's checkpointing and dashboard find it. Register only one of the two for
/// a split.
///
/// The number of samples of a batch is the advance of the data loader's progress. If the loader's progress does not
/// advance, the metric is the mean over batches. If the loss has one value per sample (a tensor of shape `[n]`, n >
/// 1), n is the number of samples. In training on several devices (`multi`), each loss of a step gets an equal share
/// of the step's samples, which is right if the devices' batches are equally large.
///
/// # Cost
///
/// The same as for `LossMetric`: one number read from the device per batch, on the thread of the metrics.
///
/// # Differences
///
/// Keras and Lightning weight a batch by its size, as here. Burn's other metrics of a mean (accuracy, top-k, Hamming
/// score, perplexity, precision, recall, error rates) count their samples themselves; BLEU and ROUGE are means over
/// batches of the batch's score, weighted by its size.
#[derive(Clone, Default)]
pub struct SampleLossMetric {
    /// A metric that reads the loss of each batch.
    batch: LossMetric,
    state: State,
}

impl std::fmt::Debug for SampleLossMetric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SampleLossMetric")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl SampleLossMetric {
    /// The metric.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The loss of a batch, and the number of samples of which it is the mean.
#[derive(Debug, Clone, Copy)]
struct Batch {
    loss: f64,
    samples: usize,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// Σ nᵢ lᵢ and Σ nᵢ of the steps before the present one.
    sum: f64,
    samples: usize,
    step: Step,
    /// The last batch, as it is logged.
    last: Option<Batch>,
    /// The present pass through the loader: its progress, the largest total so far, and the samples counted.
    processed: usize,
    total: usize,
    counted: usize,
}

/// The batches of one step, one for each device.
#[derive(Debug, Clone, Default)]
struct Step {
    samples: usize,
    losses: f64,
    batches: usize,
}

impl State {
    /// A batch whose loss is the mean over `values` of them, 1 if it was reduced before.
    fn add(&mut self, loss: f64, values: usize, metadata: &MetricMetadata) {
        if metadata.iteration == Some(1) {
            (self.processed, self.total, self.counted) = (0, 0, 0); // another pass
            self.close_step();
        }
        let processed = metadata.progress.items_processed;
        self.total = self.total.max(metadata.progress.items_total);
        let more = match processed.checked_sub(self.processed) {
            Some(more) => more,
            // The sum over the devices got smaller: one of them is through, and the rest is what is left.
            None => self.total.saturating_sub(self.counted),
        };
        let same_step = values == 1 && processed == self.processed && self.step.batches > 0;
        if !same_step {
            self.close_step();
        }
        let samples = if values > 1 { values } else { more };
        self.processed = processed;
        self.counted += more;
        self.step.samples += samples;
        self.step.losses += loss;
        self.step.batches += 1;
        self.last = Some(Batch { loss, samples });
    }

    fn close_step(&mut self) {
        let step = std::mem::take(&mut self.step);
        if step.samples > 0 {
            self.sum += step.losses / step.batches as f64 * step.samples as f64;
            self.samples += step.samples;
        }
    }

    /// The mean so far, and the number of its samples.
    fn mean(&self) -> (f64, usize) {
        let mut all = self.clone();
        all.close_step();
        match all.samples {
            // Progress stands still: all batches are one step.
            0 => (self.step.losses / self.step.batches as f64, 0),
            samples => (all.sum / samples as f64, samples),
        }
    }

    fn batch_entry(&self) -> NumericEntry {
        let batch = self.last.unwrap_or(Batch {
            loss: f64::NAN,
            samples: 0,
        });
        NumericEntry::Aggregated {
            aggregated_value: batch.loss,
            count: batch.samples,
        }
    }

    fn entry(&self, entry: &NumericEntry) -> SerializedEntry {
        let batch = self.last.map_or(f64::NAN, |batch| batch.loss);
        let (mean, batch) = (format_float(self.mean().0, 2), format_float(batch, 2));
        SerializedEntry::new(format!("epoch {mean} - batch {batch}"), entry.serialize())
    }
}

impl Metric for SampleLossMetric {
    type Input = LossInput;

    fn name(&self) -> MetricName {
        self.batch.name()
    }

    fn description(&self) -> Option<String> {
        Some("The loss, its mean over an epoch taken over samples.".to_owned())
    }

    fn attributes(&self) -> MetricAttributes {
        self.batch.attributes()
    }

    fn update(
        &mut self,
        item: &LossInput,
        metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        self.batch.update(item, metadata)?;
        let (loss, values) = match self.batch.value() {
            Some(NumericEntry::Aggregated {
                aggregated_value,
                count,
            }) => (aggregated_value, count),
            Some(entry) => (entry.current(), 1),
            None => return Ok(SerializedEntry::not_available(None)),
        };
        self.state.add(loss, values, metadata);
        Ok(self.state.entry(&self.state.batch_entry()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.entry(&self.final_value()))
    }

    fn clear(&mut self) {
        self.batch.clear();
        self.state = State::default();
    }
}

impl Numeric for SampleLossMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.state.last.map(|_| self.state.batch_entry())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.state.last?;
        let (aggregated_value, count) = self.state.mean();
        Some(NumericEntry::Aggregated {
            aggregated_value,
            count,
        })
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.state.mean().0)
    }
}
