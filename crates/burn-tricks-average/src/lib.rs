#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod average_error;
pub mod checkpoint_files;
pub mod ema;
pub mod ema_set;
pub mod ensemble;
mod ensemble_error;
pub mod lawa;
mod momentum;
mod norm_layers;
mod norm_probe;
pub mod recalibrate;
mod recalibration_error;
mod recorded;
mod running;
mod running_statistics;
pub mod snapshot_ensemble;
pub mod soup;
mod statistics;
pub mod swa;
pub mod uncertainty;

pub use average_error::AverageError;
pub use burn_tricks_core::{Buffers, Derived, Difference};
pub use checkpoint_files::average_checkpoints;
pub use ema::{Ema, EmaConfig, EmaWarmup};
pub use ema_set::EmaSet;
pub use ensemble::{Combine, Ensemble, EnsembleConfig, Predict};
pub use ensemble_error::EnsembleError;
pub use lawa::{Lawa, LawaConfig};
pub use recalibrate::{BatchRule, BatchVariance, RecalibrationConfig};
pub use recalibration_error::RecalibrationError;
pub use snapshot_ensemble::{SnapshotEnsemble, SnapshotEnsembleConfig};
pub use soup::{GreedySoup, GreedySoupConfig, Ties, uniform_soup};
pub use swa::{Swa, SwaConfig};
pub use uncertainty::{
    brier_score, disagreement, expected_calibration_error, negative_log_likelihood,
};
