//! Weight decay: how strong, where it enters, and which weights it spares.
//!
//! *Coupled* decay is an L2 penalty: `g ← g + λ w`, and whatever the optimizer does to gradients it
//! does to the penalty too. *Decoupled* decay pulls the weight itself: `w ← w − η λ w` (Loshchilov and
//! Hutter, *Decoupled weight decay regularization*, 2019, <https://arxiv.org/abs/1711.05101>). For
//! plain SGD they are the same; for Adam, which divides gradients by their size, coupled decay pulls
//! least at the weights with the largest gradients.
//!
//! Biases and the gains of normalisation layers are usually left out (timm, nanoGPT): they are few,
//! do not overfit, and a gain pulled to 0 switches its layer off. Burn keeps them as vectors, so that
//! [`DecayScope::Matrices`] finds them by their rank.
//!
//! ```
//! use burn_tricks_optim::{AdamWConfig, DecayScope};
//!
//! let optim = AdamWConfig::torch().with_decay_scope(DecayScope::Matrices).init()?;
//! # Ok::<(), burn_tricks_core::ConfigError>(())
//! ```

use burn_tricks_core::ConfigError;
use burn_tricks_kernels::Decay;
use serde::{Deserialize, Serialize};

/// A pull of every weight towards zero, with a rate λ ≥ 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum WeightDecay {
    /// No decay.
    None,
    /// `g ← g + λ w` before everything else, as an L2 penalty `λ/2 ‖w‖²` on the loss would do: the
    /// norm divides it too.
    Coupled(f64),
    /// `w ← w − η λ w` beside the step, as in AdamW.
    Decoupled(f64),
}

/// Where the decay enters a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecayMode {
    /// In the gradient: `g ← g + λ w`.
    Coupled,
    /// Beside the step: `w ← w − η λ w`.
    Decoupled,
}

/// Which weights decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecayScope {
    /// All that have a gradient, as in Burn and PyTorch.
    Every,
    /// Those of two dimensions or more: not biases, nor the gains and offsets of normalisation
    /// layers.
    Matrices,
}

impl WeightDecay {
    pub(crate) fn new(mode: DecayMode, rate: f64) -> Self {
        match mode {
            _ if rate == 0.0 => Self::None,
            DecayMode::Coupled => Self::Coupled(rate),
            DecayMode::Decoupled => Self::Decoupled(rate),
        }
    }

    pub(crate) fn validated(self) -> Result<Self, ConfigError> {
        if let Self::Coupled(rate) | Self::Decoupled(rate) = self {
            ConfigError::non_negative("weight_decay", rate)?;
        }
        Ok(self)
    }

    /// For one step with learning rate `lr` of a weight of `rank` dimensions.
    pub(crate) fn at(self, lr: f64, scope: DecayScope, rank: usize) -> Decay {
        if scope == DecayScope::Matrices && rank < 2 {
            return Decay::None;
        }
        match self {
            Self::Coupled(rate) if rate > 0.0 => Decay::Coupled(rate),
            Self::Decoupled(rate) if rate > 0.0 => Decay::Decoupled(lr * rate),
            _ => Decay::None,
        }
    }
}
