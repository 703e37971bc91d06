//! A metric that a criterion or a plateau reads after each epoch.

use crate::metric::standard_error::standard_error_name;
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::metric::{Metric, MetricName};
use burn_tricks_stop::Observation;
use std::fmt::Display;
use std::sync::Arc;

/// A metric of one split, of which the mean over an epoch is looked at.
#[derive(Debug, Clone)]
pub(crate) struct SplitMetric {
    pub(crate) name: MetricName,
    pub(crate) split: Split,
}

impl SplitMetric {
    pub(crate) fn new(metric: &impl Metric, split: Split) -> Self {
        Self {
            name: metric.name(),
            split,
        }
    }

    /// Its mean over an epoch.
    pub(crate) fn mean(
        &self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Result<f64, MissingMetric> {
        store
            .find_metric(&self.name, epoch, Aggregate::Mean, &self.split)
            .ok_or_else(|| MissingMetric {
                metric: self.name.to_string(),
                epoch,
                hint: LOGGER,
            })
    }

    /// Its mean over an epoch, and what a criterion needs besides: the mean over the training split, the standard
    /// error. A mean that is not finite has no standard error, and is judged without.
    pub(crate) fn observation(
        &self,
        epoch: usize,
        store: &EventStoreClient,
        needs: Needs,
    ) -> Result<Observation, MissingMetric> {
        let mut value = Observation::from(self.mean(epoch, store)?);
        if needs.training {
            let training = Self {
                name: self.name.clone(),
                split: Split::Train,
            };
            let mean = training.mean(epoch, store).map_err(|error| MissingMetric {
                hint: TRAINING,
                ..error
            })?;
            value = value.with_training(mean);
        }
        if !needs.standard_error || !value.value.is_finite() {
            return Ok(value);
        }
        let error = Self {
            name: Arc::new(standard_error_name(&self.name)),
            split: self.split.clone(),
        };
        let mean = error.mean(epoch, store)?;
        if !mean.is_finite() {
            return Err(MissingMetric {
                metric: error.name.to_string(),
                epoch,
                hint: BATCHES,
            });
        }
        Ok(value.with_standard_error(mean))
    }
}

/// What a criterion needs besides the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) standard_error: bool,
    /// The metric on the training split.
    pub(crate) training: bool,
}

const TRAINING: &str = "the criterion compares it with the training split: register it with `metric_train_numeric` of the session";
const LOGGER: &str = "register it with the session; in a resumed run, use a metric logger that has the earlier epochs, as \
    Burn's `FileMetricLogger` does";
const BATCHES: &str =
    "a standard error needs at least two validation batches, so validate in smaller batches";

/// As in the errors of a session: `` `Loss` ``, `` `Loss` of the training split ``.
impl Display for SplitMetric {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.name)?;
        match self.split {
            Split::Train => write!(f, " of the training split"),
            _ => Ok(()),
        }
    }
}

/// At the end of an epoch, the metric that a criterion or a plateau reads had no value, or the standard error that the
/// criterion needs. In a resumed run, Burn's `InMemoryMetricLogger` has no values; its default file logger has them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingMetric {
    /// The metric.
    pub metric: String,
    /// The epoch, from 1.
    pub epoch: usize,
    /// What to look at.
    hint: &'static str,
}

impl Display for MissingMetric {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the metric `{}` has no value for epoch {}: {}",
            self.metric, self.epoch, self.hint
        )
    }
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
impl std::fmt::Debug for MissingMetric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for MissingMetric {}
