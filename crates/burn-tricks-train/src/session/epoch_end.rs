//! What happens between two epochs, in the training's own thread.
//!
//! After each validation, Burn calls first its checkpointing strategy and then its early-stopping strategy. A
//! session's hooks run once per epoch, in the first of these calls, so that the checkpoint includes their changes.

use crate::data::epoch_clock::EpochClock;
use crate::lock::lock;
use crate::metric::split_metric::MissingMetric;
use crate::session::epoch_hook::EpochHook;
use crate::session::results::{CriterionResult, PlateauResult};
use crate::session::run_description::{Setup, is_trick};
use crate::trick::shared::TricksEnd;
use crate::trick::trick_error::TrickError;
use burn::train::metric::MetricName;
use burn::train::metric::store::EventStoreClient;
use burn::train::{EarlyStoppingStrategy, Interrupter, Interruption, TrainingError};
use burn_tricks_checkpoint::{PartError, to_json};
use burn_tricks_core::StateError;
use burn_tricks_stop::{Decision, StopReason};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex};

/// All hooks of a run.
#[derive(Clone)]
pub(crate) struct EpochEnd(Arc<Mutex<Inner>>);

struct Inner {
    hooks: Vec<Box<dyn EpochHook>>,
    clocks: Clocks,
    /// Runs the tricks at the end of an epoch.
    tricks: Option<Box<EndTricks>>,
    /// Why a trick ended the run, now or before the run was saved.
    stopped_by_trick: Option<StopReason>,
    /// Whether the run would have gone back, in the last epoch now or before it was saved, if it were to go back more often.
    used_up: bool,
    trick_failed: Option<Arc<TrickError>>,
    /// Called after the first epoch.
    after_first: Option<Box<AfterFirst>>,
    interrupter: Interrupter,
    /// The last epoch that ended.
    last: Option<usize>,
    stopped: Option<StopReason>,
    missing: Option<MissingMetric>,
    failed: Option<Arc<TrainingError>>,
    interrupted: Option<Interruption>,
}

/// Gets the epoch and its metrics.
type AfterFirst = dyn FnOnce(usize, &EventStoreClient) + Send;

/// Gets the epoch, its metrics, and the decision of the criterion that determines the best epoch.
type EndTricks =
    dyn FnMut(usize, &EventStoreClient, Option<Decision>) -> Result<TricksEnd, TrickError> + Send;

/// The name under which the states of the hooks record that a trick ended the run.
const TRICKS: &str = "tricks";

/// That under which they record that all roll-backs were used up.
const USED_UP: &str = "roll-backs used up";

/// How the data loaders know the epoch on which the order of samples depends.
enum Clocks {
    NotNeeded,
    /// None until one is added.
    Shared(Vec<EpochClock>),
}

/// Why the state of a hook cannot be saved.
#[derive(Debug)]
pub(crate) struct StateNotJson {
    name: String,
    error: PartError,
}

impl Display for StateNotJson {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, error } = self;
        write!(f, "the state of the {name} cannot be saved: {error}")
    }
}

impl std::error::Error for StateNotJson {}

impl EpochEnd {
    pub(crate) fn new(interrupter: Interrupter) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            hooks: Vec::new(),
            clocks: Clocks::Shared(Vec::new()),
            tricks: None,
            stopped_by_trick: None,
            used_up: false,
            trick_failed: None,
            after_first: None,
            interrupter,
            last: None,
            stopped: None,
            missing: None,
            failed: None,
            interrupted: None,
        })))
    }

    pub(crate) fn add(&self, hook: impl EpochHook + 'static) {
        lock(&self.0).hooks.push(Box::new(hook));
    }

    /// Adds a clock, unless it was added before.
    pub(crate) fn add_clock(&self, clock: &EpochClock) {
        let clocks = &mut lock(&self.0).clocks;
        match clocks {
            Clocks::NotNeeded => *clocks = Clocks::Shared(vec![clock.clone()]),
            Clocks::Shared(all) if all.iter().any(|other| other.is_same(clock)) => (),
            Clocks::Shared(all) => all.push(clock.clone()),
        }
    }

    /// Notes that no clock is needed, and forgets those that were added.
    pub(crate) fn set_clock_not_needed(&self) {
        lock(&self.0).clocks = Clocks::NotNeeded;
    }

    /// Whether a clock was added, or none is needed.
    pub(crate) fn knows_clock(&self) -> bool {
        match &lock(&self.0).clocks {
            Clocks::NotNeeded => true,
            Clocks::Shared(clocks) => !clocks.is_empty(),
        }
    }

    /// Sets how the tricks are run at the end of an epoch, after the hooks.
    pub(crate) fn set_tricks(
        &self,
        tricks: impl FnMut(usize, &EventStoreClient, Option<Decision>) -> Result<TricksEnd, TrickError>
        + Send
        + 'static,
    ) {
        lock(&self.0).tricks = Some(Box::new(tricks));
    }

    /// Why a trick failed, if one did.
    pub(crate) fn trick_failed(&self) -> Option<Arc<TrickError>> {
        lock(&self.0).trick_failed.clone()
    }

    /// Sets `work`, which is called after the first epoch of this training.
    pub(crate) fn after_first(&self, work: impl FnOnce(usize, &EventStoreClient) + Send + 'static) {
        lock(&self.0).after_first = Some(Box::new(work));
    }

    /// Adds the descriptions of the hooks and the loaders to `setup`.
    pub(crate) fn describe(&self, setup: &mut Setup) {
        let inner = lock(&self.0);
        if let Clocks::Shared(clocks) = &inner.clocks {
            let loaders = clocks.iter().flat_map(EpochClock::loaders);
            setup.number("epoch loader", loaders);
        }
        for (name, hook) in inner.names().into_iter().zip(&inner.hooks) {
            setup.set(name, hook.describe());
        }
    }

    /// Sets the interrupter of Burn's training.
    pub(crate) fn set_interrupter(&self, interrupter: Interrupter) {
        lock(&self.0).interrupter = interrupter;
    }

    /// Starts the hooks of a run that is resumed after `epoch`, or that begins, if `epoch` is 0.
    pub(crate) fn start_after(&self, epoch: usize) {
        let mut inner = lock(&self.0);
        inner.hooks.iter_mut().for_each(|hook| hook.start());
        inner.last = (epoch > 0).then_some(epoch);
        inner.stopped = inner.why_stopped();
        inner.begin_epoch(epoch + 1);
    }

    /// Runs the hooks, once per epoch, and returns whether to stop.
    pub(crate) fn end_of_epoch(&self, epoch: usize, store: &EventStoreClient) -> bool {
        let inner = &mut *lock(&self.0);
        if inner.last == Some(epoch) {
            return inner.is_over();
        }
        inner.last = Some(epoch);
        for hook in &mut inner.hooks {
            if let Err(missing) = hook.end_of_epoch(epoch, store) {
                inner.missing.get_or_insert(missing);
            }
        }
        let telling = inner.telling();
        let decision = telling.and_then(|at| inner.hooks[at].decision());
        let tricks = inner.tricks.as_mut();
        match tricks.map(|tricks| tricks(epoch, store, decision)) {
            Some(Ok(end)) => {
                inner.stopped_by_trick = end.stop;
                inner.used_up = end.used_up;
                if end.rolled_back {
                    let hooks = inner.hooks.iter_mut().enumerate();
                    hooks.for_each(|(at, hook)| hook.rolled_back(telling == Some(at)));
                }
            }
            Some(Err(error)) => inner.trick_failed = Some(Arc::new(error)),
            None => {}
        }
        inner.stopped = inner.why_stopped();
        inner.begin_epoch(epoch + 1);
        if let Some(work) = inner.after_first.take() {
            work(epoch, store);
        }
        inner.is_over()
    }

    /// The error and the interruption that the interrupter has now, or had when they were noted before.
    pub(crate) fn noted(&self) -> (Option<Arc<TrainingError>>, Option<Interruption>) {
        let inner = &mut *lock(&self.0);
        if let Some(error) = inner.interrupter.error() {
            inner.failed = Some(error);
        }
        if let Some(interruption) = inner.interrupter.interruption() {
            inner.interrupted = Some(interruption);
        }
        (inner.failed.clone(), inner.interrupted.clone())
    }

    pub(crate) fn stopped(&self) -> Option<StopReason> {
        lock(&self.0).stopped
    }

    pub(crate) fn missing(&self) -> Option<MissingMetric> {
        lock(&self.0).missing.clone()
    }

    pub(crate) fn last_epoch(&self) -> Option<usize> {
        lock(&self.0).last
    }

    /// The metric that determines the best epoch: that of the first hook that determines it, even before that hook
    /// knows a best epoch. Two hooks must not take turns.
    pub(crate) fn best_metric(&self) -> Option<MetricName> {
        let inner = lock(&self.0);
        inner.hooks[inner.telling()?].best_metric()
    }

    pub(crate) fn best_epoch(&self) -> Option<usize> {
        lock(&self.0).best_epoch()
    }

    /// The result of each criterion.
    pub(crate) fn criteria(&self) -> Vec<CriterionResult> {
        let hooks = &lock(&self.0).hooks;
        hooks.iter().filter_map(|hook| hook.criterion()).collect()
    }

    /// The result of each plateau.
    pub(crate) fn plateaus(&self) -> Vec<PlateauResult> {
        let hooks = &lock(&self.0).hooks;
        hooks.iter().filter_map(|hook| hook.plateau()).collect()
    }

    /// Lets the hooks and tricks of these names, which have changed since the run was saved, forget that they stopped it.
    /// Which of the tricks did is not known: it may be any that has changed. If one could not go back any more, the hooks
    /// forget what they would have forgotten had it gone back.
    pub(crate) fn reconsider<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let changed: Vec<&str> = names.collect();
        let inner = &mut *lock(&self.0);
        for (name, hook) in inner.names().into_iter().zip(&mut inner.hooks) {
            if changed.contains(&name.as_str()) {
                hook.reconsider(false);
            }
        }
        if changed.iter().any(|name| is_trick(name)) {
            inner.stopped_by_trick = None;
            let telling = inner.telling();
            let hooks = inner.hooks.iter_mut().enumerate();
            for (at, hook) in hooks.filter(|_| inner.used_up) {
                let diverged = hook.stopped().is_some_and(StopReason::is_divergence);
                if diverged || telling == Some(at) {
                    hook.reconsider(true);
                }
            }
        }
    }

    /// The `count` best epochs so far, the best first.
    pub(crate) fn best_epochs(&self, count: usize) -> Vec<usize> {
        let inner = lock(&self.0);
        let telling = inner.telling();
        let ranking = telling.map(|at| inner.hooks[at].ranking());
        let mut epochs = ranking.unwrap_or_default();
        epochs.truncate(count);
        epochs
    }

    /// Lets the hooks forget the rank of every epoch of which `is_kept` is false: its checkpoint is gone.
    pub(crate) fn keep_ranked(&self, is_kept: impl Fn(usize) -> bool) {
        let hooks = &mut lock(&self.0).hooks;
        hooks.iter_mut().for_each(|hook| hook.keep_ranked(&is_kept));
    }

    /// The value of the best epoch.
    pub(crate) fn best_value(&self) -> Option<f64> {
        let inner = lock(&self.0);
        inner.hooks[inner.telling()?].criterion()?.best_value
    }

    /// [`EpochHook::holders`] of the hooks that share a plateau with a schedule.
    pub(crate) fn holders(&self) -> Vec<(MetricName, usize)> {
        let hooks = &lock(&self.0).hooks;
        hooks.iter().filter_map(|hook| hook.holders()).collect()
    }

    /// [`EpochHook::undo`] of each.
    pub(crate) fn undo(&self) -> impl FnOnce() + use<> {
        let hooks = &lock(&self.0).hooks;
        let all: Vec<_> = hooks.iter().map(|hook| hook.undo()).collect();
        || all.into_iter().for_each(|undo| undo())
    }

    /// The states of the hooks that have one, by name.
    ///
    /// # Errors
    ///
    /// If a state holds a number that is not finite: the error names the hook and the field.
    pub(crate) fn states(&self) -> Result<BTreeMap<String, Vec<u8>>, StateNotJson> {
        let inner = lock(&self.0);
        let states = inner.hooks.iter().map(|hook| hook.state());
        let states = inner.names().into_iter().zip(states);
        let states = states.filter_map(|(name, state)| Some((name, state?)));
        let stopped = inner.stopped_by_trick.map(|reason| {
            let state = to_json(&reason).map(String::into_bytes);
            (TRICKS.to_owned(), state)
        });
        let used_up = inner.used_up.then(|| (USED_UP.to_owned(), Ok(Vec::new())));
        let mut by_name = BTreeMap::new();
        for (name, state) in states.chain(stopped).chain(used_up) {
            match state {
                Ok(state) => by_name.insert(name, state),
                Err(error) => return Err(StateNotJson { name, error }),
            };
        }
        Ok(by_name)
    }

    /// Loads the states of the hooks. If no state fits a hook, and `may_be_new` accepts its name, the hook begins
    /// anew.
    pub(crate) fn load_states(
        &self,
        states: &BTreeMap<String, Vec<u8>>,
        may_be_new: impl Fn(&str) -> bool,
    ) -> Result<(), StateError> {
        let inner = &mut *lock(&self.0);
        let stopped = states
            .get(TRICKS)
            .map(|state| serde_json::from_slice(state));
        inner.stopped_by_trick = stopped
            .transpose()
            .map_err(|error| StateError::Unreadable(Box::new(error)))?;
        inner.used_up = states.contains_key(USED_UP);
        for (name, hook) in inner.names().into_iter().zip(&mut inner.hooks) {
            let loaded = match states.get(&name) {
                Some(state) => hook.load_state(state),
                None if hook.state().is_some() => Err(StateError::NotSaved { what: "part" }),
                None => Ok(()),
            };
            match loaded {
                Err(_) if may_be_new(&name) => (),
                Err(error) => {
                    let error = Box::new(error);
                    return Err(StateError::Of { name, error });
                }
                Ok(()) => (),
            }
        }
        Ok(())
    }
}

impl Inner {
    /// The position of the hook that determines the best epoch.
    fn telling(&self) -> Option<usize> {
        self.hooks
            .iter()
            .position(|hook| hook.best_metric().is_some())
    }

    /// Why no epoch comes after the last one, if something is to stop the run. No reason hides that it diverged, except that
    /// a target is reached, if that is the first.
    fn why_stopped(&self) -> Option<StopReason> {
        let stopped = self.hooks.iter().filter_map(|hook| hook.stopped());
        let mut reasons = stopped.chain(self.stopped_by_trick);
        let first = reasons.next()?;
        if first.is_divergence() || matches!(first, StopReason::TargetReached { .. }) {
            return Some(first);
        }
        let divergence = reasons.find(|reason| reason.is_divergence());
        divergence.or(Some(first))
    }

    /// Whether no epoch comes after the last one.
    fn is_over(&self) -> bool {
        self.stopped.is_some() || self.missing.is_some() || self.trick_failed.is_some()
    }

    /// The hooks' names, each once.
    fn names(&self) -> Vec<String> {
        let names: Vec<_> = self.hooks.iter().map(|hook| hook.name()).collect();
        let mut each_once = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let before = names[..at].iter().filter(|other| *other == name).count();
            each_once.push(match before {
                0 => name.clone(),
                _ => format!("{name} ({})", before + 1),
            });
        }
        each_once
    }

    /// Sets the clocks to the next epoch.
    fn begin_epoch(&self, epoch: usize) {
        if let Clocks::Shared(clocks) = &self.clocks {
            clocks.iter().for_each(|clock| clock.set(epoch));
        }
    }

    fn best_epoch(&self) -> Option<usize> {
        self.hooks[self.telling()?].best_epoch()
    }
}

/// Notes why a training ended, when Burn drops this value at the end: Burn's dashboard makes the interrupter forget
/// errors and interruptions before they can be read.
#[derive(Clone)]
pub(crate) struct EndObserver(pub(crate) EpochEnd);

impl Drop for EndObserver {
    fn drop(&mut self) {
        self.0.noted();
    }
}

impl EarlyStoppingStrategy for EndObserver {
    fn should_stop(&mut self, epoch: usize, store: &EventStoreClient) -> bool {
        self.0.end_of_epoch(epoch, store)
    }
}
