//! Several criteria as one value: what [`Any`](crate::Any) and [`All`](crate::All) are made of.

use crate::criterion::{Observation, StopCriterion};
use crate::decision::Decision;
use burn_tricks_core::{ConfigError, Goal};
use serde::{Serialize, de::DeserializeOwned};

/// Tuples of two to four criteria, and vectors of criteria of one type. No other type can implement this trait.
pub trait Criteria: sealed::Sealed {
    /// The states of all criteria, in their order.
    type States: Clone + Serialize + DeserializeOwned;

    /// Calls [`StopCriterion::start`] of each criterion.
    fn start_each(&mut self);

    /// The position of the first criterion that [uses the metric](StopCriterion::uses_metric), from 0.
    fn first_with_metric(&self) -> Option<usize>;

    /// The goal of that criterion.
    fn first_goal(&self) -> Option<Goal>;

    /// The decision of each criterion on the next check, in their order. Every criterion observes the check, whatever
    /// the others decide.
    fn observe_each(&mut self, observation: Observation) -> Vec<Decision>;

    /// Whether a criterion [needs a standard error](StopCriterion::needs_standard_error).
    fn one_needs_standard_error(&self) -> bool;

    /// Whether a criterion [needs the metric on the training data](StopCriterion::needs_training).
    fn one_needs_training(&self) -> bool;

    /// The states to save with a checkpoint.
    fn states(&self) -> Self::States;

    /// The criteria with saved states, from which they continue.
    fn with_states(self, states: Self::States) -> Self;

    /// Calls [`StopCriterion::reset_waiting`] of each criterion.
    fn reset_each(&mut self);

    /// The number of criteria.
    fn count(&self) -> usize;
}

mod sealed {
    pub trait Sealed {}
}

/// The criteria, if there is at least one: an empty list would never stop (`Any`) or stop at once (`All`).
pub(crate) fn checked<C: Criteria>(criteria: C) -> Result<C, ConfigError> {
    ConfigError::at_least_one("criteria", criteria.count())?;
    Ok(criteria)
}

impl<C: StopCriterion> sealed::Sealed for Vec<C> {}

impl<C: StopCriterion> Criteria for Vec<C> {
    type States = Vec<C::State>;

    fn start_each(&mut self) {
        self.iter_mut().for_each(StopCriterion::start);
    }

    fn first_with_metric(&self) -> Option<usize> {
        self.iter().position(StopCriterion::uses_metric)
    }

    fn first_goal(&self) -> Option<Goal> {
        self.iter().find_map(StopCriterion::goal)
    }

    fn observe_each(&mut self, observation: Observation) -> Vec<Decision> {
        self.iter_mut()
            .map(|criterion| criterion.observe(observation))
            .collect()
    }

    fn one_needs_standard_error(&self) -> bool {
        self.iter().any(StopCriterion::needs_standard_error)
    }

    fn one_needs_training(&self) -> bool {
        self.iter().any(StopCriterion::needs_training)
    }

    fn states(&self) -> Self::States {
        self.iter().map(StopCriterion::state).collect()
    }

    /// Those that have no saved state stay as they are; states that belong to none are dropped.
    fn with_states(self, states: Self::States) -> Self {
        let mut states = states.into_iter();
        self.into_iter()
            .map(|criterion| match states.next() {
                Some(state) => criterion.with_state(state),
                None => criterion,
            })
            .collect()
    }

    fn reset_each(&mut self) {
        self.iter_mut().for_each(StopCriterion::reset_waiting);
    }

    fn count(&self) -> usize {
        self.len()
    }
}

macro_rules! criteria_of_a_tuple {
    ($count:literal: $($criterion:ident $index:tt),+) => {
        impl<$($criterion: StopCriterion),+> sealed::Sealed for ($($criterion,)+) {}

        impl<$($criterion: StopCriterion),+> Criteria for ($($criterion,)+) {
            type States = ($($criterion::State,)+);

            fn start_each(&mut self) {
                $(self.$index.start();)+
            }

            fn first_with_metric(&self) -> Option<usize> {
                let with_metric = [$(self.$index.uses_metric()),+];
                with_metric.iter().position(|uses| *uses)
            }

            fn first_goal(&self) -> Option<Goal> {
                [$(self.$index.goal()),+].into_iter().flatten().next()
            }

            fn observe_each(&mut self, observation: Observation) -> Vec<Decision> {
                vec![$(self.$index.observe(observation)),+]
            }

            fn one_needs_standard_error(&self) -> bool {
                false $(|| self.$index.needs_standard_error())+
            }

            fn one_needs_training(&self) -> bool {
                false $(|| self.$index.needs_training())+
            }

            fn states(&self) -> Self::States {
                ($(self.$index.state(),)+)
            }

            fn with_states(self, states: Self::States) -> Self {
                ($(self.$index.with_state(states.$index),)+)
            }

            fn reset_each(&mut self) {
                $(self.$index.reset_waiting();)+
            }

            fn count(&self) -> usize {
                $count
            }
        }
    };
}

criteria_of_a_tuple!(2: A 0, B 1);
criteria_of_a_tuple!(3: A 0, B 1, C 2);
criteria_of_a_tuple!(4: A 0, B 1, C 2, D 3);
