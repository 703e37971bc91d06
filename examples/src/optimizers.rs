//! The optimizers of the recipes.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdaGradConfig, AdamConfig, ModuleOptimizer, RmsPropConfig, SgdConfig};
use burn_tricks::ConfigError;
use burn_tricks::prelude::*;
use serde::Serialize;

/// An optimizer with its settings, but for the learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optim {
    /// Plain SGD.
    Sgd,
    /// SGD with an L2 penalty of that factor.
    SgdL2(f64),
    /// SGD with that momentum, not dampened.
    Momentum(f64),
    /// Normalised gradient descent, tensor by tensor.
    NormalizedTensor,
    /// AdaGrad with Burn's settings.
    AdaGrad,
    /// RMSProp with Burn's settings, without momentum.
    RmsProp,
    /// Adam with Burn's settings.
    Adam,
}

impl Optim {
    /// The optimizer.
    ///
    /// # Errors
    ///
    /// If a setting means nothing.
    pub fn init(self) -> Result<ModuleOptimizer, ConfigError> {
        let sgd = SgdConfig::new();
        Ok(match self {
            Self::Sgd => sgd.init(),
            Self::SgdL2(factor) => {
                let decay = WeightDecayConfig::new(factor as f32);
                sgd.with_weight_decay(Some(decay)).init()
            }
            Self::Momentum(momentum) => {
                let momentum = MomentumConfig::new()
                    .with_momentum(momentum)
                    .with_dampening(0.0);
                sgd.with_momentum(Some(momentum)).init()
            }
            Self::NormalizedTensor => NormalizedGradientConfig::lesson().init()?,
            Self::AdaGrad => AdaGradConfig::new().init(),
            Self::RmsProp => RmsPropConfig::new().with_momentum(0.0).init(),
            Self::Adam => AdamConfig::new().init(),
        })
    }
}
