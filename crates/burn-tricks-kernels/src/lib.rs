#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod ada_belief;
mod ada_delta;
mod ada_grad;
mod ada_max;
mod adam;
mod ahead;
mod any_arithmetic;
mod any_tensor;
mod batch_norm;
mod behind;
mod blend;
mod cast;
mod cautious;
mod clamp;
mod clip_units;
mod compensation;
#[cfg(feature = "cube")]
mod cube;
mod descend;
mod drop_blocks;
mod factor;
#[cfg(feature = "flex")]
mod flex;
mod gpu_kernels;
mod hidden;
mod keep_buffer;
mod lerp;
mod lerp_task;
mod n_adam;
mod noise;
mod norm_number;
mod normal;
mod normal_keys;
mod normalized;
mod normalized_memory;
mod number;
mod numbers;
mod precision;
mod prodigy;
mod r_adam;
mod rank;
mod real;
mod refuse;
mod rescaled;
mod rms_prop;
mod scale;
mod sgd;
mod skip;
mod special_factor;
mod spectral_norm;
mod standardize_units;
mod step;
mod step_count;
mod steps_together;
mod sum_of_squares;
mod summary;
mod take_over;
mod tensor_list;
mod tensor_number;
#[cfg(feature = "cube")]
mod trace;
mod unit_clip;
mod weight_decay_term;
mod weight_norm;
mod without_autodiff;

pub use ada_belief::{AdaBeliefStep, TimedAdaBelief};
pub use ada_delta::AdaDeltaStep;
pub use ada_grad::{AdaGradStep, TimedAdaGrad};
pub use ada_max::{AdamaxStep, TimedAdamax};
pub use adam::{
    AdamStep, AmsGradStep, CorrectedAmsGradStep, TimedAdam, TimedAmsGrad, TimedCorrectedAmsGrad,
};
pub use ahead::ahead;
pub use any_arithmetic::AnyMask;
pub use any_tensor::AnyTensor;
pub use batch_norm::{
    BatchNormed, fixed_batch_norm, fixed_batch_norm_twin, ghost_batch_norm, ghost_batch_norm_twin,
};
pub use behind::behind;
pub use blend::{blend, blend_all, blend_any, blend_twin};
pub use cast::cast;
pub use cautious::{cautious, cautious_any, cautious_twin};
pub use clamp::{clamp, clamp_twin};
pub use clip_units::{clip_units, clip_units_all, clip_units_twin};
pub use compensation::{
    cast_into, compensated, compensated_twin, split_compensation, split_compensation_twin,
};
pub use descend::{descend, descend_any, descend_twin};
pub use drop_blocks::{Blocks, drop_blocks, drop_blocks_twin};
pub use factor::{Factor, Multiple};
pub use gpu_kernels::use_gpu_kernels;
pub use keep_buffer::keep_buffer;
pub use lerp::{lerp, lerp_all, lerp_any, lerp_twin};
pub use lerp_task::LerpTask;
pub use n_adam::{NAdamStep, TimedNAdam};
pub use noise::{Noise, noise, noise_twin};
pub use norm_number::{NormNumber, number_of_norm};
pub use normal::{add_normal, add_normal_twin};
pub use normal_keys::key_of;
pub use normalized::{NormalizedStep, TimedNormalized};
pub use normalized_memory::{Mean, NormMemory, UpdateMemory};
pub use number::Number;
pub use numbers::numbers;
pub use precision::{accumulation_dtype, safe_divisor};
pub use prodigy::{ProdigyNumbers, ProdigyStep, ProdigySums, prodigy_sums, prodigy_sums_twin};
pub use r_adam::{RAdamStep, TimedRAdam};
pub use real::Real;
pub use rescaled::Rescaled;
pub use rms_prop::RmsPropStep;
pub use scale::{
    scale, scale_or_nan, scale_or_nan_twin, scale_or_zero, scale_or_zero_twin, scale_twin,
};
pub use sgd::{MomentumStep, SgdStep, TimedMomentum, UpdateMomentumStep};
pub use skip::Skip;
pub use spectral_norm::{SpectralNormed, spectral_norm, spectral_norm_twin};
pub use standardize_units::{UnitDeviation, standardize_units, standardize_units_twin};
pub use step::{Step, TimedStep};
pub use step_count::StepCount;
pub use steps_together::{PlannedStep, take_together};
pub use sum_of_squares::{SumOfSquares, sum_of_squares, sum_of_squares_twin};
pub use summary::{
    SUMMARY, distance, distance_twin, norm, norm_twin, summary, summary_twin, unit_ranges,
    unit_ranges_twin,
};
pub use take_over::{take_over, take_over_twin};
pub use tensor_list::{TensorList, TensorTaker};
pub use tensor_number::{SquareSum, TensorNumber, change_together};
pub use unit_clip::UnitClip;
pub use weight_decay_term::WeightDecayTerm;
pub use weight_norm::{unit_norms, weight_norm, weight_norm_twin};
pub use without_autodiff::without_autodiff;
