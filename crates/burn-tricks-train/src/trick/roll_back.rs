//! Roll-back in the `Learner`.

use crate::trick::Trick;
use crate::trick::averages::{record_bytes, record_of};
use crate::trick::epoch_context::EpochContext;
use crate::trick::optimizer_backup::OptimizerBackup;
use crate::trick::step_context::StepContext;
use crate::trick::trick_error::TrickError;
use crate::trick::trick_metric::TrickMetric;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn_tricks_core::{ConfigError, StateError, load_record, state_from_bytes, state_to_bytes};
use burn_tricks_grad::GradientOrder;
use burn_tricks_stop::{
    BestWeights, Decision, RollBack, RollBackConfig, RollBackState, StopReason,
};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// Roll-back in the `Learner`: when the training diverges, it continues from its best epoch with a smaller learning
/// rate.
///
/// ```text
/// at the end of an epoch that the session's criterion calls diverged, at most `times`:
///     model, optimizer's state, states of the gradient transforms ← those of the best epoch
///     learning rates ← lr_factor^(roll-backs so far) · those of the schedule
///     patience counts anew
/// ```
///
/// # Example
///
/// ```
/// use burn::nn::Linear;
/// use burn_tricks_stop::RollBackConfig;
/// use burn_tricks_train::RollBackTrick;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let back = RollBackTrick::init(&RollBackConfig::new(2))?;
/// // `model.with_tricks((clip, back, ema))`, in a session with `stop_early(SampleLossMetric::new(), patience)`
/// # let back: RollBackTrick<Linear> = back;
/// # assert_eq!(back.done(), 0);
/// # Ok(())
/// # }
/// ```
///
/// With [`on_no_improvement`](RollBackTrick::on_no_improvement) the trick also rolls back when patience is used up:
/// the training continues from the best epoch instead of ending.
///
/// # Order
///
/// Before the tricks that look at the weights at the end of an epoch. Averages begin anew with the weights of the
/// best epoch, wherever they stand among the tricks, since an average of a diverged run may stay NaN. They count their
/// steps from the roll-back on: an average with a `start_after` takes no weights, and the trained model is validated,
/// until so many steps have been taken after the roll-back. An `Swa` of the last quarter of a run does not start again
/// if the run goes back after its first quarter. Let an average that is to outlive a roll-back begin early.
///
/// The trick follows one criterion of the session: the first of [`Session::stop_early`](crate::Session::stop_early)
/// that looks at its metric, which also determines the best epoch. `EarlyStopping` and `NoiseAware` treat a metric
/// that is not finite as a divergence; set a limit with
/// [`with_divergence_limit`](burn_tricks_stop::EarlyStoppingConfig). After a roll-back the session continues. It ends
/// if the criterion stops for another reason, or if all roll-backs are used up. A run that ended because they were used up
/// continues if it is resumed with more [`times`](RollBackConfig::times), the change is
/// [accepted](crate::Session::accept_changes), and no criterion had reached a limit. If the criterion reaches a limit of
/// time or of checks in the epoch that diverges, the run goes back and ends. In a session without such a criterion
/// [`launch`](crate::Session::launch) is an error.
///
/// If another trick stops the run for a divergence at the end of the same epoch, as
/// [`StopAfterMarked`](crate::StopAfterMarked) and
/// [`StopAfterSkips::at_end_of_epoch`](crate::StopAfterSkips::at_end_of_epoch) do, the roll-back wins: the weights that
/// led to the stop are gone, and both tricks count their steps anew. A stop for any other reason ends the run.
///
/// Of the other tricks, the gradient transforms also go back, alone and inside `Then`, `Only` or `AsTrick`: the
/// estimate of a [`Prodigy`](burn_tricks_grad::Prodigy), without which a diverged run would not recover, the history of
/// an `AutoClip`, the step of a `GradNoise`. The scale of a `LossScaler` and the counts of a `StepGuard` do not go
/// back, since schedules compare the number of skipped steps with the number they have seen. A transform of your own
/// declares the state that goes back in
/// [`GradientTransform::roll_back_state`](burn_tricks_grad::GradientTransform::roll_back_state), a trick of your own in
/// [`Trick::roll_back_state`](crate::Trick::roll_back_state).
///
/// The weights of the best epoch are the trained ones, not an average. The schedule continues from its present step.
/// Burn's `LearningRateMetric` logs the learning rate of the schedule, without the factor. The metric "Learning Rate
/// after Roll-Backs", which a session registers for this trick, has the learning rate of the step.
///
/// # Cost
///
/// A copy of the weights and of the optimizer's state, on the device, and a copy of the transforms' states on the host.
/// The latter is small except for a `Prodigy` (two tensors of the size of the model, read from the device at each best
/// epoch). In a resumable session both copies are saved with each checkpoint. A run that does not diverge is the same,
/// bit for bit, with and without this trick.
///
/// # Differences and suggested values
///
/// See [`RollBack`], the roll-back for a hand-written loop.
#[derive(Debug)]
pub struct RollBackTrick<M: Module> {
    config: RollBackConfig,
    back: RollBack,
    on_no_improvement: bool,
    best: BestWeights<M>,
    /// The best weights of a run that is resumed, until there is a model to load them into.
    saved_best: Option<(usize, Vec<u8>)>,
    optimizer: OptimizerBackup,
    lr: TrickMetric,
}

/// What a resumed run needs.
#[derive(Serialize, Deserialize)]
struct State {
    back: RollBackState,
    best: Option<(usize, Vec<u8>)>,
    optimizer: Vec<u8>,
}

impl<M: Module> RollBackTrick<M> {
    /// A trick that goes back when the session's criterion sees a divergence.
    ///
    /// # Errors
    ///
    /// As [`RollBackConfig::init`].
    pub fn init(config: &RollBackConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            config: config.clone(),
            back: config.init()?,
            on_no_improvement: false,
            best: BestWeights::new(),
            saved_best: None,
            optimizer: OptimizerBackup::default(),
            lr: TrickMetric::new(
                "Learning Rate after Roll-Backs",
                "The learning rate of the optimizer step: that of the schedule times the factor of the roll-backs.",
            ),
        })
    }

    /// Goes back also when the criterion stops because patience is used up: for [`StopReason::NoImprovement`] or
    /// [`StopReason::BaselineNotBeaten`], also within [`Any`](burn_tricks_stop::Any), and within
    /// [`All`](burn_tricks_stop::All) beside limits. Any other reason, such as [`StopReason::Undecided`], ends the run. If the
    /// epoch at which the baseline is not beaten is the best one, the weights stay as they are, and the roll-back counts: the
    /// learning rate becomes smaller, and averages begin anew.
    #[must_use]
    pub fn on_no_improvement(mut self) -> Self {
        self.on_no_improvement = true;
        self
    }

    /// How many times the run went back.
    pub fn done(&self) -> usize {
        self.back.done()
    }

    /// The decision, in which a reason to go back is a divergence, and without its limit: the run goes back before the session
    /// ends it.
    fn judged(&self, decision: Decision) -> Decision {
        let mut judged = decision;
        judged.limit = None;
        use StopReason::{BaselineNotBeaten, NoImprovement};
        if let Some(NoImprovement { .. } | BaselineNotBeaten { .. }) = decision.stop
            && self.on_no_improvement
        {
            judged.divergence = judged.divergence.or(judged.stop.take());
        }
        judged
    }

    /// Loads the best weights of a run that is resumed.
    fn load_best(&mut self, model: &M) -> Result<(), TrickError> {
        let Some((check, bytes)) = self.saved_best.take() else {
            return Ok(());
        };
        let record = record_of(NAME, &bytes)?;
        // The model of `valid` has running statistics of its own: a record is loaded in place.
        let best = load_record(model.valid(), record)?;
        self.best = BestWeights::new().with_kept(&best, check, ());
        Ok(())
    }
}

const NAME: &str = "RollBackTrick";

impl<M: Module> Trick<M> for RollBackTrick<M> {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn begin(&mut self, _model: &M, optimizer: &mut ModuleOptimizer, step: &mut StepContext) {
        self.optimizer.meet(optimizer);
        step.scale_lr(self.back.lr_scale());
    }

    fn after(&mut self, model: M, step: &StepContext) -> M {
        self.lr.push_number(step.lr());
        model
    }

    fn metrics(&self) -> Vec<TrickMetric> {
        vec![self.lr.clone()]
    }

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        self.load_best(&model)?;
        let decision = epoch.decision()?;
        if decision.is_best {
            self.best.keep(&decision, || model.clone());
            self.optimizer.keep_at_next_step();
            epoch.keep();
        }
        let judged = self.judged(decision);
        let Some(restart) = self.back.restart(&judged, &self.best, &model) else {
            let is_reason =
                judged.divergence.is_some() && judged.stop.is_none_or(StopReason::is_divergence);
            if is_reason && decision.limit.is_none() && self.back.done() >= self.config.times {
                epoch.note_used_up();
            }
            return Ok(model);
        };
        self.optimizer.put_back_at_next_step();
        epoch.roll_back();
        Ok(restart.model)
    }

    fn restart(&mut self, _model: &M) {
        self.back = self.back.clone().with_state(RollBackState::default());
        self.best = BestWeights::new();
        self.saved_best = None;
        self.optimizer = OptimizerBackup::default();
    }

    fn obeys_criterion(&self) -> Option<String> {
        Some(Trick::<M>::name(self))
    }

    fn describe(&self) -> Vec<String> {
        let also = if self.on_no_improvement {
            " and on no improvement"
        } else {
            ""
        };
        vec![format!("{:?}{also}", self.config)]
    }

    fn state(&self) -> Option<Vec<u8>> {
        let held = self.best.check().zip(self.best.model());
        let held = held.map(|(check, model)| (check, record_bytes(NAME, model.into_record())));
        let state = State {
            back: self.back.state().clone(),
            best: held.or_else(|| self.saved_best.clone()),
            optimizer: self.optimizer.state(),
        };
        Some(state_to_bytes(&state))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let state: State = state_from_bytes(state)?;
        if let Some((_, best)) = &state.best {
            record_of(NAME, best)?;
        }
        let optimizer = OptimizerBackup::with_state(&state.optimizer)?;
        self.back = self.back.clone().with_state(state.back);
        self.best = BestWeights::new();
        self.saved_best = state.best;
        self.optimizer = optimizer;
        Ok(())
    }
}
