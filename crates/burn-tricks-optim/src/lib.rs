#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod ada_grad;
pub mod adam;
pub mod adam_w;
pub mod normalized_gradient;
mod normalized_gradient_state;
mod normalized_tensor;
mod optimizer_config;
pub mod optimizer_record;
mod optimizer_record_error;
pub mod rms_prop;
pub mod rule;
mod rule_state;
pub mod sgd;
pub mod skipped_steps;
mod state_tensor;
pub mod weight_decay;

pub use ada_grad::{AdaGrad, AdaGradConfig, AdaGradRule, AdaGradState};
pub use adam::{Adam, AdamConfig, AdamRule, AdamState};
pub use adam_w::{AdamW, AdamWConfig};
pub use burn_tricks_core::{ConfigError, NormScope, WeightDecayScope};
pub use normalized_gradient::{
    Epsilon, Memory, MomentumMemory, NormalizedGradient, NormalizedGradientConfig,
};
pub use normalized_gradient_state::NormalizedGradientState;
pub use optimizer_record::{
    ModuleOptimizerExt, check_optimizer_record, check_optimizer_record_file,
};
pub use optimizer_record_error::OptimizerRecordError;
pub use rms_prop::{RmsProp, RmsPropConfig, RmsPropRule, RmsPropState};
pub use rule::{PendingStep, Rule, RuleOptimizer};
pub use rule_state::RuleState;
pub use sgd::{MomentumForm, Sgd, SgdConfig, SgdRule, SgdState};
pub use weight_decay::{WeightDecayMode, WeightDecayRule};
