#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod data;
#[doc = include_str!("from_keras_and_lightning.md")]
pub mod from_keras_and_lightning {}
mod lock;
mod metric;
mod plateau;
mod session;
#[doc = include_str!("several_devices.md")]
pub mod several_devices {}
mod stop;
mod trick;

pub use burn_tricks_checkpoint::Change;
pub use burn_tricks_core::{ConfigError, StateError};
pub use burn_tricks_data::Seeded;
pub use data::epoch_clock::EpochClock;
pub use data::epoch_loader::EpochLoader;
pub use data::epoch_loader_config::EpochLoaderConfig;
pub use data::session_loader::SessionLoader;
pub use metric::sample_loss::SampleLossMetric;
pub use metric::split_metric::MissingMetric;
pub use metric::standard_error::StandardErrorMetric;
pub use plateau::{SharedPlateau, SharedPlateauExt};
pub use session::builder::Session;
pub use session::checkpoint_fault::CheckpointFault;
pub use session::launch_error::LaunchError;
pub use session::results::{CriterionResult, PlateauResult};
pub use session::session_error::SessionError;
pub use session::session_metrics::SessionMetrics;
pub use session::session_result::{Outcome, SessionResult};
pub use stop::stop_early::SupervisedTrainingExt;
pub use stop::stop_handle::StopHandle;
pub use trick::Trick;
#[cfg(feature = "diagnose")]
pub use trick::doctor::DoctorTrick;
pub use trick::epoch_context::EpochContext;
pub use trick::grad_norm::GradNorm;
pub use trick::gradient_transforms::AsTrick;
pub use trick::mean_of_accumulated::MeanOfAccumulated;
pub use trick::roll_back::RollBackTrick;
pub use trick::save_best::SaveBest;
pub use trick::scheduled_dropout::ScheduledDropout;
pub use trick::snapshots::{SnapshotTrick, SnapshotTrickConfig};
pub use trick::step_context::StepContext;
pub use trick::stop_after_marked::StopAfterMarked;
pub use trick::stop_after_skips::StopAfterSkips;
pub use trick::trick_error::TrickError;
pub use trick::trick_metric::TrickMetric;
pub use trick::tricked::{Tricked, TrickedExt};
pub use trick::unfreezing::{GradualUnfreezing, GradualUnfreezingConfig};
pub use trick::update_ratio::UpdateRatio;
