//! The gain of an activation: the factor by which the weights before it make up for the variance that it
//! removes.

use serde::{Deserialize, Serialize};

/// An activation, for its [`gain`](Self::gain).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Nonlinearity {
    /// None, or a softmax over the logits.
    Linear,
    /// The logistic function.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(0, x)`.
    Relu,
    /// `max(slope x, x)`.
    LeakyRelu {
        /// The slope for negative inputs.
        slope: f64,
    },
    /// Scaled exponential linear units.
    Selu,
}

impl Nonlinearity {
    /// The factor on the standard deviation of the weights, from PyTorch's `calculate_gain`: 1 for a
    /// linear layer and the logistic function, 5/3 for tanh, √2 for ReLU, √(2/(1 + slope²)) for leaky
    /// ReLU, 3/4 for SELU.
    ///
    /// ReLU's gain is exact for symmetric inputs (He et al.); those of tanh and SELU are conventions. With gain
    /// 3/4 a SELU network does not keep variance 1 by itself; its authors use gain 1 for that.
    ///
    /// ```
    /// use burn_tricks_nn::Nonlinearity;
    ///
    /// assert_eq!(Nonlinearity::Relu.gain(), 2f64.sqrt());
    /// ```
    pub fn gain(self) -> f64 {
        match self {
            Self::Linear | Self::Sigmoid => 1.0,
            Self::Tanh => 5.0 / 3.0,
            Self::Relu => 2f64.sqrt(),
            Self::LeakyRelu { slope } => (2.0 / (1.0 + slope * slope)).sqrt(),
            Self::Selu => 0.75,
        }
    }
}
