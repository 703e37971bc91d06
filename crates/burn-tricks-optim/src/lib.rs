#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod normalized_gradient;
mod normalized_gradient_state;

pub use normalized_gradient::{
    Epsilon, Memory, Momentum, NormalizedGradient, NormalizedGradientConfig, Scope, WeightDecay,
};
pub use normalized_gradient_state::NormalizedGradientState;
