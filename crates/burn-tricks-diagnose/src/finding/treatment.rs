//! A prescription as a configuration of a trick.

use crate::finding::prescription::{InitScheme, Prescription};
use burn::nn::DropoutConfig;
use burn_tricks_average::EmaConfig;
use burn_tricks_core::Goal;
use burn_tricks_grad::ClipGradNormConfig;
use burn_tricks_nn::{InitWeightsConfig, ScalerConfig, WeightInit};
use burn_tricks_schedule::WarmupConfig;
use burn_tricks_stop::EarlyStoppingConfig;

/// A prescription as a configuration of a trick, or as a number that a program uses.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Treatment {
    /// Fit this on the training inputs, or on the targets, and scale with it.
    Scaler(ScalerConfig),
    /// Initialise the model with this before training.
    InitWeights(InitWeightsConfig),
    /// Clip the gradients with this before each step.
    ClipGradNorm(ClipGradNormConfig),
    /// Put this in front of the schedule.
    Warmup(WarmupConfig),
    /// Multiply the learning rate by this: `LrSchedulerExt::scaled` of `burn-tricks-schedule`.
    LrFactor(f64),
    /// Draw batches of this size.
    BatchSize(usize),
    /// Give the optimizer this momentum.
    Momentum(f64),
    /// Multiply the number of epochs by this.
    EpochFactor(f64),
    /// Put this between the hidden layers.
    Dropout(DropoutConfig),
    /// Give the optimizer this decay of the weights.
    WeightDecay(f64),
    /// Hand it the validation loss of each epoch.
    EarlyStopping(EarlyStoppingConfig),
    /// Update it after each step, and validate its model.
    Ema(EmaConfig),
    /// Let the parameters at these paths be trained: `set_require_grad(true)` of each.
    Unfreeze(Vec<String>),
    /// Leave these features, counted from 0, out of each row of the inputs.
    RemoveInputs(Vec<usize>),
}

impl Prescription {
    /// The configuration of the trick that this prescription names, or `None` if the program itself must change: another
    /// activation, fewer layers, other code.
    ///
    /// ```
    /// use burn_tricks_diagnose::{Prescription, Treatment};
    ///
    /// let Some(Treatment::ClipGradNorm(clip)) = Prescription::ClipGradNorm { max_norm: 1.0 }.treatment() else {
    ///     unreachable!()
    /// };
    /// let clip = clip.init()?;
    /// # let _ = clip;
    /// # Ok::<(), burn_tricks_core::ConfigError>(())
    /// ```
    pub fn treatment(&self) -> Option<Treatment> {
        Some(match self {
            Self::ScaleInputs | Self::ScaleTargets => Treatment::Scaler(ScalerConfig::standard()),
            Self::InitWeights { scheme } => {
                Treatment::InitWeights(InitWeightsConfig::new(match scheme {
                    InitScheme::He => WeightInit::HE_NORMAL,
                    InitScheme::Xavier => WeightInit::XAVIER_NORMAL,
                    InitScheme::Orthogonal => WeightInit::ORTHOGONAL,
                }))
            }
            Self::ScaleLr { factor } => Treatment::LrFactor(*factor),
            Self::ClipGradNorm { max_norm } => {
                Treatment::ClipGradNorm(ClipGradNormConfig::new(*max_norm))
            }
            Self::Warmup { steps } => Treatment::Warmup(WarmupConfig::new(*steps)),
            Self::BatchSize { size } => Treatment::BatchSize(*size),
            Self::Momentum { momentum } => Treatment::Momentum(*momentum),
            Self::TrainLonger { factor } => Treatment::EpochFactor(*factor),
            Self::Dropout { prob } => Treatment::Dropout(DropoutConfig::new(*prob)),
            Self::WeightDecay { decay } => Treatment::WeightDecay(*decay),
            Self::EarlyStopping { patience } => Treatment::EarlyStopping(
                EarlyStoppingConfig::new(Goal::Minimize).with_patience(*patience),
            ),
            Self::AverageWeights { decay } => Treatment::Ema(EmaConfig::new(*decay)),
            Self::Unfreeze { paths } => Treatment::Unfreeze(paths.clone()),
            Self::RemoveInputs { features } => Treatment::RemoveInputs(features.clone()),
            Self::NormLayers
            | Self::Residual
            | Self::Activation { .. }
            | Self::Shallower
            | Self::Smaller
            | Self::Larger
            | Self::Change { .. } => return None,
        })
    }
}
