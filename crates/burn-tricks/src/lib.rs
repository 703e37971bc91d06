#![doc = include_str!("../README.md")]

pub use burn_tricks_average as average;
pub use burn_tricks_grad as grad;
pub use burn_tricks_kernels as kernels;
pub use burn_tricks_optim as optim;
pub use burn_tricks_schedule as schedule;
pub use burn_tricks_stop as stop;
#[cfg(feature = "train")]
pub use burn_tricks_train as train;

pub use burn_tricks_core::{ConfigError, Goal, Improvement, MinDelta, force_init};

/// What a training loop needs: our traits, unnamed, and our types, none of which has a name of Burn's.
pub mod prelude {
    pub use burn_tricks_average::{Combine, Ensemble, EnsembleConfig, EnsembleError, Predict};
    pub use burn_tricks_core::{ConfigError, Goal, MinDelta, force_init};
    pub use burn_tricks_grad::{
        ClipGradNorm, ClipGradNormConfig, ClipMode, GradientsExt as _, NonFinite, Norm, NormScope,
        NormalizeGrad, NormalizeGradConfig,
    };
    pub use burn_tricks_optim::{
        DecayMode, DecayScope, Epsilon, Memory, MomentumForm, NormalizedGradient,
        NormalizedGradientConfig, Scope,
    };
    pub use burn_tricks_schedule::{DecayUnit, ExponentialDecay, ExponentialDecayConfig};
    pub use burn_tricks_stop::{
        BestWeights, EarlyStopping, EarlyStoppingConfig, NonFiniteMetric, StopReason, Verdict,
    };
    #[cfg(feature = "train")]
    pub use burn_tricks_train::SupervisedTrainingExt as _;
}

/// The README of the repository, whose programs are tested too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod repository_readme {}
