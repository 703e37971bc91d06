//! Weight decay: its rate, where it enters a step, and which weights decay.
//!
//! *Coupled* decay is an L2 penalty, `g ← g + λ w`: the optimizer treats the penalty's gradient like the rest
//! of the gradient. *Decoupled* decay acts on the weight itself: `w ← w − η λ w` (Loshchilov and Hutter,
//! *Decoupled weight decay regularization*, 2019, <https://arxiv.org/abs/1711.05101>). For plain SGD they are
//! the same. For Adam, which divides gradients by their size, coupled decay is weakest for the weights with the
//! largest gradients.
//!
//! Biases and the gains of normalisation layers usually do not decay (timm, nanoGPT): they are few, do not
//! overfit, and a gain that decays to 0 switches its layer off. In Burn they are vectors, so
//! [`WeightDecayScope::Matrices`] leaves them out by their rank.
//!
//! ```
//! use burn_tricks_optim::{AdamWConfig, WeightDecayScope};
//!
//! let optim = AdamWConfig::torch().with_weight_decay_scope(WeightDecayScope::Matrices).init()?;
//! # Ok::<(), burn_tricks_core::ConfigError>(())
//! ```

use burn_tricks_core::{ConfigError, WeightDecayScope};
use burn_tricks_kernels::WeightDecayTerm;
use serde::{Deserialize, Serialize};

/// A weight decay with a rate λ ≥ 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum WeightDecayRule {
    /// No decay.
    None,
    /// `g ← g + λ w` before everything else, like an L2 penalty `λ/2 ‖w‖²` on the loss: the decay is divided by
    /// the norm, too.
    Coupled(f64),
    /// `w ← w − η λ w` apart from the gradient, as in AdamW.
    Decoupled(f64),
}

/// Where the decay enters a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WeightDecayMode {
    /// In the gradient: `g ← g + λ w`.
    Coupled,
    /// Apart from the gradient: `w ← w − η λ w`.
    Decoupled,
}

impl WeightDecayRule {
    pub(crate) fn new(mode: WeightDecayMode, rate: f64) -> Self {
        match mode {
            _ if rate == 0.0 => Self::None,
            WeightDecayMode::Coupled => Self::Coupled(rate),
            WeightDecayMode::Decoupled => Self::Decoupled(rate),
        }
    }
}

/// A weight decay whose rate has been checked, and the weights to which it applies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CheckedWeightDecay {
    decay: WeightDecayRule,
    scope: WeightDecayScope,
    /// Whether decoupled decay leaves out the weights that the step moves away from zero.
    cautious: bool,
}

impl CheckedWeightDecay {
    pub(crate) const NONE: Self = Self {
        decay: WeightDecayRule::None,
        scope: WeightDecayScope::Every,
        cautious: false,
    };

    pub(crate) fn new(
        decay: WeightDecayRule,
        scope: WeightDecayScope,
    ) -> Result<Self, ConfigError> {
        if let WeightDecayRule::Coupled(rate) | WeightDecayRule::Decoupled(rate) = decay {
            ConfigError::non_negative("weight_decay", rate)?;
        }
        Ok(Self {
            decay,
            scope,
            cautious: false,
        })
    }

    pub(crate) fn cautious(mut self, cautious: bool) -> Self {
        self.cautious = cautious;
        self
    }

    /// The decay in one step with learning rate `lr`, for a weight of `rank` dimensions.
    pub(crate) fn at(self, lr: f64, rank: usize) -> WeightDecayTerm {
        if !self.scope.includes(rank) {
            return WeightDecayTerm::None;
        }
        match self.decay {
            WeightDecayRule::Coupled(rate) if rate > 0.0 => WeightDecayTerm::Coupled(rate),
            WeightDecayRule::Decoupled(rate) if rate > 0.0 && self.cautious => {
                WeightDecayTerm::Cautious(lr * rate)
            }
            WeightDecayRule::Decoupled(rate) if rate > 0.0 => WeightDecayTerm::Decoupled(lr * rate),
            _ => WeightDecayTerm::None,
        }
    }
}
