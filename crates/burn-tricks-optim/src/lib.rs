#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod ada_belief;
mod ada_delta;
mod ada_grad;
mod ada_max;
mod adam;
mod adam_w;
mod cautious;
mod decoupled_weight_decay;
mod evaluation_weights;
mod fused_step;
mod known_states;
mod lars;
mod lookahead;
mod master_weights;
mod n_adam;
mod normalized_elements;
mod normalized_gradient;
mod normalized_gradient_settings;
mod normalized_gradient_state;
mod normalized_tensor;
mod optimizer_config;
mod optimizer_ext;
mod optimizer_record;
mod optimizer_record_error;
mod pending_step;
mod plan_steps;
mod r_adam;
mod record_entries;
mod rms_prop;
mod rule;
mod rule_state;
mod schedule_free;
mod scheduled;
mod selective_decay;
mod sgd;
mod signum;
pub mod skipped_steps;
mod state_tensor;
mod state_tensors;
mod trust_ratio;
mod weight_decay;
mod wrapper;
mod wrapper_order;

pub use ada_belief::{AdaBelief, AdaBeliefConfig, AdaBeliefRule};
pub use ada_delta::{AdaDelta, AdaDeltaConfig, AdaDeltaRule};
pub use ada_grad::{AdaGrad, AdaGradConfig, AdaGradEpsilon, AdaGradRule, AdaGradState};
pub use ada_max::{Adamax, AdamaxConfig, AdamaxEpsilon, AdamaxRule};
pub use adam::{Adam, AdamConfig, AdamEpsilon, AdamRule, AdamState, AmsGradForm};
pub use adam_w::{AdamW, AdamWConfig};
pub use burn_tricks_core::{
    ConfigError, ListTransform, NormScope, ParamRole, StepAverage, WeightDecayScope, WeightTaker,
};
pub use cautious::{Cautious, CautiousConfig, CautiousWrap};
pub use decoupled_weight_decay::{
    DecoupledWeightDecay, DecoupledWeightDecayConfig, DecoupledWeightDecayWrap,
};
pub use fused_step::FusedStep;
pub use lars::{Lars, LarsConfig, LarsDivisor, LarsRule};
pub use lookahead::{Lookahead, LookaheadConfig, LookaheadWrap};
pub use master_weights::{
    MasterWeights, MasterWeightsConfig, MasterWeightsForm, MasterWeightsWrap,
};
pub use n_adam::{NAdam, NAdamConfig, NAdamRule};
pub use normalized_gradient::{NormalizedGradient, NormalizedGradientConfig};
pub use normalized_gradient_settings::{Epsilon, Memory, MomentumMemory};
pub use normalized_gradient_state::NormalizedGradientState;
pub use optimizer_ext::OptimizerExt;
pub use optimizer_record::{
    ModuleOptimizerExt, check_optimizer_record, check_optimizer_record_file,
};
pub use optimizer_record_error::OptimizerRecordError;
pub use pending_step::{PendingStep, TakenStep};
pub use r_adam::{RAdam, RAdamConfig, RAdamEpsilon, RAdamRule};
pub use rms_prop::{RmsProp, RmsPropConfig, RmsPropRule, RmsPropState};
pub use rule::{Rule, RuleOptimizer};
pub use rule_state::RuleState;
pub use schedule_free::{ScheduleFree, ScheduleFreeConfig, ScheduleFreeWrap};
pub use scheduled::{Scheduled, ScheduledState};
pub use selective_decay::{SelectiveDecay, SelectiveDecayConfig};
pub use sgd::{MomentumForm, Sgd, SgdConfig, SgdRule, SgdState};
pub use signum::{Signum, SignumConfig, SignumRule};
pub use state_tensors::StateField;
pub use trust_ratio::{TrustRatio, TrustRatioConfig, TrustRatioWrap};
pub use weight_decay::WeightDecayMode;
pub use wrapper::{Wrap, WrappedStep, Wrapper, WrapperState};
