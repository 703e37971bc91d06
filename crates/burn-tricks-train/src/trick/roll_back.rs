//! Roll-back in the `Learner`: when the training diverges, it goes on from its best epoch with a smaller learning
//! rate.
//!
//! ```text
//! at the end of an epoch whose metric diverged or is not finite, at most `times`:
//!     model, optimizer's state ← those of the best epoch
//!     learning rates ← lr_factor^(roll-backs so far) · those of the schedule
//!     patience counts anew
//! ```
//!
//! # Example
//!
//! ```
//! use burn::nn::Linear;
//! use burn_tricks_stop::{EarlyStoppingConfig, Goal, RollBackConfig};
//! use burn_tricks_train::{RollBackTrick, SampleLossMetric};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let stop = EarlyStoppingConfig::new(Goal::Minimize).with_patience(5).init()?;
//! let back = RollBackTrick::init(&SampleLossMetric::new(), stop, &RollBackConfig::new(2))?;
//! // `model.with_tricks((clip, back, ema))`, in a session with `metrics((SampleLossMetric::new(),))`
//! # let back: RollBackTrick<Linear> = back;
//! # assert_eq!(back.done(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! The same metric that got worse, without a divergence, with
//! [`on_no_improvement`](RollBackTrick::on_no_improvement): when patience is used up, the training goes on from the
//! best epoch in place of ending.
//!
//! # Order
//!
//! Before the tricks that look at the weights at the end of an epoch. Averages begin anew with the weights that
//! the training went back to, wherever they stand: those of the diverged run may be NaN for good.
//!
//! The criterion ends the training too, for whatever it does not go back from: give it to no `stop_early` of the
//! session as well. Which epoch is the best for [`SessionResult::best_model`](crate::SessionResult::best_model) is known to
//! the session from `stop_early` alone; a criterion without a divergence limit, say, or [`SaveBest`](crate::SaveBest)
//! for a file.
//!
//! The best weights are those that were trained, not an average. The schedule goes on from where it is. The rate
//! that Burn logs is the schedule's.
//!
//! # Cost
//!
//! A copy of the weights and of the optimizer's state, on the device; in a resumable session both are saved with
//! each checkpoint. A run that does not diverge is the same, bit for bit, with and without it.
//!
//! # Differences and suggested values
//!
//! See [`RollBack`], the same for a loop.

use crate::trick::Trick;
use crate::trick::averages::{record_bytes, record_of};
use crate::trick::epoch_context::{EpochContext, name_of};
use crate::trick::kept_optimizer::KeptOptimizer;
use crate::trick::step_context::StepContext;
use crate::trick::trick_error::TrickError;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::train::metric::Metric;
use burn::train::metric::store::Split;
use burn_tricks_core::{ConfigError, StateError, state_from_bytes, state_to_bytes};
use burn_tricks_stop::{
    BestWeights, Decision, EarlyStopping, RollBack, RollBackConfig, RollBackState, StopCriterion,
    StopReason,
};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// Goes back to the best epoch. See the [module documentation](self).
#[derive(Debug)]
pub struct RollBackTrick<M: Module, C = EarlyStopping> {
    metric: String,
    config: RollBackConfig,
    /// As it was given, to begin anew.
    first: C,
    stop: C,
    back: RollBack,
    on_no_improvement: bool,
    best: BestWeights<M>,
    /// The best weights of a run that is resumed, until there is a model to load them into.
    saved_best: Option<(usize, Vec<u8>)>,
    optimizer: KeptOptimizer,
}

/// What a resumed run needs.
#[derive(Serialize, Deserialize)]
struct State {
    /// As JSON.
    stop: Vec<u8>,
    back: RollBackState,
    best: Option<(usize, Vec<u8>)>,
    optimizer: Vec<u8>,
}

impl<M: Module, C: StopCriterion + Clone> RollBackTrick<M, C> {
    /// Goes back when `stop` sees a divergence in the mean of `metric` in validation, and ends the training when
    /// `stop` says so. The session must register the metric.
    ///
    /// # Errors
    ///
    /// As [`RollBackConfig::init`], and if `stop` looks at no metric.
    pub fn init(
        metric: &impl Metric,
        stop: C,
        config: &RollBackConfig,
    ) -> Result<Self, ConfigError> {
        if !stop.watches_metric() {
            let requirement = "look at the metric, or it sees no divergence";
            return Err(ConfigError::new("stop", requirement, "a limit"));
        }
        Ok(Self {
            metric: name_of(metric),
            config: config.clone(),
            first: stop.clone(),
            stop,
            back: config.init()?,
            on_no_improvement: false,
            best: BestWeights::new(),
            saved_best: None,
            optimizer: KeptOptimizer::default(),
        })
    }

    /// Goes back also when the patience of the criterion is used up.
    pub fn on_no_improvement(mut self) -> Self {
        self.on_no_improvement = true;
        self
    }

    /// How many times the run went back.
    pub fn done(&self) -> usize {
        self.back.done()
    }

    /// The epochs are the checks of this criterion.
    pub fn criterion(&self) -> &C {
        &self.stop
    }

    /// The decision, in which a reason to go back is a divergence.
    fn judged(&self, decision: Decision) -> Decision {
        let mut judged = decision;
        if let Some(StopReason::NoImprovement { .. }) = decision.stop
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
        let record = record_of(NAME, &bytes).map_err(TrickError::new)?;
        // The model of `valid` has running statistics of its own: a record is loaded in place.
        let best = model.valid().try_load_record(record)?;
        self.best = BestWeights::new().with_kept(&best, check, ());
        Ok(())
    }
}

const NAME: &str = "RollBackTrick";

impl<M, C> Trick<M> for RollBackTrick<M, C>
where
    M: Module,
    C: StopCriterion + Clone + Debug + Send,
{
    fn begin(&mut self, _model: &M, optimizer: &mut ModuleOptimizer, step: &mut StepContext) {
        self.optimizer.meet(optimizer);
        step.scale_lr(self.back.lr_scale());
    }

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        self.load_best(&model)?;
        let observation = epoch.observe(&self.metric)?;
        if self.stop.needs_standard_error() && observation.standard_error.is_none() {
            epoch.standard_error(&self.metric, &Split::Valid)?;
        }
        let decision = self.stop.observe(observation);
        let judged = self.judged(decision);
        if decision.is_best {
            self.best.keep(&decision, || model.clone());
            self.optimizer.keep_at_next_step();
        }
        let (best, stop) = (&self.best, &mut self.stop);
        if let Some(restart) = self.back.on(&judged, best, &model, stop, |_| ()) {
            self.optimizer.put_back_at_next_step();
            epoch.roll_back();
            return Ok(restart.model);
        }
        if let Some(reason) = decision.stop {
            epoch.stop(reason);
        }
        Ok(model)
    }

    fn restart(&mut self, _model: &M) {
        self.stop = self.first.clone();
        self.back = self.back.clone().with_state(RollBackState::default());
        self.best = BestWeights::new();
        self.saved_best = None;
        self.optimizer = KeptOptimizer::default();
    }

    fn describe(&self) -> Vec<String> {
        let Self { metric, first, .. } = self;
        let also = if self.on_no_improvement {
            " and on no improvement"
        } else {
            ""
        };
        vec![format!("{:?} by `{metric}`{also}, {first:?}", self.config)]
    }

    fn state(&self) -> Option<Vec<u8>> {
        let held = self.best.check().zip(self.best.model());
        let held = held.map(|(check, model)| (check, record_bytes(NAME, model.into_record())));
        let state = State {
            stop: serde_json::to_vec(&self.stop.state()).expect("a criterion's state is JSON"),
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
        let optimizer = KeptOptimizer::with_state(&state.optimizer)?;
        let stop = serde_json::from_slice(&state.stop)
            .map_err(|error| StateError::from(error.to_string()))?;
        self.stop = self.first.clone().with_state(stop);
        self.back = self.back.clone().with_state(state.back);
        self.best = BestWeights::new();
        self.saved_best = state.best;
        self.optimizer = optimizer;
        Ok(())
    }
}
