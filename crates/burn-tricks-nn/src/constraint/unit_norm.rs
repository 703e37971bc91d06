//! Unit norm.

use crate::constraint::unit_constraint::{self, UnitScale, rescale};
use burn::module::{Module, ParamGroup};
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`UnitNorm`]: after every step, the weights of each unit are rescaled to norm 1.
///
/// ```text
/// w ← w / ‖w‖     for each unit
/// ```
///
/// Only directions are learned: for the prototypes of a cosine classifier, or a dictionary's atoms.
///
/// # Example
///
/// ```
/// use burn::module::ParamGroup;
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_nn::UnitNormConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let constraint = UnitNormConfig::new().init()?;
/// let head = LinearConfig::new(16, 10).with_bias(false).init(&Device::flex().autodiff());
/// let head = constraint.apply(head); // once before training, and after each step
/// let lengths = head.weight.val().square().sum_dim(0).sqrt();
/// assert!((lengths - 1.0).abs().max().into_scalar::<f32>() < 1e-6);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Apply it like [`MaxNorm`](crate::MaxNorm): after the step, or in a `Learner` as a trick. It rescales the
/// units of each layer's trained weights. A group that matches nothing changes nothing: [`UnitNorm::paths`]
/// lists what it matches. [`UnitAxis`](crate::UnitAxis) says what the units of a grouped transposed convolution
/// are.
///
/// # Cost
///
/// Two passes over the weights, into new tensors.
///
/// # Differences
///
/// Keras's `UnitNorm` divides by ‖w‖ + 1e-7, along axis 0 by default. Here the norm is 1 to rounding, and a
/// unit of zeros, which has no direction, stays zero. A unit with one input has only two directions: its weight
/// is ±`norm`, and keeps its sign until a step carries it across 0. So leave such layers out of `group`.
///
/// Squares are summed in `f32`, also for half precision (in `f64` for `f64` weights). This is exact enough for
/// norms from 1e-15 to 1e19. Outside of these bounds squares underflow or overflow: shorter units may be
/// treated as units of zeros and stay, longer units become zeros.
///
/// # Suggested values
///
/// `norm` other than 1 only where the layer's scale means something, as the temperature of a cosine
/// classifier does.
///
/// # References
///
/// - Keras, `keras.constraints.UnitNorm`
#[derive(Config, Debug)]
pub struct UnitNormConfig {
    /// The norm of every unit's weights, greater than 0. Default: 1.
    #[config(default = 1.0)]
    pub norm: f64,
    /// Which weights, by path or id. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl UnitNormConfig {
    /// The constraint.
    ///
    /// # Errors
    ///
    /// If `norm` is not finite and greater than 0.
    pub fn init(&self) -> Result<UnitNorm, ConfigError> {
        ConfigError::positive("norm", self.norm)?;
        Ok(UnitNorm {
            config: self.clone(),
        })
    }
}

/// Rescales units to one norm. Made by [`UnitNormConfig::init`].
#[derive(Debug, Clone)]
pub struct UnitNorm {
    config: UnitNormConfig,
}

impl UnitNorm {
    /// `model`, with every unit at the configured norm.
    #[must_use]
    pub fn apply<M: Module>(&self, model: M) -> M {
        let scale = UnitScale::To(self.config.norm);
        rescale(model, scale, &self.config.group)
    }
    /// The paths of the weights whose units are rescaled, to check that a pattern matches what it should.
    pub fn paths<M: Module>(&self, model: &M) -> Vec<String> {
        unit_constraint::paths(model, &self.config.group)
    }
}
