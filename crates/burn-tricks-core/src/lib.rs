#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod batch_statistics;
mod batch_variance;
mod config_error;
pub mod derived;
mod improvement;
mod norm_scope;
mod place;
mod restore;
mod rounding;
pub mod run;
mod skip_count;
pub mod snapshot;
mod state;
mod tied;
mod unit_axis;
mod values;
mod walk;
mod weight_decay_scope;
mod weights;

pub use batch_variance::BatchVariance;
pub use burn_tricks_derive::Config;
pub use burn_tricks_kernels::accumulation_dtype;
pub use config_error::ConfigError;
pub use derived::Derived;
pub use improvement::{Goal, Improvement, MinDelta};
pub use norm_scope::NormScope;
pub use place::{Mismatch, Place, PlaceKind, places};
pub use rounding::{epsilon, is_rounding};
pub use run::Run;
pub use skip_count::SkipCount;
pub use snapshot::{Buffers, Snapshot};
pub use state::{StateError, bytes_to_parts, parts_to_bytes, state_from_bytes, state_to_bytes};
pub use tied::{tie, tied_paths};
pub use unit_axis::{Fans, UnitAxis};
pub use walk::{ParamInfo, PathTracker, force_init, params};
pub use weight_decay_scope::WeightDecayScope;
pub use weights::Weights;
