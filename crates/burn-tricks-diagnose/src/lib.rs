#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod capacity;
mod child_process;
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
mod replay;
mod report;
mod rules;
mod targets;
#[cfg(feature = "compare")]
mod verify;

pub use burn_tricks_core::ConfigError;
pub use capacity::{
    capacity::{Capacity, TrialKind, TrialResult},
    capacity_test::{CapacityTest, CapacityTestConfig, Trial},
};
pub use child_process::{ChildProcessError, in_child_process, in_child_process_of};
pub use diagnosis::Diagnosis;
pub use doctor::Doctor;
pub use doctor_config::DoctorConfig;
pub use finding::{
    finding::Finding,
    kind::FindingKind,
    prescription::{InitScheme, Prescription},
    severity::Severity,
    treatment::Treatment,
};
pub use history::{
    History, StepHistory,
    closeness::Closeness,
    data::DataHistory,
    epoch::EpochMetrics,
    linear_fit::LinearFit,
    loss_check::LossCheck,
    neighbours::Neighbours,
    norm::NormHistory,
    output_fit::OutputFit,
    outputs::OutputHistory,
    param::{ParamHistory, ParamStep, TensorStats},
    position::{BatchPosition, FirstNonFinite},
    probe::{ProbeHistory, ProbeStep},
    reference::ReferenceFit,
    structure::{DropoutLayer, Mode, Structure},
    target::TargetStats,
};
pub use loss_kind::LossKind;
pub use measurement::{
    lr_range::{LrCurve, LrRange, LrSuggestion},
    lr_range_test::{LrRangeTest, LrRangeTestConfig},
    noise_scale::NoiseScale,
};
pub use probe::Probe;
pub use replay::{
    last_good::{GoodState, LastGood, LastGoodConfig},
    origin::{NonFiniteOrigin, NonFinitePlace},
};
pub use targets::Targets;
#[cfg(feature = "compare")]
pub use verify::{Verification, VerifyConfig, VerifyError};
