//! The optimizer and the validated model of a run, which only the tricked model sees.
//!
//! Burn's `Learner` gives access neither to its optimizer nor to the model that was validated. But it passes the
//! optimizer to `TrainStep::optimize` of its model, and it gets the model to validate from `Module::valid`.

use crate::lock::lock;
use crate::trick::trained::Trained;
use burn::optim::ModuleOptimizer;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

/// Shared by a tricked model, its clones, and the session that trains it.
pub(crate) struct LearnerProbe<M>(Arc<Mutex<Seen<M>>>);

struct Seen<M> {
    /// Whether the next step is only to show its optimizer.
    asked: bool,
    optimizer: Option<ModuleOptimizer>,
    /// Whether the models of each validation are noted.
    notes: bool,
    /// The model that was trained when the last validation began, and the one that was validated.
    noted: Option<(Trained<M>, M)>,
}

impl<M> Default for LearnerProbe<M> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Seen {
            asked: false,
            optimizer: None,
            notes: false,
            noted: None,
        })))
    }
}

impl<M> Clone for LearnerProbe<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> Debug for LearnerProbe<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LearnerProbe")
    }
}

impl<M> LearnerProbe<M> {
    /// Makes the next step note its optimizer, and do nothing else.
    pub(crate) fn ask(&self) {
        lock(&self.0).asked = true;
    }

    /// The optimizer of the step that was asked.
    pub(crate) fn optimizer(&self) -> Option<ModuleOptimizer> {
        lock(&self.0).optimizer.take()
    }

    /// Notes the optimizer of a step, if it was asked for. Returns whether the step should do nothing else.
    pub(crate) fn takes(&self, optim: &ModuleOptimizer) -> bool {
        let mut seen = lock(&self.0);
        let asked = std::mem::take(&mut seen.asked);
        if asked {
            seen.optimizer = Some(optim.clone());
        }
        asked
    }

    /// Notes the model that is about to be validated, and the trained model.
    pub(crate) fn validates(&self, models: impl FnOnce() -> (Trained<M>, M)) {
        let mut seen = lock(&self.0);
        if seen.notes {
            seen.noted = Some(models());
        }
    }

    /// Begins or ceases to note the models of each validation, for the end of the epoch.
    pub(crate) fn note(&self, notes: bool) {
        let mut seen = lock(&self.0);
        seen.notes = notes;
        seen.noted = None;
    }

    /// The models of the last validation, if it was not asked for them yet.
    pub(crate) fn noted(&self) -> Option<(Trained<M>, M)> {
        lock(&self.0).noted.take()
    }
}
