#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod ada_belief;
pub mod ada_delta;
pub mod ada_grad;
pub mod ada_max;
pub mod adam;
pub mod blend;
pub mod descend;
#[cfg(feature = "flex")]
mod element_step;
#[cfg(feature = "flex")]
mod flex;
pub mod lerp;
pub mod n_adam;
pub mod normal;
pub mod normalized;
mod number;
mod precision;
pub mod r_adam;
mod rank;
mod real;
pub mod rms_prop;
pub mod scale;
pub mod sgd;
pub mod skip;
mod special_factor;
pub mod step;
mod step_count;
pub mod sum_of_squares;
mod tensor_list;
pub mod weight_decay_term;

pub use ada_belief::{AdaBeliefStep, TimedAdaBelief};
pub use ada_delta::AdaDeltaStep;
pub use ada_grad::{AdaGradStep, TimedAdaGrad};
pub use ada_max::{AdamaxStep, TimedAdamax};
pub use adam::{AdamStep, AmsGradStep, TimedAdam, TimedAmsGrad};
pub use blend::{blend, blend_all};
pub use descend::descend;
pub use lerp::{lerp, lerp_all};
pub use n_adam::{NAdamStep, TimedNAdam};
pub use normal::add_normal;
pub use normalized::{Mean, NormMemory, NormalizedStep, TimedNormalized, UpdateMemory};
pub use number::Number;
pub use precision::accumulation_dtype;
pub use r_adam::{RAdamStep, TimedRAdam};
pub use real::Real;
pub use rms_prop::RmsPropStep;
pub use scale::{scale, scale_or_nan, scale_or_zero};
pub use sgd::{MomentumStep, SgdStep, TimedMomentum, UpdateMomentumStep};
pub use skip::Skip;
pub use step::{Step, TimedStep};
pub use step_count::StepCount;
pub use sum_of_squares::{SumOfSquares, sum_of_squares};
pub use tensor_list::TensorList;
pub use weight_decay_term::WeightDecayTerm;
