//! What a session sees of its learner, whose fields Burn keeps private.

use crate::session::epoch_end::EpochEnd;
use crate::trick::Trick;
use crate::trick::tricked::Tricked;
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::train::metric::MetricName;
use burn::train::{Learner, LearnerModel};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The last step at which a schedule is compared.
pub(crate) const LAST_STEP: u32 = 1 << 16;

/// The optimizer of a learner, as it is. Nothing is trained.
pub(crate) fn optimizer_of<M, H>(learner: &Learner<Tricked<M, H>>) -> ModuleOptimizer
where
    M: Module,
    H: Trick<M>,
    Tricked<M, H>: LearnerModel,
{
    let probe = learner.model().probe();
    probe.ask();
    learner.clone().optimizer_step(GradientsParams::new());
    let optimizer = probe.optimizer();
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

/// What `work` gives, or what it panicked with.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic").to_owned()
    })
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
