#![doc = include_str!("../README.md")]

pub mod best_weights;
pub mod early_stopping;

pub use best_weights::BestWeights;
pub use burn_tricks_core::{Goal, MinDelta};
pub use early_stopping::{
    EarlyStopping, EarlyStoppingConfig, EarlyStoppingState, NonFiniteMetric, StopReason, Verdict,
};
