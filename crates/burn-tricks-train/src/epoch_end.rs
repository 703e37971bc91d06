//! What happens between two epochs, in the training's own thread.
//!
//! Burn asks after each validation first its checkpointing strategy and then its early-stopping strategy.
//! A session's hooks run once per epoch, at whichever question comes first, so that a checkpoint sees
//! what they did.

use crate::stop_early::MissingMetric;
use crate::tricked::lock;
use crate::{EpochClock, StateError};
use burn::train::metric::MetricName;
use burn::train::metric::store::EventStoreClient;
use burn::train::{EarlyStoppingStrategy, Interrupter, Interruption, TrainingError};
use burn_tricks_stop::StopReason;
use std::sync::{Arc, Mutex};

/// Something that is done at the end of each epoch.
pub(crate) trait EpochHook: Send {
    /// The run begins, or goes on.
    fn start(&mut self) {}

    /// Looks at the epoch's metrics; says why to stop, if so.
    fn end_of_epoch(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Result<Option<StopReason>, MissingMetric>;

    /// Why the run was stopped, now or before it was saved.
    fn stopped(&self) -> Option<StopReason> {
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

    /// What a resumed run needs, if it is not in Burn's checkpoint.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError>;
}

/// All hooks of a run.
#[derive(Clone)]
pub(crate) struct EpochEnd(Arc<Mutex<Inner>>);

struct Inner {
    hooks: Vec<Box<dyn EpochHook>>,
    clock: EpochClock,
    interrupter: Interrupter,
    /// The last epoch that ended.
    last: Option<usize>,
    stopped: Option<StopReason>,
    missing: Option<MissingMetric>,
    failed: Option<Arc<TrainingError>>,
    interrupted: Option<Interruption>,
}

impl EpochEnd {
    pub(crate) fn new(interrupter: Interrupter) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            hooks: Vec::new(),
            clock: EpochClock::new(),
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

    pub(crate) fn set_clock(&self, clock: EpochClock) {
        lock(&self.0).clock = clock;
    }

    /// The run goes on after `epoch`, 0 if it begins.
    pub(crate) fn start_after(&self, epoch: usize) {
        let mut inner = lock(&self.0);
        inner.hooks.iter_mut().for_each(|hook| hook.start());
        inner.clock.set(epoch + 1);
        inner.last = (epoch > 0).then_some(epoch);
        inner.stopped = inner.hooks.iter().find_map(|hook| hook.stopped());
    }

    /// Runs the hooks, once per epoch. Whether to stop.
    pub(crate) fn end_of_epoch(&self, epoch: usize, store: &EventStoreClient) -> bool {
        let inner = &mut *lock(&self.0);
        if inner.last == Some(epoch) {
            return inner.stopped.is_some() || inner.missing.is_some();
        }
        inner.last = Some(epoch);
        for hook in &mut inner.hooks {
            match hook.end_of_epoch(epoch, store) {
                Ok(reason) => inner.stopped = inner.stopped.or(reason),
                Err(missing) => {
                    inner.missing.get_or_insert(missing);
                }
            }
        }
        inner.clock.set(epoch + 1);
        inner.stopped.is_some() || inner.missing.is_some()
    }

    /// What of an error or an interruption the interrupter knows now or knew when it was noted before.
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

    /// The metric by which the best epoch is told: that of the first hook that tells it, even before that
    /// hook knows of a best one. Two hooks may not take turns.
    pub(crate) fn watched(&self) -> Option<MetricName> {
        lock(&self.0).hooks.iter().find_map(|hook| hook.watched())
    }

    pub(crate) fn best_epoch(&self) -> Option<usize> {
        let inner = lock(&self.0);
        let mut hooks = inner.hooks.iter();
        hooks.find(|hook| hook.watched().is_some())?.best_epoch()
    }

    /// The states of all hooks, in their order.
    pub(crate) fn states(&self) -> Vec<Option<Vec<u8>>> {
        lock(&self.0)
            .hooks
            .iter()
            .map(|hook| hook.state())
            .collect()
    }

    pub(crate) fn load_states(&self, states: Vec<Option<Vec<u8>>>) -> Result<(), StateError> {
        let hooks = &mut lock(&self.0).hooks;
        if hooks.len() != states.len() {
            return Err(format!(
                "the run was saved with {} things to do after an epoch (stopping, plateaus), and has {}",
                states.len(),
                hooks.len()
            )
            .into());
        }
        for (hook, state) in hooks.iter_mut().zip(states) {
            match state {
                Some(state) => hook.load_state(&state)?,
                None if hook.state().is_some() => {
                    return Err(
                        "nothing was saved for the stopping of this run: are stopping and \
                                plateau in another order?"
                            .into(),
                    );
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// Notes, when Burn lets go of it at the end of a training, why that ended: Burn's dashboard has the
/// interrupter forget errors and interruptions before anybody can ask for them.
#[derive(Clone)]
pub(crate) struct Witness(pub(crate) EpochEnd);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.noted();
    }
}

impl EarlyStoppingStrategy for Witness {
    fn should_stop(&mut self, epoch: usize, store: &EventStoreClient) -> bool {
        self.0.end_of_epoch(epoch, store)
    }
}
