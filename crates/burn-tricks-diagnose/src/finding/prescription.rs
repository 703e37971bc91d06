//! What to try.

use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// How initial weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum InitScheme {
    /// He's deviation √(2/inputs), for ReLU and what is like it, and where the activation is not known.
    He,
    /// Xavier's (Glorot's) deviation √(2/(inputs + outputs)), for the hyperbolic tangent and the logistic sigmoid.
    Xavier,
    /// Orthogonal matrices, for the weights of a recurrent layer, which a signal passes in each time step.
    Orthogonal,
}

/// A change to try against a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Prescription {
    /// Scale the inputs to mean 0 and standard deviation 1: `ScalerConfig` of `burn-tricks-nn`.
    ScaleInputs,
    /// Scale the targets to mean 0 and standard deviation 1, and the predictions back: `ScalerConfig` of
    /// `burn-tricks-nn`.
    ScaleTargets,
    /// Draw the initial weights anew: `InitWeightsConfig` of `burn-tricks-nn`.
    InitWeights {
        /// How they are drawn.
        scheme: InitScheme,
    },
    /// Multiply the learning rate by `factor`.
    ScaleLr {
        /// The factor.
        #[serde(with = "crate::float")]
        factor: f64,
    },
    /// Clip the gradients at this norm over the whole model: `ClipGradNormConfig` of `burn-tricks-grad`.
    ClipGradNorm {
        /// The largest norm that stays as it is.
        #[serde(with = "crate::float")]
        max_norm: f64,
    },
    /// Raise the learning rate from 0 over the first steps: `WarmupConfig` of `burn-tricks-schedule`.
    Warmup {
        /// The steps of the warm-up.
        steps: usize,
    },
    /// Use batches of `size` rows.
    BatchSize {
        /// The rows of a batch.
        size: usize,
    },
    /// Set the momentum to `momentum`.
    Momentum {
        /// The momentum.
        #[serde(with = "crate::float")]
        momentum: f64,
    },
    /// Train for `factor` times as many steps.
    TrainLonger {
        /// The factor.
        #[serde(with = "crate::float")]
        factor: f64,
    },
    /// Normalise the signal between the layers: Burn's `BatchNorm` or `LayerNorm`.
    NormLayers,
    /// Add skip connections: `ResidualConfig` of `burn-tricks-nn`.
    Residual,
    /// Use another activation in the hidden layers.
    Activation {
        /// Its name.
        name: String,
    },
    /// Make the network less deep, or wider.
    Shallower,
    /// Use fewer parameters.
    Smaller,
    /// Use more parameters.
    Larger,
    /// Set dropout to this probability.
    Dropout {
        /// The probability of dropping a value.
        #[serde(with = "crate::float")]
        prob: f64,
    },
    /// Decay the weights at this rate: `weight_decay` of the optimizer.
    WeightDecay {
        /// The decay.
        #[serde(with = "crate::float")]
        decay: f64,
    },
    /// Stop when the validation loss no longer improves, and keep the best weights: `EarlyStoppingConfig` of
    /// `burn-tricks-stop`.
    EarlyStopping {
        /// Checks without an improvement.
        patience: usize,
    },
    /// Average the weights: `EmaConfig` of `burn-tricks-average`.
    AverageWeights {
        /// The decay of the moving average per step.
        #[serde(with = "crate::float")]
        decay: f64,
    },
    /// Let the parameters at these paths be trained.
    Unfreeze {
        /// The paths of the frozen parameters.
        paths: Vec<String>,
    },
    /// Take these features out of the inputs.
    RemoveInputs {
        /// Their places in a row of the inputs, from 0.
        features: Vec<usize>,
    },
    /// Change the program as the text says: no setting does it.
    Change {
        /// What to change.
        text: String,
    },
}

impl Prescription {
    /// A change that no setting makes.
    pub(crate) fn change(text: impl Into<String>) -> Self {
        Self::Change { text: text.into() }
    }
}

impl Display for Prescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ScaleInputs => write!(
                f,
                "scale the inputs to mean 0 and deviation 1 (nn::ScalerConfig)"
            ),
            Self::ScaleTargets => write!(
                f,
                "scale the targets to mean 0 and deviation 1, and the predictions back (nn::ScalerConfig)"
            ),
            Self::InitWeights { scheme } => {
                let how = match scheme {
                    InitScheme::He => "with He's deviation, for ReLU",
                    InitScheme::Xavier => "with Xavier's deviation, for tanh or sigmoid",
                    InitScheme::Orthogonal => "as orthogonal matrices",
                };
                write!(f, "initialise the weights {how} (nn::InitWeightsConfig)")
            }
            Self::ScaleLr { factor } if *factor < 1.0 => {
                write!(f, "divide the learning rate by {}", short(1.0 / factor))
            }
            Self::ScaleLr { factor } => {
                write!(f, "multiply the learning rate by {}", short(*factor))
            }
            Self::ClipGradNorm { max_norm } => write!(
                f,
                "clip the gradients at norm {} (grad::ClipGradNormConfig)",
                short(*max_norm)
            ),
            Self::Warmup { steps } => write!(
                f,
                "warm the rate up over {steps} steps (schedule::WarmupConfig)"
            ),
            Self::BatchSize { size } => write!(f, "use batches of {size} rows"),
            Self::Momentum { momentum } => write!(f, "set the momentum to {momentum}"),
            Self::TrainLonger { factor } => {
                write!(f, "train for {} times as many steps", short(*factor))
            }
            Self::NormLayers => write!(f, "put a batch or layer norm between the layers"),
            Self::Residual => write!(f, "add skip connections (nn::ResidualConfig)"),
            Self::Activation { name } => write!(f, "use {name} in the hidden layers"),
            Self::Shallower => write!(f, "use fewer or wider layers"),
            Self::Smaller => write!(f, "use fewer parameters"),
            Self::Larger => write!(f, "use more parameters"),
            Self::Dropout { prob } => write!(f, "set dropout to {prob}"),
            Self::WeightDecay { decay } => write!(f, "decay the weights at {decay}"),
            Self::EarlyStopping { patience } => write!(
                f,
                "stop after {patience} checks without an improvement (stop::EarlyStoppingConfig)"
            ),
            Self::AverageWeights { decay } => write!(
                f,
                "average the weights with decay {decay} (average::EmaConfig)"
            ),
            Self::Unfreeze { paths } => {
                write!(f, "unfreeze the {} frozen parameters", paths.len())
            }
            Self::RemoveInputs { features } => {
                write!(f, "remove the features {features:?} from the inputs")
            }
            Self::Change { text } => f.write_str(text),
        }
    }
}

/// A number with few digits.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        format!("{value}")
    } else if !(1e-3..1e5).contains(&size) {
        format!("{value:.1e}")
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 1.0 {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').to_owned()
    }
}
