//! Several criteria at once: stop when any of them asks to, or only when all do.

use crate::criteria::{Criteria, checked};
use crate::criterion::{Observation, StopCriterion};
use crate::decision::{Decision, StopReason};
use burn_tricks_core::{ConfigError, Goal};
use serde::{Deserialize, Serialize};

/// The part of [`Any`] or [`All`] that a resumed run needs. `S` is the type of the criteria's states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeveralState<S> {
    criteria: S,
    /// The best value and its check.
    best: Option<(f64, usize)>,
}

/// The common decision of several criteria about the metric: that of the criterion at position `with_metric`, except
/// that a check which another criterion finds diverged is neither the best nor an improvement. `best` is the best
/// value so far, as that criterion sees it, and its check; it is updated.
fn together(
    decisions: &[Decision],
    with_metric: Option<usize>,
    best: &mut Option<(f64, usize)>,
) -> Decision {
    let decision = decisions[with_metric.unwrap_or(0)];
    let divergence = decisions.iter().find_map(|decision| decision.divergence);
    let is_best = decision.is_best && divergence.is_none();
    if is_best {
        *best = decision.best.map(|best| (best, decision.check));
    }
    Decision {
        is_best,
        improved: decision.improved && divergence.is_none(),
        best: best.map(|(best, _)| best),
        best_check: best.map(|(_, check)| check),
        divergence,
        ..decision
    }
}

macro_rules! several {
    ($(#[$doc:meta])* $name:ident: $stop:expr, $limit:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name<T> {
            criteria: T,
            best: Option<(f64, usize)>,
        }

        impl<T: Criteria> $name<T> {
            /// Combines the criteria of a tuple of two to four, or of a vector.
            ///
            /// # Errors
            ///
            /// If the vector is empty.
            pub fn init(criteria: T) -> Result<Self, ConfigError> {
                checked(criteria).map(|criteria| Self {
                    criteria,
                    best: None,
                })
            }

            /// The criteria.
            pub fn criteria(&self) -> &T {
                &self.criteria
            }
        }

        impl<T: Criteria> StopCriterion for $name<T> {
            type State = SeveralState<T::States>;

            fn start(&mut self) {
                self.criteria.start_each();
            }

            fn goal(&self) -> Option<Goal> {
                self.criteria.first_goal()
            }

            fn best(&self) -> Option<f64> {
                self.best.map(|(best, _)| best)
            }

            fn needs_standard_error(&self) -> bool {
                self.criteria.one_needs_standard_error()
            }

            fn needs_training(&self) -> bool {
                self.criteria.one_needs_training()
            }

            fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
                let decisions = self.criteria.observe_each(observation.into());
                let with_metric = self.criteria.first_with_metric();
                let [stop, limit]: [fn(&[Decision]) -> Option<StopReason>; 2] = [$stop, $limit];
                Decision {
                    limit: limit(&decisions),
                    stop: stop(&decisions),
                    ..together(&decisions, with_metric, &mut self.best)
                }
            }

            fn state(&self) -> Self::State {
                SeveralState {
                    criteria: self.criteria.states(),
                    best: self.best,
                }
            }

            fn with_state(self, state: Self::State) -> Self {
                Self {
                    criteria: self.criteria.with_states(state.criteria),
                    best: state.best,
                }
            }

            fn reset_waiting(&mut self) {
                self.criteria.reset_each();
            }
        }
    };
}

several! {
    /// Several criteria at once, which stop the training when one of them asks to.
    ///
    /// ```text
    /// Any: stop if one of them asks at this check, for the first reason in the order of the criteria;
    ///      if one of them saw a divergence, for the divergence, unless that reason is TargetReached
    /// All: stop if each of them asks at this check; the reason is a divergence, if one of them saw it,
    ///      else the only reason that is no limit, if there is exactly one, and the first limit, if there is none
    /// ```
    ///
    /// Every criterion observes every check, whatever the others decide. One criterion decides which check is the best,
    /// whether a check is an improvement, and how many checks patience has waited: the first in the list that looks at
    /// the metric, which limits of time and of checks do not. If another criterion finds at a check that the metric
    /// diverged, that check is neither the best nor an improvement; later checks are compared with it all the same, by the
    /// criterion that decides. If no criterion looks at the metric, no check is
    /// known to be the best: [`Decision::best`] is none, and [`BestWeights`](crate::BestWeights) keeps nothing.
    ///
    /// `All` stops if all criteria ask to stop at the same check: a request at an earlier check does not count later.
    /// This suits a least time or a least number of checks: if patience was used up before that, and the metric has
    /// improved since, the run continues. If it has not, the reason is that patience is used up.
    ///
    /// # Example
    ///
    /// ```
    /// use burn_tricks_stop::{Any, EarlyStoppingConfig, Goal, StopCriterion, TimeLimitConfig};
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let patience = EarlyStoppingConfig::new(Goal::Minimize).init()?;
    /// let mut stop = Any::init((TimeLimitConfig::new(3600.0).init()?, patience))?;
    /// let decision = stop.observe(0.7);
    /// assert!(decision.is_best && !decision.should_stop());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// At least four checks, at most six, and patience in between:
    ///
    /// ```
    /// use burn_tricks_stop::{All, Any, CheckLimitConfig, EarlyStoppingConfig, Goal};
    /// use burn_tricks_stop::{StopCriterion, StopReason};
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let patience = EarlyStoppingConfig::new(Goal::Minimize).with_patience(1).init()?;
    /// let patience = All::init((patience, CheckLimitConfig::new(4).init()?))?;
    /// let mut stop = Any::init((patience, CheckLimitConfig::new(6).init()?))?;
    /// for loss in [3.0, 4.0, 2.0, 1.0, 0.5] {
    ///     assert!(!stop.observe(loss).should_stop()); // the second would have been one too many
    /// }
    /// assert_eq!(stop.observe(0.6).stop, Some(StopReason::NoImprovement { checks: 1 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Order
    ///
    /// Use it wherever a single criterion is used. `Any` and `All` nest.
    ///
    /// A divergence that one of the criteria sees is in [`Decision::divergence`], even if `All` does not stop, and
    /// so [`RollBack`](crate::RollBack) sees it. If `Any` stops at that check, the divergence is the reason, so that a
    /// failed run does not look like a success: whatever the order of the criteria, another reason hides it only if it is
    /// the first and says that the target is reached. If `Any` reaches a limit of time or of checks at the same check,
    /// [`Decision::limit`] has the limit: the run ends without a roll-back. Within `All` a limit ends the run only if all
    /// criteria reach one.
    ///
    /// # Cost
    ///
    /// A list of decisions per check. The state consists of the states of the criteria, the best value and its check.
    ///
    /// # Differences
    ///
    /// In Keras and Lightning each callback may stop the training, as in `Any`, but there is no common decision. Burn
    /// takes one strategy only.
    ///
    /// # Suggested values
    ///
    /// `Any` of a limit of time and one [`EarlyStopping`](crate::EarlyStopping) with patience and a divergence limit.
    ///
    /// # References
    ///
    /// - Lightning, `Trainer(min_epochs, max_time)`: `All` and `Any` with fixed members
    Any: |decisions| {
        let first = decisions.iter().find_map(|decision| decision.stop)?;
        let divergence = decisions.iter().find_map(|decision| decision.divergence);
        let reached = matches!(first, StopReason::TargetReached { .. });
        divergence.filter(|_| !reached).or(Some(first))
    },
    |decisions| decisions.iter().find_map(|decision| decision.limit)
}

several! {
    /// Several criteria at once, which stop the training when all of them ask to at the same check. See [`Any`] for what
    /// the two have in common.
    All: |decisions| match decisions {
        [alone] => alone.stop,
        several if several.iter().all(Decision::should_stop) => {
            let divergence = several.iter().find_map(|decision| decision.divergence);
            let reasons = || several.iter().filter_map(|decision| decision.stop);
            let others: Vec<StopReason> = reasons().filter(|reason| !reason.is_limit()).collect();
            Some(divergence.unwrap_or(match others[..] {
                [] => reasons().next()?,
                [only] => only,
                _ => StopReason::All {
                    criteria: several.len(),
                },
            }))
        }
        _ => None,
    },
    |decisions| {
        let first = decisions.first()?.limit;
        first.filter(|_| decisions.iter().all(|decision| decision.limit.is_some()))
    }
}
