//! A criterion in a session.

use crate::metric::split_metric::{MissingMetric, SplitMetric};
use crate::session::epoch_hook::EpochHook;
use crate::session::results::CriterionResult;
use crate::stop::stop_handle::StopHandle;
use burn::train::metric::MetricName;
use burn::train::metric::store::EventStoreClient;
use burn_tricks_checkpoint::PartError;
use burn_tricks_core::StateError;
use burn_tricks_stop::{Decision, StopCriterion, StopReason};
use std::fmt::Debug;

/// Passes the metric of each epoch to a criterion.
pub(crate) struct CriterionHook<C> {
    metric: SplitMetric,
    handle: StopHandle<C>,
}

impl<C: StopCriterion> CriterionHook<C> {
    pub(crate) fn new(metric: SplitMetric, stop: C) -> Self {
        Self {
            metric,
            handle: StopHandle::new(stop),
        }
    }
}

impl<C: StopCriterion + Clone + Debug + Send> EpochHook for CriterionHook<C> {
    fn name(&self) -> String {
        format!("criterion on {}", self.metric)
    }

    fn describe(&self) -> String {
        format!("{:?}", self.handle.criterion())
    }

    fn start(&mut self) {
        self.handle.start();
    }

    fn end_of_epoch(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Result<(), MissingMetric> {
        let value = |needs| self.metric.observation(epoch, store, needs);
        self.handle.observe(epoch, value).map(|_| ())
    }

    fn stopped(&self) -> Option<StopReason> {
        self.handle.stopped()
    }

    fn decision(&self) -> Option<Decision> {
        self.handle.decision().ok().flatten()
    }

    fn rolled_back(&mut self, obeyed: bool) {
        self.handle.rolled_back(obeyed);
    }

    fn reconsider(&mut self, keep_limit: bool) {
        self.handle.reconsider(keep_limit);
    }

    fn criterion(&self) -> Option<CriterionResult> {
        Some(CriterionResult {
            metric: self.metric.name.to_string(),
            split: self.metric.split.clone(),
            decision: self.handle.decision().ok().flatten(),
            best_epoch: self.handle.best_epoch(),
            best_value: self.handle.criterion().best(),
        })
    }

    fn best_metric(&self) -> Option<MetricName> {
        let uses = self.handle.criterion().uses_metric();
        uses.then(|| self.metric.name.clone())
    }

    fn best_epoch(&self) -> Option<usize> {
        self.handle.best_epoch()
    }

    fn ranking(&self) -> Vec<usize> {
        self.handle.ranking()
    }

    fn keep_ranked(&mut self, is_kept: &dyn Fn(usize) -> bool) {
        self.handle.keep_ranked(is_kept);
    }

    fn state(&self) -> Option<Result<Vec<u8>, PartError>> {
        Some(self.handle.state())
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.handle.load_state(state)
    }
}
