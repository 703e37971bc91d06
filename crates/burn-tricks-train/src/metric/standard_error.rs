//! The standard error of the mean of a metric over an epoch, in Burn's log and dashboard.

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry, format_float,
};
use std::fmt::Debug;
use std::sync::Arc;

/// The name of the metric that holds the standard error of the metric `name`, as
/// [`StandardErrorMetric`] logs it.
pub(crate) fn standard_error_name(name: &str) -> String {
    format!("{name} Standard Error")
}

/// The standard error of the mean of a metric over an epoch, in Burn's log and dashboard.
///
/// ```text
/// s = √( Σ nᵢ (xᵢ − x̄)² / (k − 1) / Σ nᵢ ),   x̄ = Σ nᵢ xᵢ / Σ nᵢ      over the batches i = 1, ..., k
/// ```
///
/// Here xᵢ is the value of batch i, and nᵢ its number of samples. A mean over n independent samples has the variance
/// σ² / n, so σ follows from the differences between batches. The criterion [`NoiseAware`] uses the standard error: a
/// change within the error neither uses up patience nor gives it back.
///
/// # Example
///
/// ```
/// use burn_tricks_stop::{Goal, NoiseAwareConfig};
/// use burn_tricks_train::{SampleLossMetric, StandardErrorMetric};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let stop = NoiseAwareConfig::new(Goal::Minimize).init()?;
/// // `session.stop_early(SampleLossMetric::new(), stop)` registers the standard error by itself. For other uses:
/// let error = StandardErrorMetric::new(SampleLossMetric::new());
/// // `session.metrics((SampleLossMetric::new(), error))`
/// # let _ = (error, stop);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Register it for validation together with the metric whose standard error it is. Criteria and tricks find it by its
/// name, which is the name of the metric followed by ``Standard Error``.
///
/// If an epoch has one batch, its standard error is unknown: the value is NaN, and a criterion that needs it refuses
/// it. If the metric does not say how many samples its batches have, as Burn's `LossMetric` does not, each batch
/// counts as one sample, which is right for batches of equal size. So it does if no batch of an epoch has samples, as for
/// a [`SampleLossMetric`](crate::SampleLossMetric) with a loader whose progress stands still.
///
/// It is made for validation, which takes place on one device. In training on k devices (`multi`), the standard error of
/// a [`SampleLossMetric`](crate::SampleLossMetric) is √k times too large: of the k losses of a step, only the first
/// counts, as if it were the mean over the samples of all devices.
///
/// # Cost
///
/// The cost of a second copy of the metric, on the thread of the metrics.
///
/// # Suggested values
///
/// Ten validation batches or more: with k batches the standard error has a relative error of about 1 / √(2 (k − 1)),
/// a quarter for ten batches.
///
/// [`NoiseAware`]: burn_tricks_stop::NoiseAware
#[derive(Clone)]
pub struct StandardErrorMetric<Me> {
    name: MetricName,
    metric: Me,
    batches: Batches,
    /// The batches of which the metric counts no sample, as one sample each.
    uncounted: Batches,
}

impl<Me: Metric> StandardErrorMetric<Me> {
    /// The standard error of the mean of `metric`.
    pub fn new(metric: Me) -> Self {
        Self {
            name: Arc::new(standard_error_name(&metric.name())),
            metric,
            batches: Batches::default(),
            uncounted: Batches::default(),
        }
    }
}

impl<Me> Debug for StandardErrorMetric<Me> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StandardErrorMetric")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Values of batches, updated as Welford's algorithm does.
#[derive(Debug, Clone, Default)]
struct Batches {
    count: usize,
    /// Σ nᵢ
    samples: f64,
    mean: f64,
    /// Σ nᵢ (xᵢ − x̄)²
    squares: f64,
}

impl Batches {
    fn add(&mut self, value: f64, samples: f64) {
        if samples <= 0.0 {
            return;
        }
        self.count += 1;
        self.samples += samples;
        let off = value - self.mean;
        self.mean += off * samples / self.samples;
        self.squares += samples * off * (value - self.mean);
    }

    /// NaN for fewer than two batches.
    fn error(&self) -> f64 {
        match self.count {
            0 | 1 => f64::NAN,
            count => (self.squares / (count - 1) as f64 / self.samples).sqrt(),
        }
    }
}

impl<Me: Metric + Numeric> StandardErrorMetric<Me> {
    /// The standard error so far. If no batch has samples, as where the progress of the loader stands still, batches weigh
    /// alike.
    fn error(&self) -> f64 {
        match self.batches.count {
            0 => self.uncounted.error(),
            _ => self.batches.error(),
        }
    }

    fn entry(&self, entry: &NumericEntry) -> SerializedEntry {
        let error = format_float(self.error(), 3);
        SerializedEntry::new(format!("epoch {error}"), entry.serialize())
    }
}

impl<Me: Metric + Numeric> Metric for StandardErrorMetric<Me> {
    type Input = Me::Input;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn description(&self) -> Option<String> {
        let name = self.metric.name();
        Some(format!(
            "How far the mean of `{name}` over an epoch would typically lie from that of as many other samples."
        ))
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: false,
        }
        .into()
    }

    fn update(
        &mut self,
        item: &Me::Input,
        metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        self.metric.update(item, metadata)?;
        match self.metric.value() {
            Some(NumericEntry::Aggregated {
                aggregated_value,
                count: 0,
            }) => self.uncounted.add(aggregated_value, 1.0),
            Some(NumericEntry::Aggregated {
                aggregated_value,
                count,
            }) => self.batches.add(aggregated_value, count as f64),
            Some(entry) => self.batches.add(entry.current(), 1.0),
            None => {}
        }
        Ok(self.entry(&NumericEntry::Value(self.error())))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry(&self.final_value()))
    }

    fn clear(&mut self) {
        self.metric.clear();
        self.batches = Batches::default();
        self.uncounted = Batches::default();
    }
}

impl<Me: Metric + Numeric> Numeric for StandardErrorMetric<Me> {
    fn value(&self) -> Option<NumericEntry> {
        Some(NumericEntry::Value(self.error()))
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.value()
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::sample_loss::SampleLossMetric;
    use burn::data::dataloader::Progress;
    use burn::tensor::{Device, Tensor};
    use burn::train::metric::LossInput;
    use burn_tricks_stop::Observation;

    #[test]
    fn batches_of_one_sample_have_the_standard_error_of_the_samples() {
        let samples = [0.2, 0.4, 0.6, 0.8, 3.0];
        let mut batches = Batches::default();
        samples.iter().for_each(|sample| batches.add(*sample, 1.0));
        let exact = Observation::of_samples(&samples).standard_error.unwrap();
        assert!((batches.error() - exact).abs() < 1e-12);
        assert!((batches.mean - 1.0).abs() < 1e-12);
    }

    #[test]
    fn batches_are_weighted_by_their_samples() {
        // Σ n = 6, x̄ = 2, Σ n (x − x̄)² = 4·1 + 2·4 = 12, over k − 1 = 1 and 6: 2.
        let mut batches = Batches::default();
        batches.add(1.0, 4.0);
        assert!(batches.error().is_nan(), "one batch has no known error");
        batches.add(4.0, 2.0);
        batches.add(9.0, 0.0);
        assert!((batches.error() - 2.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn batches_weigh_alike_where_the_progress_stands_still() {
        let mut metric = StandardErrorMetric::new(SampleLossMetric::new());
        for loss in [1.0_f32, 2.0, 3.0, 4.0, 5.0] {
            let loss = Tensor::<1>::from_floats([loss], &Device::flex());
            let metadata = MetricMetadata {
                progress: Progress::new(0, 5, None),
                iteration: None,
                lr: None,
            };
            metric.update(&LossInput::new(loss), &metadata).unwrap();
        }
        // x̄ = 3, Σ (x − x̄)² = 10, over k − 1 = 4 and 5: 1/2.
        assert!((metric.final_value().current() - 0.5_f64.sqrt()).abs() < 1e-12);
    }
}
