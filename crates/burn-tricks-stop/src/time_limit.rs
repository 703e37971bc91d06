//! Stops when the training has used up its time.

use crate::criterion::{Observation, StopCriterion};
use crate::decision::{Decision, StopReason};
use burn_tricks_core::{Config, ConfigError, Goal};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

/// Configuration of [`TimeLimit`], which stops when the training has used up its time.
///
/// ```text
/// seconds spent ≥ limit   stop: TimeLimit
/// ```
///
/// The time is wall-clock time from [`start`](StopCriterion::start), which a `Session` of `burn-tricks-train` calls,
/// or else from the first check. The clock is read once per check, so a run ends up to one check late. The state
/// holds the seconds spent, so a resumed run has the rest of the time left; the time between saving and resuming is
/// not counted.
///
/// # Example
///
/// ```
/// use burn_tricks_stop::{Any, EarlyStoppingConfig, Goal, StopCriterion, TimeLimitConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let stop = EarlyStoppingConfig::new(Goal::Minimize).init()?;
/// let mut stop = Any::init((stop, TimeLimitConfig::new(3600.0).init()?))?;
/// stop.start(); // before the first epoch
/// assert!(!stop.observe(0.5).should_stop());
/// # Ok(())
/// # }
/// ```
///
/// With another clock, here one that advances by a minute whenever it is read:
///
/// ```
/// use burn_tricks_stop::{StopCriterion, TimeLimitConfig};
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let minutes = AtomicU32::new(0);
/// let clock = move || f64::from(60 * minutes.fetch_add(1, Ordering::Relaxed));
/// let mut limit = TimeLimitConfig::new(100.0).init_with_clock(clock)?;
/// limit.start(); // at 0 s
/// assert!(!limit.observe(0.5).should_stop()); // at 60 s
/// assert!(limit.observe(0.4).should_stop()); // at 120 s
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `observe` after validation, and combine the limit in [`Any`](crate::Any) with a criterion that looks at the
/// metric: a limit alone reports no best check. In [`All`](crate::All) it is a least time.
///
/// # Cost
///
/// The clock is read once per check.
///
/// # Differences
///
/// Lightning's `Timer` starts with the training and may stop it in the middle of an epoch; it also saves the time
/// spent. Keras and Burn have no limit of time.
///
/// # Suggested values
///
/// The time of the job minus the time of two checks: the run may end one check late, and saving needs time.
///
/// # References
///
/// - Lightning, `callbacks.Timer`
#[derive(Config, Debug, PartialEq)]
pub struct TimeLimitConfig {
    /// The time in seconds, greater than 0. `f64::MAX` never stops.
    pub seconds: f64,
}

impl TimeLimitConfig {
    /// The criterion on the system's monotonic clock, not yet started.
    ///
    /// # Errors
    ///
    /// If `seconds` is not a finite number greater than 0.
    pub fn init(&self) -> Result<TimeLimit, ConfigError> {
        let origin = Instant::now();
        self.init_with_clock(move || origin.elapsed().as_secs_f64())
    }

    /// As [`init`](Self::init), on a clock that tells seconds since any moment. A clock that goes back
    /// adds nothing to the time spent.
    ///
    /// # Errors
    ///
    /// As those of [`init`](Self::init).
    pub fn init_with_clock(
        &self,
        clock: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Result<TimeLimit, ConfigError> {
        Ok(TimeLimit {
            limit: ConfigError::positive("seconds", self.seconds)?,
            clock: Arc::new(clock),
            started: None,
            state: TimeLimitState::default(),
        })
    }
}

/// The part of [`TimeLimit`] that a resumed run needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeLimitState {
    checks: usize,
    seconds_spent: f64,
}

/// Watches the clock. Made by [`TimeLimitConfig::init`]. A clone counts from the same start.
#[derive(Clone)]
pub struct TimeLimit {
    limit: f64,
    clock: Arc<dyn Fn() -> f64 + Send + Sync>,
    /// What the clock told when this run started.
    started: Option<f64>,
    /// As it was when this run started, but for the checks.
    state: TimeLimitState,
}

impl TimeLimit {
    /// The seconds spent so far, those of the runs before this one included.
    pub fn seconds_spent(&self) -> f64 {
        let since = |started: f64| ((self.clock)() - started).max(0.0);
        self.state.seconds_spent + self.started.map_or(0.0, since)
    }
}

impl Debug for TimeLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimeLimit")
            .field("limit", &self.limit)
            // Not when: a session compares this text with that of the run that it resumes.
            .field("started", &self.started.map(|_| ()))
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl StopCriterion for TimeLimit {
    type State = TimeLimitState;

    /// Starts the clock, unless it runs already. The first check does, too.
    fn start(&mut self) {
        if self.started.is_none() {
            self.started = Some((self.clock)());
        }
    }

    fn goal(&self) -> Option<Goal> {
        None
    }

    fn best(&self) -> Option<f64> {
        None
    }

    fn observe(&mut self, _observation: impl Into<Observation>) -> Decision {
        self.start();
        self.state.checks += 1;
        let seconds = self.limit;
        let stop = (self.seconds_spent() >= seconds).then_some(StopReason::TimeLimit { seconds });
        Decision::without_metric(self.state.checks, stop)
    }

    fn state(&self) -> TimeLimitState {
        TimeLimitState {
            checks: self.state.checks,
            seconds_spent: self.seconds_spent(),
        }
    }

    fn with_state(mut self, state: TimeLimitState) -> Self {
        // Where the clock runs already, it runs on from the saved time.
        self.started = self.started.map(|_| (self.clock)());
        self.state = state;
        self
    }

    fn reset_waiting(&mut self) {}
}
