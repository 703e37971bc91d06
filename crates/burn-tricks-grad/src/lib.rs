#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod agc;
pub mod auto_clip;
pub mod centralize_grad;
pub mod clip_grad_norm;
pub mod clip_grad_value;
mod each;
mod ext;
mod finite;
mod finite_check;
pub mod freeze;
mod gather;
pub mod grad_accumulator;
pub mod grad_noise;
pub mod loss_scaler;
mod norm;
pub mod normalize_grad;
pub mod norms_by_path;
pub mod only;
pub mod polyak_step;
mod rescale;
pub mod sam;
pub mod step_guard;
pub mod transform;

pub use agc::{Agc, AgcConfig};
pub use auto_clip::{AutoClip, AutoClipConfig};
pub use burn_tricks_core::{ConfigError, NormScope, ParamPaths, StateError};
pub use centralize_grad::{CentralizeGrad, CentralizeGradConfig};
pub use clip_grad_norm::{ClipGradNorm, ClipGradNormConfig, ClipMode};
pub use clip_grad_value::{ClipGradValue, ClipGradValueConfig};
pub use ext::GradientsExt;
pub use finite_check::{NonFiniteGradients, check_finite};
pub use freeze::{Freeze, FreezeConfig};
pub use gather::gather;
pub use grad_accumulator::{GradAccumulator, GradAccumulatorConfig};
pub use grad_noise::{GradNoise, GradNoiseConfig};
pub use loss_scaler::{LossScaler, LossScalerConfig};
pub use norm::{NormKind, global_norm};
pub use normalize_grad::{NormalizeGrad, NormalizeGradConfig};
pub use norms_by_path::{NormsByPath, PathNorms, norms_by_path};
pub use only::Only;
pub use polyak_step::{PolyakStep, PolyakStepConfig};
pub use rescale::NonFinite;
pub use sam::{Perturbation, Sam, SamConfig};
pub use step_guard::{StepGuard, mark_non_finite};
pub use transform::{GradientTransform, NoTransform, Then};
