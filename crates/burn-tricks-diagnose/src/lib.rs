#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod capacity;
mod diagnosis;
mod doctor;
mod doctor_config;
mod finding;
mod flat;
mod float;
mod history;
mod loss_kind;
mod measurement;
mod numbers;
mod probe;
mod record;
mod report;
mod rules;
mod targets;

pub use burn_tricks_core::ConfigError;
pub use capacity::{
    capacity::{Capacity, TrialKind, TrialResult},
    capacity_test::{CapacityTest, CapacityTestConfig, Trial},
};
pub use diagnosis::Diagnosis;
pub use doctor::Doctor;
pub use doctor_config::DoctorConfig;
pub use finding::{
    finding::Finding, kind::FindingKind, prescription::Prescription, severity::Severity,
    treatment::Treatment,
};
pub use history::{
    History, StepHistory,
    data::{DataHistory, TargetStats},
    epoch::EpochMetrics,
    outputs::OutputHistory,
    param::{ParamHistory, ParamStep, TensorStats},
    probe::{ProbeHistory, ProbeStep},
    structure::{DropoutLayer, Mode, Structure},
};
pub use loss_kind::LossKind;
pub use measurement::{
    lr_range::{LrCurve, LrRange, LrSuggestion},
    lr_range_test::{LrRangeTest, LrRangeTestConfig},
    noise_scale::NoiseScale,
};
pub use probe::Probe;
pub use targets::Targets;
