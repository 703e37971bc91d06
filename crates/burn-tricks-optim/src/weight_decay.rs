//! Weight decay: its factor, where it enters a step, and which weights decay.

use burn_tricks_core::{ConfigError, WeightDecayScope};
use burn_tricks_kernels::WeightDecayTerm;
use serde::{Deserialize, Serialize};

/// Where the weight decay enters a step.
///
/// *Coupled* decay is an L2 penalty, `g ← g + λ w`: the optimizer treats the penalty's gradient like the rest
/// of the gradient. *Decoupled* decay acts on the weight itself: `w ← w − η λ w` (Loshchilov and Hutter,
/// *Decoupled weight decay regularization*, 2019, <https://arxiv.org/abs/1711.05101>). For plain SGD they are
/// the same. For Adam, which divides gradients by their size, coupled decay is weakest for the weights with the
/// largest gradients.
///
/// Biases and the gains of normalisation layers usually do not decay (timm, nanoGPT): they are few, do not
/// overfit, and a gain that decays to 0 switches its layer off. In Burn they are vectors, so
/// [`WeightDecayScope::Matrices`] leaves them out by their rank.
///
/// ```
/// use burn_tricks_optim::{AdamWConfig, WeightDecayScope};
///
/// let optim = AdamWConfig::torch().with_weight_decay_scope(WeightDecayScope::Matrices).init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WeightDecayMode {
    /// In the gradient, `g ← g + λ w`, before everything else, as an L2 penalty `λ/2 ‖w‖²` on the loss would
    /// do: an optimizer that divides by a norm of the gradient divides the decay too.
    Coupled,
    /// Apart from the gradient, `w ← w − η λ w`, as in AdamW.
    Decoupled,
}

/// A weight decay that has been checked, and the weights that it is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CheckedWeightDecay {
    rate: f64,
    mode: WeightDecayMode,
    scope: WeightDecayScope,
    /// Whether decoupled decay leaves out the weights that the step moves away from zero.
    cautious: bool,
}

impl CheckedWeightDecay {
    pub(crate) const NONE: Self = Self {
        rate: 0.0,
        mode: WeightDecayMode::Coupled,
        scope: WeightDecayScope::Every,
        cautious: false,
    };

    pub(crate) fn new(
        rate: f64,
        mode: WeightDecayMode,
        scope: WeightDecayScope,
    ) -> Result<Self, ConfigError> {
        ConfigError::non_negative("weight_decay", rate)?;
        Ok(Self {
            rate,
            mode,
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
        if self.rate == 0.0 || !self.scope.includes(rank) {
            return WeightDecayTerm::None;
        }
        match self.mode {
            WeightDecayMode::Coupled => WeightDecayTerm::Coupled(self.rate),
            WeightDecayMode::Decoupled if self.cautious => {
                WeightDecayTerm::Cautious(lr * self.rate)
            }
            WeightDecayMode::Decoupled => WeightDecayTerm::Decoupled(lr * self.rate),
        }
    }
}
