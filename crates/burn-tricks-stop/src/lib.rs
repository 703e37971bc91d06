#![doc = include_str!("../README.md")]

mod any_all;
mod best_weights;
mod check_limit;
mod counting;
mod criteria;
mod criterion;
mod decision;
mod early_stopping;
mod generalization_loss;
mod lowest_error;
mod noise_aware;
mod non_finite_metric;
mod progress_quotient;
mod rising_strips;
mod roll_back;
mod smoothed;
mod stop_with_best;
mod time_limit;

pub use any_all::{All, Any, SeveralState};
pub use best_weights::BestWeights;
pub use burn_tricks_core::{ConfigError, Goal, MinDelta, Mismatch};
pub use check_limit::{CheckLimit, CheckLimitConfig, CheckLimitState};
pub use counting::Counting;
pub use criteria::Criteria;
pub use criterion::{Observation, StopCriterion};
pub use decision::{Decision, StopReason};
pub use early_stopping::{EarlyStopping, EarlyStoppingConfig, EarlyStoppingState};
pub use generalization_loss::{
    GeneralizationLoss, GeneralizationLossConfig, GeneralizationLossState,
};
pub use noise_aware::{NoiseAware, NoiseAwareConfig, NoiseAwareState};
pub use non_finite_metric::NonFiniteMetric;
pub use progress_quotient::{ProgressQuotient, ProgressQuotientConfig, ProgressQuotientState};
pub use rising_strips::{RisingStrips, RisingStripsConfig, RisingStripsState};
pub use roll_back::{Restart, RollBack, RollBackConfig, RollBackState};
pub use smoothed::{Smoothed, SmoothedConfig, SmoothedState};
pub use stop_with_best::StopWithBest;
pub use time_limit::{TimeLimit, TimeLimitConfig, TimeLimitState};
