//! Max-norm.

use crate::constraint::unit_constraint::{self, UnitScale, rescale};
use burn::module::{Module, ParamGroup};
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`MaxNorm`]: after every step, the weights of a unit whose norm exceeds c are scaled down to
/// norm c.
///
/// ```text
/// w ← w min(1, c / ‖w‖)     for each unit: w the weights it sums its inputs with
/// ```
///
/// Weights cannot diverge at high learning rates, and as long as the norm is below c nothing pulls them towards
/// 0.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_nn::MaxNormConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let constraint = MaxNormConfig::new(2.0).init()?;
/// let mut model = LinearConfig::new(4, 8).init(&Device::flex().autodiff());
/// for _ in 0..3 {
///     // ... model = optim.step(lr, model, grads); ...
///     model = constraint.apply(model);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Apply it after the optimizer's step and before an average of weights is updated. In a `Learner` it is a
/// trick: `model.with_tricks((max_norm, ema))`. Optimizer states are not changed.
///
/// A unit is an output of the layer, on whichever axis the layer has it: the columns of Burn's linear weights `[in,
/// out]`, the filters of convolutions, the rows of embeddings ([`UnitAxis`](crate::UnitAxis)). Vectors such as biases
/// and the gains of normalisation layers have no units. In a model that is trained on an autodiff device, frozen weights
/// and weights on a plain device stay as they are; in a model without autodiff, frozen weights cannot be recognised and are
/// scaled down too, unless `group` leaves them out. Where a reparameterization is attached, the stored weight is scaled
/// down, which for weight norm has no effect on the function. A group that matches nothing changes nothing:
/// [`MaxNorm::paths`] lists what it matches. A [tied](crate::TiedWeights) weight is scaled down once, and all its
/// places that are trained get the value of the first; its units are those of the layer at the first trained place that
/// `group` matches. [`UnitAxis`](crate::UnitAxis) says what the units of a grouped
/// transposed convolution are.
///
/// # Cost
///
/// Two passes over the weights, into new tensors.
///
/// # Differences
///
/// Keras's `MaxNorm` divides by ‖w‖ + 1e-7 and takes the axis as an argument, 0 by default: right for
/// its dense weights `[in, out]`, wrong for its convolutions (`[0, 1, 2]` is needed). Here the bound is
/// exact and the axis is the layer's.
///
/// Squares are summed in `f32`, also for half precision (in `f64` for `f64` weights). This is exact enough for
/// norms up to 1e19 and bounds from 1e-15 on. Units with larger norms, whose squares overflow the type, become
/// zeros.
///
/// # Suggested values
///
/// c = 3 or 4 together with dropout and a high learning rate (Srivastava et al.).
///
/// # References
///
/// - Srebro, Shraibman, *Rank, trace-norm and max-norm*, 2005
/// - Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, 2014,
///   section 5.1, <https://jmlr.org/papers/v15/srivastava14a.html>
/// - Keras, `keras.constraints.MaxNorm`
#[derive(Config, Debug)]
pub struct MaxNormConfig {
    /// c, the largest norm of a unit's weights, greater than 0. With `f64::MAX` no weight changes.
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

/// Scales down units with a large norm. Made by [`MaxNormConfig::init`].
#[derive(Debug, Clone)]
pub struct MaxNorm {
    config: MaxNormConfig,
}

impl MaxNorm {
    /// `model`, with the norm of every unit within the bound.
    #[must_use]
    pub fn apply<M: Module>(&self, model: M) -> M {
        let scale = UnitScale::AtMost(self.config.max_norm);
        rescale(model, scale, &self.config.group)
    }
    /// The paths of the weights whose units are bounded, to check that a pattern matches what it should.
    pub fn paths<M: Module>(&self, model: &M) -> Vec<String> {
        unit_constraint::paths(model, &self.config.group)
    }
}
