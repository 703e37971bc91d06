//! Gaussian dropout.

use crate::dropout::training_only::{acts, one_line, with_flag};
use burn::module::{Content, DisplaySettings, Flag, ModuleDisplay, Param};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, InlineModule, display};
use burn_tricks_kernels::{Noise, noise};

/// Configuration of [`GaussianDropout`]: during training every activation is multiplied by noise around 1.
///
/// ```text
/// y = x ξ     ξ ~ N(1, p / (1 − p))     the second number is the variance
/// ```
///
/// The factor has the mean and the variance of inverted dropout with probability p, whose factor is 0 or 1 / (1 − p).
/// No activation becomes exactly zero.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::GaussianDropoutConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let dropout = GaussianDropoutConfig::new(0.2).init()?; // factors with standard deviation 0.5
/// let hidden = Tensor::<2>::ones([8, 16], &Device::flex().autodiff());
/// let noisy = dropout.forward(hidden);
/// # let _ = noisy;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The layer takes the place of dropout, after an activation. It acts on an autodiff device while its
/// `training` flag is set; elsewhere it returns its input. Noise depends on the generator of the input's
/// device: see [`DropPath`](crate::DropPath) for what a seed gives.
///
/// # Cost
///
/// On Burn's CPU backend one pass over the input, in which the noise is made from a key and a counter, and one over the
/// gradient, in which it is made again: no noise is stored. Elsewhere normal noise of the size of the input, and one
/// pass over it. The [README](crate#what-it-costs) has measured times.
///
/// # Differences
///
/// The same as Keras's `GaussianDropout`. Burn's `GaussianNoise` adds its noise instead.
///
/// # Suggested values
///
/// The probability that you would give dropout, 0.1 to 0.5 (Srivastava et al.).
///
/// # References
///
/// - Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, 2014,
///   section 10, <https://jmlr.org/papers/v15/srivastava14a.html>
#[derive(Config, Debug, PartialEq)]
pub struct GaussianDropoutConfig {
    /// The probability p of the dropout with the same variance, in [0, 1). 0 is the identity.
    pub prob: f64,
}

impl GaussianDropoutConfig {
    /// The layer.
    ///
    /// # Errors
    ///
    /// If `prob` does not lie in [0, 1).
    #[inline]
    pub fn init(&self) -> Result<GaussianDropout, ConfigError> {
        Ok(GaussianDropout {
            prob: ConfigError::within("prob", self.prob, 0.0..1.0)?,
            training: Param::from_bool(true),
        })
    }
}

/// Multiplies its input by noise around 1. Made by [`GaussianDropoutConfig::init`].
#[derive(InlineModule, Debug)]
#[module(custom_display)]
pub struct GaussianDropout {
    /// The probability of the dropout with the same variance.
    #[module(skip)]
    pub prob: f64,
    /// Whether to behave as during training, on an autodiff device.
    pub training: Param<Flag>,
}

impl GaussianDropout {
    /// The input, times noise.
    ///
    /// # Shapes
    ///
    /// - input: `[...]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If `prob` was set to a value outside [0, 1).
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if !acts(&self.training, self.prob, &input) {
            return input;
        }
        let factor = Noise::Gaussian {
            mean: 1.0,
            deviation: (self.prob / (1.0 - self.prob)).sqrt(),
        };
        noise(input, factor, 0)
    }
}

impl ModuleDisplay for GaussianDropout {
    fn format(&self, settings: DisplaySettings) -> String {
        display::format(self, settings)
    }

    fn custom_settings(&self) -> Option<DisplaySettings> {
        one_line()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let content = display::number(content, "prob", &self.prob);
        with_flag(content, &self.training)
    }
}
