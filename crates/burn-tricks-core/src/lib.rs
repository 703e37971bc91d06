#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod batch_statistics;
mod batch_variance;
mod config_error;
pub mod derived;
mod improvement;
mod leaf;
mod module_tensors;
mod norm_scope;
mod params;
mod place;
mod restore;
mod rounding;
pub mod run;
mod shared_weights;
mod skip_count;
pub mod snapshot;
mod stale;
mod state;
mod tied;
mod unit_axis;
pub mod walk;
mod weight_decay_scope;

pub use batch_variance::BatchVariance;
pub use burn_tricks_derive::Config;
pub use burn_tricks_kernels::accumulation_dtype;
pub use config_error::ConfigError;
pub use derived::Derived;
pub use improvement::{Goal, Improvement, MinDelta};
pub use leaf::Leaf;
pub use norm_scope::NormScope;
pub use params::{ParamInfo, force_init, params};
pub use place::{Mismatch, Place, PlaceKind, places};
pub use rounding::{epsilon, is_rounding};
pub use run::Run;
pub use shared_weights::SharedWeights;
pub use skip_count::SkipCount;
pub use snapshot::{Buffers, Snapshot};
pub use state::{StateError, bytes_to_parts, parts_to_bytes, state_from_bytes, state_to_bytes};
pub use tied::{tie, tied_paths};
pub use unit_axis::{Fans, UnitAxis};
pub use weight_decay_scope::WeightDecayScope;
