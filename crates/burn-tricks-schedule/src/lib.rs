#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod exponential_decay;

pub use exponential_decay::{DecayUnit, ExponentialDecay, ExponentialDecayConfig};
