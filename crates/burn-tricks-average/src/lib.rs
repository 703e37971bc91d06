#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod ensemble;
mod ensemble_error;

pub use ensemble::{Combine, Ensemble, EnsembleConfig, Predict};
pub use ensemble_error::EnsembleError;
