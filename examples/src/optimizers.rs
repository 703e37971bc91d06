//! The optimizers of the recipes.

use burn::optim::ModuleOptimizer;
use burn::optim::Optimizer;
use burn::optim::decay::WeightDecayConfig;
use burn_tricks::ConfigError;
use burn_tricks::optim::{AdaGradConfig, AdamConfig, AdamWConfig, RmsPropConfig, SgdConfig};
use burn_tricks::prelude::*;
use serde::{Deserialize, Serialize};

/// An optimizer with its settings, but for the learning rate. All are this library's; those of Burn with
/// Burn's settings, but for `burn-adam`, which is Burn's own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// AdaGrad.
    AdaGrad,
    /// RMSProp, without momentum.
    RmsProp,
    /// Adam.
    Adam,
    /// AdamW with that weight decay.
    AdamW(f64),
    /// Burn's own Adam.
    BurnAdam,
}

/// The settings of Lookahead.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowWeights {
    /// Steps between two of the slow weights.
    pub k: usize,
    /// The way of such a step, as a share of that to the fast weights.
    pub alpha: f64,
}

impl Optim {
    /// The optimizer, with slow weights and schedule-free learning (of that β) around it.
    ///
    /// # Errors
    ///
    /// If a setting means nothing.
    pub fn init(
        self,
        lookahead: Option<SlowWeights>,
        schedule_free: Option<f64>,
    ) -> Result<ModuleOptimizer, ConfigError> {
        let wrap = Wrappers {
            lookahead,
            schedule_free,
        };
        match self {
            Self::Sgd => wrap.around(SgdConfig::new().build()?),
            Self::SgdL2(factor) => {
                let decay = WeightDecayConfig::new(factor as f32);
                wrap.around(SgdConfig::new().with_weight_decay(Some(decay)).build()?)
            }
            Self::Momentum(momentum) => {
                wrap.around(SgdConfig::torch().with_momentum_factor(momentum).build()?)
            }
            Self::NormalizedTensor => wrap.around(NormalizedGradientConfig::per_tensor().build()?),
            Self::AdaGrad => wrap.around(AdaGradConfig::new().build()?),
            Self::RmsProp => wrap.around(RmsPropConfig::new().with_momentum(0.0).build()?),
            Self::Adam => wrap.around(AdamConfig::new().build()?),
            Self::AdamW(decay) => wrap.around(AdamWConfig::new().with_weight_decay(decay).build()?),
            Self::BurnAdam => wrap.around(burn::optim::AdamConfig::new().build()),
        }
    }
}

struct Wrappers {
    lookahead: Option<SlowWeights>,
    schedule_free: Option<f64>,
}

impl Wrappers {
    fn around<O: Optimizer>(&self, inner: O) -> Result<ModuleOptimizer, ConfigError> {
        Ok(match (self.lookahead, self.schedule_free) {
            (None, None) => inner.init(),
            (Some(slow), None) => inner.lookahead(slow.k, slow.alpha)?.init(),
            (None, Some(beta)) => inner.schedule_free(beta)?.init(),
            (Some(slow), Some(beta)) => {
                let slow = inner.lookahead(slow.k, slow.alpha)?;
                slow.schedule_free(beta)?.init()
            }
        })
    }
}
