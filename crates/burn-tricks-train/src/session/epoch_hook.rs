//! What is done at the end of an epoch.

use crate::metric::watched_metric::MissingMetric;
use crate::session::results::{CriterionResult, PlateauResult};
use burn::train::metric::MetricName;
use burn::train::metric::store::EventStoreClient;
use burn_tricks_core::StateError;
use burn_tricks_stop::{Decision, StopReason};

/// Something that is done at the end of each epoch.
pub(crate) trait EpochHook: Send {
    /// By which its state and its description are recorded.
    fn name(&self) -> String;

    /// What it is, at the beginning of a run.
    fn describe(&self) -> String;

    /// The run begins, or is resumed.
    fn start(&mut self) {}

    /// Looks at the epoch's metrics.
    fn end_of_epoch(&mut self, epoch: usize, store: &EventStoreClient)
    -> Result<(), MissingMetric>;

    /// Why the run is to stop, since the last epoch or since before it was saved.
    fn stopped(&self) -> Option<StopReason> {
        None
    }

    /// What it decided of the last epoch, if it says which epoch is the best.
    fn decision(&self) -> Option<Decision> {
        None
    }

    /// A trick has gone back to other weights: patience counts anew, and the run trains on although it diverged,
    /// or for whatever the hook was to stop it, if `obeyed` is that hook.
    fn rolled_back(&mut self, _obeyed: bool) {}

    /// Forgets that it stopped the run before: its configuration is another one now.
    fn reconsider(&mut self) {}

    /// What a hook that is a criterion saw.
    fn criterion(&self) -> Option<CriterionResult> {
        None
    }

    /// What became of a hook that is a plateau.
    fn plateau(&self) -> Option<PlateauResult> {
        None
    }

    /// The metric by which the hook tells which epoch is the best, if it does.
    fn watched(&self) -> Option<MetricName> {
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

    /// What a resumed run needs, if it is not in Burn's checkpoint.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Of a hook that shares something with the schedule of the learner: the metric that it looks at, and how
    /// many hold the shared thing.
    fn holders(&self) -> Option<(MetricName, usize)> {
        None
    }

    /// What puts back, when it is called, the state that the hook shares with a schedule now. A record that
    /// is loaded on trial changes it.
    fn undo(&self) -> Box<dyn FnOnce()> {
        Box::new(|| ())
    }

    /// Resumes from the saved state, of a hook that has one.
    fn load_state(&mut self, _state: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
}
