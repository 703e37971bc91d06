#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod apart;
pub mod batch_statistics;
mod batch_variance;
mod bootstrap;
mod buffers;
mod cast_copy;
mod chart;
mod chart_panel;
mod config_error;
mod derived;
pub mod display;
mod improvement;
mod leaf;
mod lerp_in_walk;
mod list_transform;
mod load_record;
mod module_tensors;
mod norm_scope;
mod param_paths;
mod param_role;
mod params;
mod place;
mod restore;
mod rounding;
mod run;
mod shared_weights;
mod skip_count;
mod snapshot;
mod snapshot_values;
mod stale_derived;
mod state;
mod step_average;
mod tied;
mod unit_axis;
pub mod walk;
mod weight_decay_scope;

pub use batch_variance::BatchVariance;
pub use bootstrap::Bootstrap;
pub use buffers::Buffers;
pub use burn_tricks_derive::{Config, InlineModule};
pub use burn_tricks_kernels::accumulation_dtype;
pub use cast_copy::{cast_copy, copy_statistics};
pub use chart::{Axis, Bar, Chart};
pub use config_error::ConfigError;
pub use derived::Derived;
pub use improvement::{Goal, Improvement, MinDelta};
pub use leaf::Leaf;
pub use lerp_in_walk::LerpInWalk;
pub use list_transform::ListTransform;
pub use load_record::load_record;
pub use norm_scope::NormScope;
pub use param_paths::{ParamPaths, near_names};
pub use param_role::ParamRole;
pub use params::{ParamInfo, force_init, params};
pub use place::{Mismatch, Place, ValueKind, places};
pub use restore::independent_copy;
pub use rounding::{epsilon, is_rounding};
pub use run::Run;
pub use shared_weights::SharedWeights;
pub use skip_count::SkipCount;
pub use snapshot::Snapshot;
pub use state::{
    StateError, bytes_to_parts, named_state_from_bytes, named_state_to_bytes, parts_to_bytes,
    state_from_bytes, state_to_bytes,
};
pub use step_average::{StepAverage, WeightTaker};
pub use tied::{tie, tied_paths};
pub use unit_axis::{Fans, UnitAxis};
pub use weight_decay_scope::WeightDecayScope;

/// The example of `burn-tricks-derive`, which is compiled here: with Burn among its own dependencies, that crate,
/// which is built for the compiler, would have the tests of the workspace build Burn a second time.
#[cfg(doctest)]
#[doc = include_str!("../../burn-tricks-derive/README.md")]
mod derive_readme {}
