#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod config_error;
mod improvement;

mod walk;

pub use burn_tricks_kernels::accumulation_dtype;
pub use config_error::ConfigError;
pub use improvement::{Goal, Improvement, MinDelta};
pub use walk::{ParamInfo, PathTracker, force_init, params};
