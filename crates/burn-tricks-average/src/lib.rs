#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod average;
mod average_on;
mod average_record;
mod average_rule;
mod calibration;
mod checkpoint_files;
mod combine_error;
mod ema;
mod ema_set;
mod ensemble;
mod lawa;
mod recalibration;
mod schedule_free_average;
mod soup;
mod swa;
mod swag;
mod trained_average;
#[doc = include_str!("ensemble/uncertainty.md")]
pub mod uncertainty {}

pub use average::Average;
pub use average_on::AverageOn;
pub use average_record::AverageKind;
pub use average_rule::{AverageRule, Sampling, Update};
pub use burn_tricks_core::{BatchVariance, Bootstrap, Buffers, ConfigError, Derived, Mismatch};
pub use calibration::calibration_error::CalibrationError;
pub use calibration::reliability_diagram::{ReliabilityBin, ReliabilityDiagram};
pub use calibration::temperature::{Calibrated, Temperature};
pub use checkpoint_files::average_checkpoints;
pub use combine_error::CombineError;
pub use ema::{Ema, EmaConfig, EmaWarmup};
pub use ema_set::EmaSet;
pub use ensemble::combine::Combine;
pub use ensemble::member::Member;
pub use ensemble::snapshot_ensemble::{SnapshotEnsemble, SnapshotEnsembleConfig};
pub use ensemble::test_time_augmentation::{TestTimeAugmentation, TestTimeAugmentationConfig};
pub use ensemble::uncertainty::{
    brier_score, disagreement, expected_calibration_error, negative_log_likelihood,
};
pub use ensemble::{Ensemble, EnsembleConfig, Predict};
pub use lawa::{Lawa, LawaConfig};
pub use recalibration::recalibration_error::RecalibrationError;
pub use recalibration::{BatchRule, RecalibrationConfig};
pub use schedule_free_average::{ScheduleFreeAverage, ScheduleFreeAverageConfig};
pub use soup::{GreedySoup, GreedySoupConfig, Ties, uniform_soup};
pub use swa::{Swa, SwaConfig};
pub use swag::{Swag, SwagConfig};
pub use trained_average::TrainedAverage;
