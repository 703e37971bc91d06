//! What a session sees of its learner.
//!
//! Burn's `Learner` gives away neither its optimizer nor the model that was validated, but it hands both to
//! methods of its model: the optimizer to `TrainStep::optimize`, and `Module::valid` makes the model to
//! validate. A [`Tricked`] model shows them to the session here.

use crate::session::epoch_end::EpochEnd;
use crate::session::records_on_trial::caught;
use crate::trick::Trick;
use crate::trick::tricked::Tricked;
use crate::trick::tricked::lock;
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::train::metric::MetricName;
use burn::train::{Learner, LearnerModel};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

/// How far a schedule is looked at.
const LAST_STEP: u32 = 1 << 16;

/// Shared by a tricked model, its clones, and the session that trains it.
pub(crate) struct Sight<M>(Arc<Mutex<Seen<M>>>);

struct Seen<M> {
    /// Whether the next step is only to show its optimizer.
    asked: bool,
    optimizer: Option<ModuleOptimizer>,
    /// Whether the model that is validated is kept.
    keeps: bool,
    /// The model that was validated last.
    validated: Option<M>,
}

impl<M> Default for Sight<M> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Seen {
            asked: false,
            optimizer: None,
            keeps: false,
            validated: None,
        })))
    }
}

impl<M> Clone for Sight<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> Debug for Sight<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sight")
    }
}

impl<M> Sight<M> {
    /// Shows the optimizer of a step. Whether that was all that was wanted of the step.
    pub(crate) fn takes(&self, optim: &ModuleOptimizer) -> bool {
        let mut seen = lock(&self.0);
        let asked = std::mem::take(&mut seen.asked);
        if asked {
            seen.optimizer = Some(optim.clone());
        }
        asked
    }

    /// Shows the model that is about to be validated.
    pub(crate) fn validates(&self, model: impl FnOnce() -> M) {
        let mut seen = lock(&self.0);
        if seen.keeps {
            seen.validated = Some(model());
        }
    }

    /// Begins or ceases to keep the model that is validated.
    pub(crate) fn keep(&self, keeps: bool) {
        let mut seen = lock(&self.0);
        seen.keeps = keeps;
        seen.validated = None;
    }

    /// The model that was validated last, if it is kept.
    pub(crate) fn validated(&self) -> Option<M> {
        lock(&self.0).validated.take()
    }
}

/// The optimizer of a learner, as it is. Nothing is trained.
pub(crate) fn optimizer_of<M, H>(learner: &Learner<Tricked<M, H>>) -> ModuleOptimizer
where
    M: Module,
    H: Trick<M>,
    Tricked<M, H>: LearnerModel,
{
    let sight = learner.model().sight();
    lock(&sight.0).asked = true;
    learner.clone().optimizer_step(GradientsParams::new());
    let optimizer = lock(&sight.0).optimizer.take();
    optimizer.expect("a step of a tricked model shows its optimizer")
}

/// The base rates of a learner's schedule at the steps 1, 2, 4 and so on, as JSON. A clone of it is stepped.
pub(crate) fn rates<M: LearnerModel>(learner: &Learner<M>) -> String {
    let mut learner = learner.clone();
    let mut rates = serde_json::Map::new();
    for step in 1..=LAST_STEP {
        if caught(|| learner.lr_step()).is_err() {
            break; // it ends here, and the run before
        }
        if step.is_power_of_two() {
            let rate = ModuleLearningRate::base(&learner.lr_current());
            // On another machine the last digit may be another one.
            let rounded = format!("{rate:.11e}").parse();
            rates.insert(format!("step {step}"), rounded.unwrap_or(rate).into());
        }
    }
    serde_json::Value::Object(rates).to_string()
}

/// The metric of a hook that shares something with no schedule of this learner, if there is one.
pub(crate) fn unshared<M: LearnerModel>(
    end: &EpochEnd,
    learner: &Learner<M>,
) -> Option<MetricName> {
    let before = end.holders();
    // A copy of the learner has a copy of its schedule, which holds what the schedule holds.
    let copy = (!before.is_empty()).then(|| learner.clone());
    let now = end.holders();
    drop(copy);
    let mut both = before.into_iter().zip(now);
    both.find_map(|((metric, before), (_, now))| (now <= before).then_some(metric))
}
