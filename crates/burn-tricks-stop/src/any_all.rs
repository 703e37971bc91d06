//! Several criteria at once: stop when any of them asks to, or only when all do.
//!
//! ```text
//! Any: stop, for the first reason in the order of the criteria, if one of them asks at this check
//! All: stop if each of them asks at this check
//! ```
//!
//! Each criterion is told of each check, whatever the others say. Whether a check is the best, and the
//! best value, are what the *first* criterion says: put the one that watches the metric there.
//!
//! `All` wants the reasons together, at one check: what one of them asked for earlier does not count
//! later. With a least time or a least number of checks this is what one expects of it. If patience was
//! used up before, and the metric has improved since, the run goes on.
//!
//! # Example
//!
//! ```
//! use burn_tricks_stop::{Any, EarlyStoppingConfig, Goal, StopCriterion, TimeLimitConfig};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let patience = EarlyStoppingConfig::new(Goal::Minimize).init()?;
//! let mut stop = Any::new((patience, TimeLimitConfig::new(3600.0).init()?))?;
//! let verdict = stop.observe(0.7);
//! assert!(verdict.improved && !verdict.should_stop());
//! # Ok(())
//! # }
//! ```
//!
//! At least four checks, at most six, and between them patience:
//!
//! ```
//! use burn_tricks_stop::{All, Any, CheckLimitConfig, EarlyStoppingConfig, Goal};
//! use burn_tricks_stop::{StopCriterion, StopReason};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let patience = EarlyStoppingConfig::new(Goal::Minimize).with_patience(1).init()?;
//! let patience = All::new((patience, CheckLimitConfig::new(4).init()?))?;
//! let mut stop = Any::new((patience, CheckLimitConfig::new(6).init()?))?;
//! for loss in [3.0, 4.0, 2.0, 1.0, 0.5] {
//!     assert!(!stop.observe(loss).should_stop()); // the second would have been one too many
//! }
//! assert_eq!(stop.observe(0.6).stop, Some(StopReason::All { criteria: 2 }));
//! # Ok(())
//! # }
//! ```
//!
//! # Where it stands
//!
//! Wherever a criterion does. They nest.
//!
//! [`RollBack`](crate::RollBack) looks for a divergence in the reason. In `Any` the criterion that
//! watches for it should come before the limits, whose reason would hide it if both came at once. `All`
//! hides it always: put the divergence limit beside `All`, not into it.
//!
//! # Cost
//!
//! A list of verdicts per check.
//!
//! # Differences
//!
//! In Keras and Lightning each callback may stop the training: that is `Any`, without one verdict that
//! tells of all. Burn takes one strategy.
//!
//! # Suggested values
//!
//! Patience and divergence in one [`EarlyStopping`](crate::EarlyStopping), `Any` with a limit of time.
//!
//! # References
//!
//! - Lightning, `Trainer(min_epochs, max_time)`: `All` and `Any` with fixed members

use crate::{Criteria, Observation, StopCriterion, StopReason, Verdict, criteria::checked};
use burn_tricks_core::ConfigError;

macro_rules! several {
    ($(#[$doc:meta])* $name:ident: $stop:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name<T> {
            criteria: T,
        }

        impl<T: Criteria> $name<T> {
            /// Of a tuple of two to four criteria, or of a vector.
            ///
            /// # Errors
            ///
            /// If the vector is empty.
            pub fn new(criteria: T) -> Result<Self, ConfigError> {
                checked(criteria).map(|criteria| Self { criteria })
            }

            /// The criteria.
            pub fn criteria(&self) -> &T {
                &self.criteria
            }
        }

        impl<T: Criteria> StopCriterion for $name<T> {
            type State = T::States;

            fn start(&mut self) {
                self.criteria.start_each();
            }

            fn observe(&mut self, observation: impl Into<Observation>) -> Verdict {
                let verdicts = self.criteria.observe_each(observation.into());
                let stop: fn(&[Verdict]) -> Option<StopReason> = $stop;
                Verdict {
                    stop: stop(&verdicts),
                    ..verdicts[0]
                }
            }

            fn state(&self) -> T::States {
                self.criteria.states()
            }

            fn with_state(self, state: T::States) -> Self {
                Self {
                    criteria: self.criteria.with_states(state),
                }
            }

            fn reset_waiting(&mut self) {
                self.criteria.reset_each();
            }
        }
    };
}

several! {
    /// Stops when one of several criteria does.
    Any: |verdicts| verdicts.iter().find_map(|verdict| verdict.stop)
}

several! {
    /// Stops when each of several criteria does, at the same check.
    All: |verdicts| match verdicts {
        [alone] => alone.stop,
        several => several
            .iter()
            .all(Verdict::should_stop)
            .then_some(StopReason::All {
                criteria: several.len(),
            }),
    }
}
