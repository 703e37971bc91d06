//! The trait of hooks, which a session runs at the end of each epoch.

use crate::metric::split_metric::MissingMetric;
use crate::session::results::{CriterionResult, PlateauResult};
use burn::train::metric::MetricName;
use burn::train::metric::store::EventStoreClient;
use burn_tricks_checkpoint::PartError;
use burn_tricks_core::StateError;
use burn_tricks_stop::{Decision, StopReason};

/// A criterion or a plateau, which a session calls at the end of each epoch.
pub(crate) trait EpochHook: Send {
    /// The name under which the state and the description of the hook are recorded.
    fn name(&self) -> String;

    /// The configuration of the hook at the beginning of a run.
    fn describe(&self) -> String;

    /// The run begins, or is resumed.
    fn start(&mut self) {}

    /// Reads the metrics of the epoch.
    fn end_of_epoch(&mut self, epoch: usize, store: &EventStoreClient)
    -> Result<(), MissingMetric>;

    /// Why the hook stops the run, after the last epoch or already before the run was saved.
    fn stopped(&self) -> Option<StopReason> {
        None
    }

    /// The decision on the last epoch, if the hook determines the best epoch.
    fn decision(&self) -> Option<Decision> {
        None
    }

    /// A trick has gone back to other weights: patience counts anew, and the run continues although it diverged. If
    /// `obeyed`, this hook is the criterion of the roll-back, and none of its reasons but a limit stops the run any more.
    fn rolled_back(&mut self, _obeyed: bool) {}

    /// Forgets that the hook stopped the run before, because its configuration has changed, or that of the roll-back which
    /// would have continued the run: then a hook that had reached a limit forgets nothing (`keep_limit`).
    fn reconsider(&mut self, _keep_limit: bool) {}

    /// The result, if the hook is a criterion.
    fn criterion(&self) -> Option<CriterionResult> {
        None
    }

    /// The result, if the hook is a plateau.
    fn plateau(&self) -> Option<PlateauResult> {
        None
    }

    /// The metric by which the hook determines the best epoch, if it does.
    fn best_metric(&self) -> Option<MetricName> {
        None
    }

    /// The best epoch so far, if the hook knows of one.
    fn best_epoch(&self) -> Option<usize> {
        None
    }

    /// The epochs that counted so far, the best first, if the hook ranks them.
    fn ranking(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Forgets the rank of every epoch of which `is_kept` is false.
    fn keep_ranked(&mut self, _is_kept: &dyn Fn(usize) -> bool) {}

    /// The state that a resumed run needs and that is not in Burn's checkpoint.
    fn state(&self) -> Option<Result<Vec<u8>, PartError>> {
        None
    }

    /// For a hook that shares a plateau with the schedule of the learner: its metric, and how many values share the
    /// plateau.
    fn holders(&self) -> Option<(MetricName, usize)> {
        None
    }

    /// Returns a closure that restores the present state that the hook shares with a schedule, which a record that is
    /// loaded on trial changes.
    fn undo(&self) -> Box<dyn FnOnce()> {
        Box::new(|| ())
    }

    /// Resumes from the saved state, of a hook that has one.
    fn load_state(&mut self, _state: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
}
