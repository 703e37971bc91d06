#![doc = include_str!("../README.md")]

pub mod guide;

pub use burn_tricks_average as average;
pub use burn_tricks_checkpoint as checkpoint;
#[cfg(feature = "compare")]
pub use burn_tricks_compare as compare;
pub use burn_tricks_data as data;
#[cfg(feature = "diagnose")]
pub use burn_tricks_diagnose as diagnose;
pub use burn_tricks_grad as grad;
pub use burn_tricks_kernels as kernels;
pub use burn_tricks_nn as nn;
pub use burn_tricks_optim as optim;
pub use burn_tricks_schedule as schedule;
pub use burn_tricks_stop as stop;
#[cfg(feature = "train")]
pub use burn_tricks_train as train;

pub use burn_tricks_core::{
    Buffers, Config, ConfigError, Derived, Goal, Improvement, MinDelta, Mismatch, ParamPaths,
    ParamRole, Run, Snapshot, batch_statistics, cast_copy, copy_statistics, force_init,
    load_record,
};

/// Thirty names for a training loop and the `Learner`: `use burn_tricks::prelude::*;` next to
/// `use burn::prelude::*;`.
///
/// | for | names |
/// | --- | --- |
/// | the initial weights and the inputs | [`seeded`], [`force_init`], [`InitWeightsConfig`], [`ScalerConfig`] |
/// | layers and weights | [`DropPathConfig`], [`WeightNormConfig`], [`MaxNormConfig`], [`PenaltyConfig`] |
/// | gradients | [`ClipGradNormConfig`], [`NormalizeGradConfig`], [`StepGuard`] |
/// | the optimizer | [`NormalizedGradientConfig`] |
/// | the learning rate | [`WarmupConfig`], [`CosineConfig`], [`OneCycleConfig`], [`ExponentialDecayConfig`], [`PlateauConfig`], [`Run`] |
/// | averages and ensembles | [`EmaConfig`], [`SwaConfig`], [`RecalibrationConfig`], [`EnsembleConfig`] |
/// | stopping and saving | [`EarlyStoppingConfig`], [`StopWithBest`], [`Goal`], [`Checkpoints`] |
/// | the `Learner` (feature `train`) | `Session`, `EpochLoaderConfig`, `EpochClock`, `Trick` |
///
/// The traits whose methods these types and Burn's optimizers and schedules have come along unnamed:
/// `GradientsExt`, `GradientTransform`, `ModuleOptimizerExt`,
/// `OptimizerExt`, `LrSchedulerExt`, `ModuleLrSchedulerExt`,
/// `Curve`, `Cycles`, `StopCriterion`, `Forward`, `Predict`, and with the feature `train` `SharedPlateauExt`,
/// `SupervisedTrainingExt` and `TrickedExt`. So does Burn's `LrScheduler`, for the `step` of a schedule.
///
/// Everything else is at its crate: `burn_tricks::average::LawaConfig`. No name here is one that Burn
/// exports; our drop-ins for Burn's optimizers have Burn's names (`burn_tricks::optim::AdamWConfig`), and are
/// therefore not here.
///
/// [`seeded`]: prelude::seeded
/// [`InitWeightsConfig`]: prelude::InitWeightsConfig
/// [`ScalerConfig`]: prelude::ScalerConfig
/// [`DropPathConfig`]: prelude::DropPathConfig
/// [`WeightNormConfig`]: prelude::WeightNormConfig
/// [`MaxNormConfig`]: prelude::MaxNormConfig
/// [`PenaltyConfig`]: prelude::PenaltyConfig
/// [`ClipGradNormConfig`]: prelude::ClipGradNormConfig
/// [`NormalizeGradConfig`]: prelude::NormalizeGradConfig
/// [`StepGuard`]: prelude::StepGuard
/// [`NormalizedGradientConfig`]: prelude::NormalizedGradientConfig
/// [`WarmupConfig`]: prelude::WarmupConfig
/// [`CosineConfig`]: prelude::CosineConfig
/// [`OneCycleConfig`]: prelude::OneCycleConfig
/// [`ExponentialDecayConfig`]: prelude::ExponentialDecayConfig
/// [`PlateauConfig`]: prelude::PlateauConfig
/// [`EmaConfig`]: prelude::EmaConfig
/// [`SwaConfig`]: prelude::SwaConfig
/// [`RecalibrationConfig`]: prelude::RecalibrationConfig
/// [`EnsembleConfig`]: prelude::EnsembleConfig
/// [`EarlyStoppingConfig`]: prelude::EarlyStoppingConfig
/// [`StopWithBest`]: prelude::StopWithBest
/// [`Checkpoints`]: prelude::Checkpoints
pub mod prelude {
    pub use burn::lr_scheduler::LrScheduler as _;
    pub use burn_tricks_average::{
        EmaConfig, EnsembleConfig, Predict as _, RecalibrationConfig, SwaConfig,
    };
    pub use burn_tricks_checkpoint::Checkpoints;
    pub use burn_tricks_core::{Goal, Run, force_init};
    pub use burn_tricks_grad::{
        ClipGradNormConfig, GradientTransform as _, GradientsExt as _, NormalizeGradConfig,
        StepGuard,
    };
    pub use burn_tricks_nn::{
        DropPathConfig, Forward as _, InitWeightsConfig, MaxNormConfig, PenaltyConfig,
        ScalerConfig, WeightNormConfig, seeded,
    };
    pub use burn_tricks_optim::{
        ModuleOptimizerExt as _, NormalizedGradientConfig, OptimizerExt as _,
    };
    pub use burn_tricks_schedule::{
        CosineConfig, Curve as _, Cycles as _, ExponentialDecayConfig, LrSchedulerExt as _,
        ModuleLrSchedulerExt as _, OneCycleConfig, PlateauConfig, WarmupConfig,
    };
    pub use burn_tricks_stop::{EarlyStoppingConfig, StopCriterion as _, StopWithBest};
    #[cfg(feature = "train")]
    pub use burn_tricks_train::{
        EpochClock, EpochLoaderConfig, Session, SharedPlateauExt as _, SupervisedTrainingExt as _,
        Trick, TrickedExt as _,
    };
}
