#![doc = include_str!("../README.md")]

pub mod guide;

pub use burn_tricks_average as average;
pub use burn_tricks_checkpoint as checkpoint;
#[cfg(feature = "compare")]
pub use burn_tricks_compare as compare;
pub use burn_tricks_grad as grad;
pub use burn_tricks_kernels as kernels;
pub use burn_tricks_nn as nn;
pub use burn_tricks_optim as optim;
pub use burn_tricks_schedule as schedule;
pub use burn_tricks_stop as stop;
#[cfg(feature = "train")]
pub use burn_tricks_train as train;

pub use burn_tricks_core::{
    Buffers, Config, ConfigError, Derived, Difference, Goal, Improvement, MinDelta, Run, Snapshot,
    batch_statistics, force_init,
};

/// What a training loop needs: our traits, unnamed, and our types, none of which has a name of Burn's.
pub mod prelude {
    pub use burn_tricks_average::{
        Combine, Ema, EmaConfig, EmaSet, EmaWarmup, Ensemble, EnsembleConfig, EnsembleError,
        GreedySoupConfig, Lawa, LawaConfig, Predict, RecalibrationConfig, SnapshotEnsemble,
        SnapshotEnsembleConfig, Swa, SwaConfig, average_checkpoints, uniform_soup,
    };
    pub use burn_tricks_checkpoint::{CheckpointError, Checkpoints};
    pub use burn_tricks_core::{Buffers, ConfigError, Goal, MinDelta, Snapshot, force_init};
    pub use burn_tricks_grad::{
        ClipGradNorm, ClipGradNormConfig, ClipMode, GradientsExt as _, NonFinite, Norm, NormScope,
        NormalizeGrad, NormalizeGradConfig, StepGuard,
    };
    pub use burn_tricks_nn::{
        DropPathConfig, Forward as _, InceptionBlockConfig, InitWeightsConfig, InputScaler,
        LayerScaleConfig, LsuvConfig, MaxNormConfig, PenaltyConfig, ResNetConfig, ResidualConfig,
        ScaleBy, ScalerConfig, SpectralNormConfig, TiedWeights, UnfittedScaler, UnitNormConfig,
        WeightInit, WeightNormConfig, WeightStandardizationConfig, seeded,
    };
    pub use burn_tricks_optim::{
        DecayMode, DecayScope, Epsilon, Memory, ModuleOptimizerExt as _, MomentumForm,
        NormalizedGradient, NormalizedGradientConfig, Scope,
    };
    pub use burn_tricks_schedule::{
        Anneal, BaseRate, CosineConfig, CosineRestartsConfig, Curve as _, Cycles as _,
        CyclicConfig, CyclicMode, DecayShape, DecayUnit, ExponentialDecay, ExponentialDecayConfig,
        InverseSqrtConfig, LrSchedulerExt as _, ModuleLrSchedulerExt as _, MultiStepConfig,
        OneCycleConfig, Patience, Peak, PlateauConfig, PolynomialConfig, Run, Sequence,
        WarmupConfig, WarmupMode, WarmupStableDecayConfig, WarmupStart,
    };
    pub use burn_tricks_stop::{
        BestWeights, CheckLimitConfig, EarlyStopping, EarlyStoppingConfig, NoiseAwareConfig,
        NonFiniteMetric, Observation, RollBack, RollBackConfig, StopCriterion as _, StopReason,
        TimeLimitConfig, Verdict,
    };
    #[cfg(feature = "train")]
    pub use burn_tricks_train::{
        Ended, EpochClock, EpochLoaderConfig, GradNorm, SampleLossMetric, SessionExt as _,
        SharedPlateau, SupervisedTrainingExt as _, Trick, Tricked, TrickedExt as _, UpdateRatio,
    };
}

/// The README of the repository, whose programs are tested too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod repository_readme {}
