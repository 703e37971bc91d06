//! Saves the best model to a file, whenever an epoch is the best so far.

use crate::trick::Trick;
use crate::trick::epoch_context::EpochContext;
use crate::trick::trick_error::TrickError;
use burn::module::Module;
use burn_tricks_checkpoint::file;
use burn_tricks_core::{StateError, state_from_bytes, state_to_bytes};
use burn_tricks_grad::GradientOrder;
use std::path::PathBuf;

/// Saves the best model to a file, whenever an epoch is the best so far.
///
/// ```text
/// at the end of an epoch that is the best so far by the session's criterion: file ← the validated model
/// ```
///
/// # Example
///
/// ```
/// use burn_tricks_train::SaveBest;
///
/// let save = SaveBest::new("best.bpk");
/// // `model.with_tricks((clip, ema, save))`, in a session with `stop_early(SampleLossMetric::new(), patience)`;
/// // later, in another program, `model.load_file("best.bpk")`
/// # assert_eq!(save.best(), None);
/// ```
///
/// # Order
///
/// Anywhere among the tricks. The saved model is the one that was validated: the average, if a trick has one, since the
/// metric is that of the average. The first criterion of [`Session::stop_early`](crate::Session::stop_early) that looks
/// at its metric determines the best epoch, as for [`SessionResult::best_model`](crate::SessionResult::best_model). In
/// a session without such a criterion, [`launch`](crate::Session::launch) returns an error. A value that is not finite
/// is never the best.
///
/// The file is Burn's (`Module::save_file`). It is written under another name and then renamed, so that a file at
/// `path` is always complete, even if the process is killed meanwhile. A resumed run knows the best value so far; a
/// run that begins anew replaces the file at its first epoch.
///
/// # Cost
///
/// At the end of an epoch that is the best so far, the weights are read from the device and written to the disk
/// before the next epoch begins.
///
/// # Differences
///
/// By default, Keras's and Lightning's `ModelCheckpoint` save the trained weights; for a model with an average these
/// are not the weights that the metric was measured on.
/// [`SessionResult::best_model`](crate::SessionResult::best_model) needs no file; this trick is for a file that other
/// programs load, also while the training runs.
///
/// # References
///
/// - Keras, `callbacks.ModelCheckpoint(save_best_only=True)`; Lightning, `ModelCheckpoint`
#[derive(Debug, Clone)]
pub struct SaveBest {
    path: PathBuf,
    best: Option<f64>,
}

impl SaveBest {
    /// Saves to `path`, whose folder must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            best: None,
        }
    }

    /// The value of the metric of the saved model; none if none was saved yet.
    pub fn best(&self) -> Option<f64> {
        self.best
    }
}

impl<M: Module> Trick<M> for SaveBest {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        let decision = epoch.decision()?;
        if decision.is_best {
            let record = epoch.validated().clone().into_record().into_bytes()?;
            file::write(&self.path, &[&record])?;
            self.best = decision.best;
        }
        Ok(model)
    }

    fn restart(&mut self, _model: &M) {
        self.best = None;
    }

    fn obeys_criterion(&self) -> Option<String> {
        Some(Trick::<M>::name(self))
    }

    fn describe(&self) -> Vec<String> {
        vec!["SaveBest".to_owned()]
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(state_to_bytes(&self.best))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.best = state_from_bytes(state)?;
        Ok(())
    }
}
