#![doc = include_str!("../README.md")]

mod epoch_batches;
pub mod epoch_clock;
mod epoch_end;
pub mod epoch_loader;
mod finished;
#[doc = include_str!("from_keras_and_lightning.md")]
pub mod from_keras_and_lightning {}
pub mod grad_norm;
mod launch;
mod launch_error;
pub mod plateau;
mod record_file;
mod records_on_trial;
mod retention;
mod run_files;
mod run_lock;
pub mod sample_loss;
pub mod session;
mod session_error;
mod session_metrics;
#[doc = include_str!("several_devices.md")]
pub mod several_devices {}
mod setup;
mod sight;
mod state_error;
pub mod stop_early;
mod stop_handle;
pub mod trick;
pub mod tricked;
pub mod update_ratio;
mod watched;

pub use epoch_clock::EpochClock;
pub use epoch_loader::{EpochLoader, EpochLoaderConfig, Seeded};
pub use finished::{Ended, Finished};
pub use grad_norm::{GradNorm, GradNormMetric};
pub use launch_error::LaunchError;
pub use plateau::SharedPlateau;
pub use sample_loss::SampleLossMetric;
pub use session::{Session, SessionExt};
pub use session_error::SessionError;
pub use session_metrics::SessionMetrics;
pub use setup::Change;
pub use state_error::StateError;
pub use stop_early::{MissingMetric, SupervisedTrainingExt};
pub use stop_handle::StopHandle;
pub use trick::Trick;
pub use tricked::{Tricked, TrickedExt};
pub use update_ratio::{UpdateRatio, UpdateRatioMetric};
