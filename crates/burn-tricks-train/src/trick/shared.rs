//! The tricks of a run, which the model, its clones and the session share.

use crate::lock::lock;
use crate::trick::Trick;
use crate::trick::combined::load_part;
use crate::trick::epoch_context::EpochContext;
use crate::trick::learner_probe::LearnerProbe;
use crate::trick::micro_batches::MicroBatches;
use crate::trick::trick_error::TrickError;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Tensor};
use burn::train::ModuleSharder;
use burn::train::metric::store::EventStoreClient;
use burn_tricks_core::{StateError, state_from_bytes, state_to_bytes};
use burn_tricks_grad::{GradientOrder, GradientOrderError};
use burn_tricks_kernels::numbers;
use burn_tricks_stop::{Decision, StopReason};
use serde::{Deserialize, Serialize};
use std::any::type_name;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// The tricks of a run and how many optimizer steps it has taken.
pub(crate) struct SharedTricks<H> {
    tricks: Arc<Mutex<H>>,
    steps: Arc<AtomicU64>,
    /// How many of them the tricks let through to the optimizer.
    taken: Arc<AtomicU64>,
    /// Those whose gradients the next step gets.
    micro_batches: MicroBatches,
    /// Whether Burn's `ddp` trains the model, whose workers have a copy of it each.
    distributed: Arc<AtomicBool>,
    /// The states that go back with the weights, of the epoch that was kept last.
    kept: Arc<Mutex<Option<Vec<u8>>>>,
}

impl<H> Clone for SharedTricks<H> {
    fn clone(&self) -> Self {
        Self {
            tricks: self.tricks.clone(),
            steps: self.steps.clone(),
            taken: self.taken.clone(),
            micro_batches: self.micro_batches.clone(),
            distributed: self.distributed.clone(),
            kept: self.kept.clone(),
        }
    }
}

impl<H: Debug> Debug for SharedTricks<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.tricks.fmt(f)
    }
}

impl<H> SharedTricks<H> {
    pub(crate) fn new(tricks: H) -> Self {
        Self {
            tricks: Arc::new(Mutex::new(tricks)),
            steps: Arc::default(),
            taken: Arc::default(),
            micro_batches: MicroBatches::default(),
            distributed: Arc::default(),
            kept: Arc::default(),
        }
    }

    /// Notes a mapper that Burn applies to the model: each worker of `ddp` begins with that of
    /// `Learner::grad_sharded`.
    pub(crate) fn note_mapper<Mapper: ModuleMapper>(&self) {
        if type_name::<Mapper>() == type_name::<ModuleSharder>() {
            self.distributed.store(true, SeqCst);
        }
    }

    /// Whether Burn's `ddp` trains the model.
    pub(crate) fn is_distributed(&self) -> bool {
        self.distributed.load(SeqCst)
    }

    pub(crate) fn micro_batches(&self) -> &MicroBatches {
        &self.micro_batches
    }

    pub(crate) fn tricks(&self) -> &Arc<Mutex<H>> {
        &self.tricks
    }

    /// The number of the step that begins.
    pub(crate) fn next_step(&self) -> u64 {
        self.steps.fetch_add(1, SeqCst) + 1
    }

    /// Notes that the tricks let a step through to the optimizer.
    pub(crate) fn note_taken(&self) {
        self.taken.fetch_add(1, SeqCst);
    }

    /// Whether the tricks see the gradients in the right order.
    pub(crate) fn check_order<M: Module>(&self) -> Result<(), GradientOrderError>
    where
        H: Trick<M>,
    {
        order_of(&*lock(&self.tricks)).check()
    }

    /// The description of each trick.
    pub(crate) fn describe<M: Module>(&self) -> Vec<String>
    where
        H: Trick<M>,
    {
        lock(&self.tricks).describe()
    }

    /// The tricks begin anew with `model`.
    pub(crate) fn restart<M: Module>(&self, model: &M)
    where
        H: Trick<M>,
    {
        self.steps.store(0, SeqCst);
        self.taken.store(0, SeqCst);
        *lock(&self.kept) = None;
        lock(&self.tricks).restart(model);
    }

    /// The state that a resumed run needs. Waits for the device.
    pub(crate) fn state<M: Module>(&self) -> Vec<u8>
    where
        H: Trick<M>,
    {
        state_to_bytes(&State {
            steps: self.steps.load(SeqCst),
            tricks: lock(&self.tricks).state(),
            kept: lock(&self.kept).clone(),
            taken: self.taken.load(SeqCst),
        })
    }

    /// Resumes from a saved state.
    pub(crate) fn load_state<M: Module>(&self, state: &[u8]) -> Result<(), StateError>
    where
        H: Trick<M>,
    {
        let state = State::from_bytes(state)?;
        let tricks = &mut *lock(&self.tricks);
        load_part(tricks, state.tricks).map_err(|error| error.of_trick(0, || tricks.name()))?;
        self.steps.store(state.steps, SeqCst);
        self.taken.store(state.taken, SeqCst);
        *lock(&self.kept) = state.kept;
        Ok(())
    }

    /// Runs the tricks at the end of an epoch, on the model that `probe` noted. None if it noted no model.
    pub(crate) fn epoch_end<M: Module>(
        &self,
        probe: &LearnerProbe<M>,
        epoch: usize,
        store: &EventStoreClient,
        decision: Option<Decision>,
    ) -> Result<Option<Ended<M>>, TrickError>
    where
        H: Trick<M>,
    {
        let Some((trained, validated)) = probe.noted() else {
            return Ok(None);
        };
        let before = trained.model().clone();
        let mut context = EpochContext::new(epoch, &validated).with_store(store);
        if let Some(decision) = decision {
            context = context.with_decision(decision);
        }
        let tricks = &mut *lock(&self.tricks);
        let model = tricks.epoch_end(trained.model().clone(), &mut context);
        let model = model.map_err(|error| error.of_trick(0, || tricks.name()))?;
        if self.is_distributed() && has_changed(&before, &model) {
            return Err(TrickError::from(
                "a trick has changed the model at the end of an epoch, which only one of the workers of `ddp` \
                 would see: train on a single device or with `multi`",
            ));
        }
        if context.is_kept() {
            *lock(&self.kept) = tricks.roll_back_state();
        }
        if context.is_rolled_back() {
            if let Some(kept) = &*lock(&self.kept) {
                let loaded = tricks.load_roll_back_state(kept);
                loaded.map_err(|error| error.of_trick(0, || tricks.name()))?;
            }
            tricks.rolled_back(&model);
        }
        // The weights that diverged are gone.
        let is_over = |reason: &StopReason| !(context.is_rolled_back() && reason.is_divergence());
        let end = TricksEnd {
            stop: context.stop_reason().filter(is_over),
            rolled_back: context.is_rolled_back(),
            used_up: context.is_used_up(),
        };
        trained.replace(model.clone());
        Ok(Some(Ended {
            end,
            validated,
            model,
        }))
    }
}

/// What a resumed run needs.
#[derive(Serialize, Deserialize)]
struct State {
    steps: u64,
    tricks: Option<Vec<u8>>,
    kept: Option<Vec<u8>>,
    taken: u64,
}

impl State {
    fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        // States were saved without the number of steps that were taken.
        type Before = (u64, Option<Vec<u8>>, Option<Vec<u8>>);
        state_from_bytes(bytes).or_else(|error| {
            let (steps, tricks, kept) = state_from_bytes::<Before>(bytes).map_err(|_| error)?;
            let taken = steps;
            Ok(Self {
                steps,
                tricks,
                kept,
                taken,
            })
        })
    }
}

/// How many steps the tricks had let through to the optimizer when they were saved.
pub(crate) fn taken_steps(state: &[u8]) -> Result<u64, StateError> {
    State::from_bytes(state).map(|state| state.taken)
}

/// The order in which the tricks see the gradients.
pub(crate) fn order_of<M: Module>(tricks: &impl Trick<M>) -> GradientOrder {
    let mut order = GradientOrder::new();
    tricks.gradient_order(&mut order);
    order
}

/// The requests of the tricks at the end of an epoch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TricksEnd {
    /// Why to stop.
    pub(crate) stop: Option<StopReason>,
    /// Whether a trick has replaced the trained weights.
    pub(crate) rolled_back: bool,
    /// Whether a trick would have done so if it had not done it as often as it may.
    pub(crate) used_up: bool,
}

/// An epoch that has ended.
pub(crate) struct Ended<M> {
    pub(crate) end: TricksEnd,
    /// The model as it was validated.
    pub(crate) validated: M,
    /// The model that the tricks returned, which is saved in the checkpoint.
    pub(crate) model: M,
}

/// Whether two versions of a model differ in a weight or in what is trained. They are compared on the device, of
/// which one boolean is read. A NaN equals a NaN.
fn has_changed<M: Module>(before: &M, after: &M) -> bool {
    #[derive(Default)]
    struct Floats(Vec<(bool, Tensor<1>)>);

    impl ModuleVisitor for Floats {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let all = value.shape().num_elements();
            self.0.push((param.is_require_grad(), value.reshape([all])));
        }
    }

    let [mut before_floats, mut after_floats] = [Floats::default(), Floats::default()];
    before.visit(&mut before_floats);
    after.visit(&mut after_floats);
    if before_floats.0.len() != after_floats.0.len() {
        return true;
    }
    let mut differences: Vec<Tensor<1, Bool>> = Vec::new();
    for ((was_trained, old), (is_trained, new)) in before_floats.0.into_iter().zip(after_floats.0) {
        if was_trained != is_trained || old.dtype() != new.dtype() || old.shape() != new.shape() {
            return true;
        }
        let device = differences.first().map_or(old.device(), Tensor::device);
        let new = new.to_device(&old.device());
        let both_nan = old.clone().is_nan().bool_and(new.clone().is_nan());
        let differs = old.not_equal(new).bool_and(both_nan.bool_not());
        differences.push(differs.any().to_device(&device));
    }
    if differences.is_empty() {
        return false;
    }
    #[allow(clippy::disallowed_methods)] // at the end of an epoch
    let changed = Tensor::cat(differences, 0).any().into_data();
    numbers(&changed).contains(&1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    struct Scaled(f32);

    impl ModuleMapper for Scaled {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| value * self.0)
        }
    }

    #[test]
    fn a_state_without_the_number_of_steps_taken_is_loaded() {
        type Plain = Linear;
        let none: Option<Vec<u8>> = None;
        let before = state_to_bytes(&(3_u64, &none, Some(vec![1_u8, 2])));
        let shared = SharedTricks::new(());
        shared.load_state::<Plain>(&before).unwrap();
        assert_eq!(shared.next_step(), 4);
        assert_eq!(taken_steps(&before).unwrap(), 3);
        let now = shared.state::<Plain>();
        assert!(taken_steps(&now).unwrap() > 0 && now.len() > before.len());
        let begun = SharedTricks::new(()).state::<Plain>();
        assert_eq!(taken_steps(&begun).unwrap(), 0);
        for bad in [
            &now[1..],
            &now[..before.len() - 1],
            &[&now[..], &[7]].concat(),
        ] {
            assert!(shared.load_state::<Plain>(bad).is_err());
        }
    }

    #[test]
    fn a_changed_model_is_known() {
        let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
        assert!(!has_changed(&model, &model.clone()));
        assert!(has_changed(&model, &model.clone().no_grad()));
        let other = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
        assert!(has_changed(&model, &other));
        let diverged = model.clone().map(&mut Scaled(f32::NAN));
        assert!(has_changed(&model, &diverged));
        assert!(!has_changed(&diverged, &diverged.clone()));
    }
}
