#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod ada_grad;
pub mod adam;
pub mod adam_w;
mod held;
mod moments;
pub mod normalized_gradient;
mod normalized_gradient_state;
mod normalized_tensor;
pub mod optimizer_record;
mod optimizer_record_error;
pub mod rms_prop;
pub mod sgd;
pub mod skipped_steps;
pub mod weight_decay;

pub use ada_grad::{AdaGrad, AdaGradConfig, AdaGradState};
pub use adam::{Adam, AdamConfig};
pub use adam_w::{AdamW, AdamWConfig};
pub use burn_tricks_core::{ConfigError, NormScope, WeightDecayScope};
pub use moments::AdamState;
pub use normalized_gradient::{
    Epsilon, Memory, MomentumMemory, NormalizedGradient, NormalizedGradientConfig,
};
pub use normalized_gradient_state::NormalizedGradientState;
pub use optimizer_record::{
    ModuleOptimizerExt, check_optimizer_record, check_optimizer_record_file,
};
pub use optimizer_record_error::OptimizerRecordError;
pub use rms_prop::{RmsProp, RmsPropConfig, RmsPropState};
pub use sgd::{MomentumForm, Sgd, SgdConfig, SgdState};
pub use weight_decay::{WeightDecayMode, WeightDecayRule};

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::{ModuleOptimizer, Optimizer};

/// The optimizer of a module, with Burn's clipping if there is one.
fn with_clipping(
    optim: impl Optimizer,
    clipping: Option<&GradientClippingConfig>,
) -> ModuleOptimizer {
    let optim = ModuleOptimizer::from(optim);
    match clipping {
        Some(clipping) => optim.with_grad_clipping(clipping.init()),
        None => optim,
    }
}
