//! Max-norm: after every step, a unit whose weights are longer than c is cut back to c.
//!
//! ```text
//! w ← w min(1, c / ‖w‖)     for each unit: w the weights it sums its inputs with
//! ```
//!
//! Weights cannot run away at high learning rates, while inside the ball nothing pulls on them.
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use burn_tricks_nn::MaxNormConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let constraint = MaxNormConfig::new(2.0).init()?;
//! let mut model = LinearConfig::new(4, 8).init(&Device::flex().autodiff());
//! for _ in 0..3 {
//!     // ... model = optim.step(lr, model, grads); ...
//!     model = constraint.apply(model);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! After the optimizer's step, before an average of weights is told. In a `Learner` it is a trick:
//! `model.with_tricks((max_norm, ema))`. Optimizer states are not touched.
//! A unit is an output of the layer, whatever axis that is: the columns of Burn's linear weights
//! `[in, out]`, the filters of convolutions, the rows of embeddings
//! ([`UnitAxis`](crate::UnitAxis)). Vectors such as biases and the gains of norms have no
//! units; frozen weights stay as they are on an autodiff device, where they can be told.
//! Where a reparameterization is attached, the stored weight is cut, which for weight norm has no effect
//! on the function. A group that matches nothing changes nothing: [`MaxNorm::paths`] lists what it matches.
//! A [tied](crate::constraint::tied_weights) weight is cut once, and all its places get the value of the first.
//! What the units of a grouped transposed convolution are: [`UnitAxis`](crate::UnitAxis).
//!
//! # Cost
//!
//! Two passes over the weights, out of place.
//!
//! # Differences
//!
//! Keras's `MaxNorm` divides by ‖w‖ + 1e-7 and takes the axis as an argument, 0 by default: right for
//! its dense weights `[in, out]`, wrong for its convolutions (`[0, 1, 2]` is needed). Here the bound is
//! exact and the axis is the layer's.
//!
//! Squares are summed in `f32`, of half precision too (in `f64` of `f64` weights): that holds for lengths up to
//! 1e19 and bounds from 1e-15 on. Longer units, whose squares leave the type, become zeros.
//!
//! # Suggested values
//!
//! c = 3 or 4 together with dropout and a high learning rate (Srivastava et al.).
//!
//! # References
//!
//! - Srebro, Shraibman, *Rank, trace-norm and max-norm*, 2005
//! - Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, 2014,
//!   section 5.1, <https://jmlr.org/papers/v15/srivastava14a.html>
//! - Keras, `keras.constraints.MaxNorm`

use crate::constraint::unit_constraint::{self, UnitScale, rescale};
use burn::module::{Module, ParamGroup};
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`MaxNorm`].
#[derive(Config, Debug)]
pub struct MaxNormConfig {
    /// c, the largest length of a unit's weights, greater than 0. `f64::MAX` changes nothing.
    pub max_norm: f64,
    /// Which weights, by path or id. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl MaxNormConfig {
    /// The constraint.
    ///
    /// # Errors
    ///
    /// If `max_norm` is not finite and greater than 0.
    pub fn init(&self) -> Result<MaxNorm, ConfigError> {
        ConfigError::positive("max_norm", self.max_norm)?;
        Ok(MaxNorm {
            config: self.clone(),
        })
    }
}

/// Cuts long units back. Made by [`MaxNormConfig::init`].
#[derive(Debug, Clone)]
pub struct MaxNorm {
    config: MaxNormConfig,
}

impl MaxNorm {
    /// `model`, inside the bound.
    pub fn apply<M: Module>(&self, model: M) -> M {
        let scale = UnitScale::AtMost(self.config.max_norm);
        rescale(model, scale, &self.config.group)
    }
    /// The paths of the weights whose units are bounded, to see whether a pattern means what it should.
    pub fn paths<M: Module>(&self, model: &M) -> Vec<String> {
        unit_constraint::paths(model, &self.config.group)
    }
}
