//! The focal loss of binary targets.

use crate::loss::focal_modulation::modulation;
use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn_tricks_core::{Config, ConfigError, InlineModule};

/// Configuration of [`SigmoidFocalLoss`]: the binary cross-entropy, in which targets that are already predicted well
/// count little.
///
/// ```text
/// p = σ(z)     p_t = p y + (1 − p)(1 − y)     α_t = α y + (1 − α)(1 − y)
/// loss = −α_t (1 − p_t)^γ (y log p + (1 − y) log(1 − p))
/// ```
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::SigmoidFocalLossConfig;
///
/// # fn main() -> Result<(), burn_tricks_nn::ConfigError> {
/// let loss = SigmoidFocalLossConfig::new().init()?;
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_data([[2.0, -1.0], [0.5, -3.0]], &device);
/// let targets = Tensor::<2>::from_data([[1.0, 0.0], [0.0, 0.0]], &device);
/// let mean = loss.forward(logits, targets);
/// # let _ = mean;
/// # Ok(())
/// # }
/// ```
///
/// As many positive as negative targets, so without α:
///
/// ```
/// # fn main() -> Result<(), burn_tricks_nn::ConfigError> {
/// use burn_tricks_nn::SigmoidFocalLossConfig;
///
/// let loss = SigmoidFocalLossConfig::new().with_alpha(None).with_gamma(1.0).init()?;
/// # let _ = loss;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It takes the place of the binary cross-entropy with logits. Set the bias of the output layer so that the network at
/// first predicts a positive with probability 0.01 (Lin et al., section 3.3).
///
/// # Cost
///
/// About twice the passes of the binary cross-entropy over the logits.
///
/// # Differences
///
/// The values are those of torchvision's `sigmoid_focal_loss`, whose alpha of −1 is `None` here. `1 − p_t` is computed
/// without a subtraction from 1, so that a large logit keeps its digits, and the gradient is finite for every γ.
/// Detectors divide the sum by the number of positive targets: take [`SigmoidFocalLoss::forward_no_reduction`].
///
/// # Suggested values
///
/// γ = 2 and α = 0.25 (Lin et al., table 1).
///
/// # References
///
/// - Lin, Goyal, Girshick, He & Dollár, *Focal loss for dense object detection*, 2017,
///   <https://arxiv.org/abs/1708.02002>
#[derive(Config, Debug, PartialEq)]
pub struct SigmoidFocalLossConfig {
    /// γ, at least 0. 0 is the binary cross-entropy, weighted by α. Default: 2.
    #[config(default = 2.0)]
    pub gamma: f64,
    /// α, the weight of positive targets, in [0, 1]; negative targets have the weight 1 − α. `None` is no weight.
    /// Default: 0.25.
    #[config(default = "Some(0.25)")]
    pub alpha: Option<f64>,
}

impl SigmoidFocalLossConfig {
    /// The loss.
    ///
    /// # Errors
    ///
    /// If `gamma` is negative or not finite, or `alpha` does not lie in [0, 1].
    #[inline]
    pub fn init(&self) -> Result<SigmoidFocalLoss, ConfigError> {
        let gamma = ConfigError::non_negative("gamma", self.gamma)?;
        if let Some(alpha) = self.alpha {
            ConfigError::within("alpha", alpha, 0.0..=1.0)?;
        }
        Ok(SigmoidFocalLoss {
            gamma,
            alpha: self.alpha,
        })
    }
}

/// The focal loss of binary targets. Made by [`SigmoidFocalLossConfig::init`].
#[derive(InlineModule, Debug)]
pub struct SigmoidFocalLoss {
    #[module(skip)]
    gamma: f64,
    #[module(skip)]
    alpha: Option<f64>,
}

impl SigmoidFocalLoss {
    /// The mean over all targets.
    ///
    /// # Shapes
    ///
    /// - logits: `[...]`
    /// - targets: the same, each 0 or 1, or a probability
    ///
    /// # Panics
    ///
    /// If the two have different shapes.
    pub fn forward<const D: usize>(&self, logits: Tensor<D>, targets: Tensor<D>) -> Tensor<1> {
        self.forward_no_reduction(logits, targets).mean()
    }

    /// The loss of each target, in the shape of the targets.
    ///
    /// # Panics
    ///
    /// If logits and targets have different shapes.
    pub fn forward_no_reduction<const D: usize>(
        &self,
        logits: Tensor<D>,
        targets: Tensor<D>,
    ) -> Tensor<D> {
        assert_eq!(
            logits.dims(),
            targets.dims(),
            "the focal loss needs one target for each logit: logits and targets must have the same shape"
        );
        let others = targets.ones_like() - targets.clone();
        let entropy = -(log_sigmoid(logits.clone()) * targets.clone()
            + log_sigmoid(-logits.clone()) * others.clone());
        // 1 − p_t
        let miss = sigmoid(logits.clone()) * others + sigmoid(-logits) * targets.clone();
        let loss = match modulation(miss, self.gamma) {
            Some(factor) => entropy * factor,
            None => entropy,
        };
        match self.alpha {
            Some(alpha) => loss * (targets * (2.0 * alpha - 1.0) + (1.0 - alpha)),
            None => loss,
        }
    }
}
