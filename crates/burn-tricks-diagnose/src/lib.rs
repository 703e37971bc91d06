#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod capacity;
mod doctor;
mod doctor_config;
mod finding;
mod float;
mod history;
mod loss_kind;
mod probe;
mod rate;
mod record;
mod report;
mod rules;
mod targets;

pub use capacity::{
    capacity::{Capacity, TrialKind, TrialResult},
    capacity_test::{CapacityTest, CapacityTestConfig, Trial},
};
pub use doctor::Doctor;
pub use doctor_config::DoctorConfig;
pub use finding::{
    diagnosis::Diagnosis, finding::Finding, kind::FindingKind, prescription::Prescription,
    severity::Severity, treatment::Treatment,
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
pub use probe::Probe;
pub use rate::{
    gradient_noise::GradientNoise,
    lr_range::{LrCurve, LrRange, LrSuggestion},
    lr_range_test::{LrRangeTest, LrRangeTestConfig},
};
pub use targets::Targets;
