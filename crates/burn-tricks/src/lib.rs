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
    Buffers, Config, ConfigError, Derived, Goal, Improvement, MinDelta, Mismatch, Run, Snapshot,
    batch_statistics, force_init,
};

/// What a training loop needs: our traits, unnamed, and our types, none of which has a name of Burn's.
pub mod prelude {
    pub use burn_tricks_average::{
        Combine, CombineError, Ema, EmaConfig, EmaSet, EmaWarmup, Ensemble, EnsembleConfig,
        GreedySoupConfig, Lawa, LawaConfig, Predict, RecalibrationConfig, SnapshotEnsemble,
        SnapshotEnsembleConfig, Swa, SwaConfig, average_checkpoints, uniform_soup,
    };
    pub use burn_tricks_checkpoint::{CheckpointError, Checkpoints};
    pub use burn_tricks_core::{Buffers, ConfigError, Goal, MinDelta, Snapshot, force_init};
    pub use burn_tricks_grad::{
        ClipGradNorm, ClipGradNormConfig, ClipMode, GradientsExt as _, NonFinite, NormKind,
        NormScope, NormalizeGrad, NormalizeGradConfig, StepGuard,
    };
    pub use burn_tricks_nn::{
        DropPathConfig, Forward as _, InceptionBlockConfig, InitWeightsConfig, InputScaler,
        LayerScaleConfig, LsuvConfig, MaxNormConfig, PenaltyConfig, ResNetConfig, ResidualConfig,
        ScaleBy, ScalerConfig, SpectralNormConfig, TiedWeights, UnfittedScaler, UnitNormConfig,
        WeightInit, WeightNormConfig, WeightStandardizationConfig, seeded,
    };
    pub use burn_tricks_optim::{
        Epsilon, Memory, ModuleOptimizerExt as _, MomentumForm, NormalizedGradient,
        NormalizedGradientConfig, WeightDecayMode, WeightDecayScope,
    };
    pub use burn_tricks_schedule::{
        Anneal, BaseRate, CosineConfig, CosineRestartsConfig, Curve as _, Cycles as _,
        CyclicConfig, CyclicMode, ExponentialDecay, ExponentialDecayConfig, InverseSqrtConfig,
        LrDecayShape, LrDecayUnit, LrSchedulerExt as _, ModuleLrSchedulerExt as _, MultiStepConfig,
        OneCycleConfig, Patience, Peak, PlateauConfig, PolynomialConfig, Run, Sequence,
        WarmupConfig, WarmupMode, WarmupStableDecayConfig, WarmupStart,
    };
    pub use burn_tricks_stop::{
        BestWeights, CheckLimitConfig, Decision, EarlyStopping, EarlyStoppingConfig,
        NoiseAwareConfig, NonFiniteMetric, Observation, RollBack, RollBackConfig,
        StopCriterion as _, StopReason, TimeLimitConfig,
    };
    #[cfg(feature = "train")]
    pub use burn_tricks_train::{
        EpochClock, EpochLoaderConfig, GradNorm, Outcome, SampleLossMetric, SessionExt as _,
        SharedPlateau, SupervisedTrainingExt as _, Trick, Tricked, TrickedExt as _, UpdateRatio,
    };
}

/// The README of the repository, whose programs are tested too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod repository_readme {}
