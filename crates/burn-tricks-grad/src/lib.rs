#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

pub mod clip_grad_norm;
mod ext;
mod finite_check;
pub mod freeze;
mod norm;
pub mod normalize_grad;
pub mod polyak_step;
mod rescale;
pub mod sam;
pub mod step_guard;
pub mod transform;

pub use burn_tricks_core::{ConfigError, NormScope};
pub use clip_grad_norm::{ClipGradNorm, ClipGradNormConfig, ClipMode};
pub use ext::GradientsExt;
pub use finite_check::{NonFiniteGradients, check_finite};
pub use freeze::{Freeze, FreezeConfig};
pub use norm::{NormKind, global_norm};
pub use normalize_grad::{NormalizeGrad, NormalizeGradConfig};
pub use polyak_step::{PolyakStep, PolyakStepConfig};
pub use rescale::NonFinite;
pub use sam::{Perturbation, Sam, SamConfig};
pub use step_guard::{StepGuard, mark_non_finite};
pub use transform::{GradientTransform, NoTransform, Then};
