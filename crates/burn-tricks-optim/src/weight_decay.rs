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
//! [`WeightDecayScope::Matrices`] finds them by their rank.
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

/// A pull of every weight towards zero, with a rate λ ≥ 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum WeightDecayRule {
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
pub enum WeightDecayMode {
    /// In the gradient: `g ← g + λ w`.
    Coupled,
    /// Beside the step: `w ← w − η λ w`.
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

    pub(crate) fn validated(self) -> Result<Self, ConfigError> {
        if let Self::Coupled(rate) | Self::Decoupled(rate) = self {
            ConfigError::non_negative("weight_decay", rate)?;
        }
        Ok(self)
    }

    /// For one step with learning rate `lr` of a weight of `rank` dimensions.
    pub(crate) fn at(self, lr: f64, scope: WeightDecayScope, rank: usize) -> WeightDecayTerm {
        if !scope.includes(rank) {
            return WeightDecayTerm::None;
        }
        match self {
            Self::Coupled(rate) if rate > 0.0 => WeightDecayTerm::Coupled(rate),
            Self::Decoupled(rate) if rate > 0.0 => WeightDecayTerm::Decoupled(lr * rate),
            _ => WeightDecayTerm::None,
        }
    }
}
