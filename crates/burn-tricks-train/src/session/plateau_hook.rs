//! A plateau in a session.

use crate::lock::lock;
use crate::metric::split_metric::{MissingMetric, SplitMetric};
use crate::session::epoch_hook::EpochHook;
use crate::session::results::PlateauResult;
use burn::train::metric::MetricName;
use burn::train::metric::store::EventStoreClient;
use burn_tricks_schedule::Plateau;
use std::sync::{Arc, Mutex};

/// Passes the metric of each epoch to a plateau.
pub(crate) struct PlateauHook {
    pub(crate) metric: SplitMetric,
    /// Shared with the schedule of the learner.
    pub(crate) observed: Arc<Mutex<Plateau>>,
}

impl EpochHook for PlateauHook {
    fn name(&self) -> String {
        format!("plateau on {}", self.metric)
    }

    fn describe(&self) -> String {
        format!("{:?}", lock(&self.observed))
    }

    fn end_of_epoch(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Result<(), MissingMetric> {
        let value = self.metric.mean(epoch, store)?;
        lock(&self.observed).observe(value);
        Ok(())
    }

    fn plateau(&self) -> Option<PlateauResult> {
        Some(PlateauResult {
            metric: self.metric.name.to_string(),
            scale: lock(&self.observed).scale(),
        })
    }

    fn holders(&self) -> Option<(MetricName, usize)> {
        Some((self.metric.name.clone(), Arc::strong_count(&self.observed)))
    }

    fn undo(&self) -> Box<dyn FnOnce()> {
        let observed = self.observed.clone();
        let before = lock(&observed).clone();
        Box::new(move || *lock(&observed) = before)
    }
}
