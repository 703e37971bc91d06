//! Alpha dropout.

use crate::dropout::training_only::{acts, one_line, with_flag};
use burn::module::{Content, DisplaySettings, Flag, ModuleDisplay, Param};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, InlineModule, display};
use burn_tricks_kernels::{Noise, noise};

/// Configuration of [`AlphaDropout`]: dropout that keeps the mean and the variance of SELU activations.
///
/// ```text
/// y = a (x m + α′ (1 − m)) + b     m ~ Bernoulli(1 − p)
/// α′ = −λα = −1.7580993408473766   what SELU gives for x → −∞
/// a = ((1 − p)(1 + p α′²))^(−1/2)   b = −a p α′
/// ```
///
/// Plain dropout sets activations to 0, which changes the variance that self-normalising networks rely on.
/// Alpha dropout sets them to SELU's saturated value α′, and then scales and shifts all activations so that
/// mean 0 and variance 1 are kept.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor, activation::selu};
/// use burn_tricks_nn::AlphaDropoutConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let dropout = AlphaDropoutConfig::new(0.05).init()?;
/// let device = Device::flex().autodiff();
/// let hidden = Tensor::<2>::random([32, 64], Distribution::Normal(0.0, 1.0), &device);
/// let dropped = dropout.forward(selu(hidden));
/// # let _ = dropped;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The layer comes after SELU, with LeCun-normal weights. It acts on an autodiff device while its `training`
/// flag is set; elsewhere it returns its input. Masks depend on the generator of the input's device: see
/// [`DropPath`](crate::DropPath) for what a seed gives.
///
/// # Cost
///
/// On Burn's CPU backend one pass over the input, in which the noise is made from a key and a counter, and one over the
/// gradient, in which it is made again: no noise is stored. Elsewhere a mask of the size of the input, and three
/// passes over it. The [README](crate#what-it-costs) has measured times.
///
/// # Differences
///
/// The numbers are those of PyTorch's and Keras's `AlphaDropout`. PyTorch also allows p = 1, which gives zeros;
/// here p < 1.
///
/// # Suggested values
///
/// 0.05 to 0.1 (Klambauer et al.).
///
/// # References
///
/// - Klambauer et al., *Self-normalizing neural networks*, 2017, <https://arxiv.org/abs/1706.02515>
#[derive(Config, Debug, PartialEq)]
pub struct AlphaDropoutConfig {
    /// Probability p of dropping an element, in [0, 1). 0 is the identity.
    pub prob: f64,
}

impl AlphaDropoutConfig {
    /// The layer.
    ///
    /// # Errors
    ///
    /// If `prob` does not lie in [0, 1).
    #[inline]
    pub fn init(&self) -> Result<AlphaDropout, ConfigError> {
        Ok(AlphaDropout {
            prob: ConfigError::within("prob", self.prob, 0.0..1.0)?,
            training: Param::from_bool(true),
        })
    }
}

/// Dropout for SELU activations. Made by [`AlphaDropoutConfig::init`].
#[derive(InlineModule, Debug)]
#[module(custom_display)]
pub struct AlphaDropout {
    /// Probability of dropping an element.
    #[module(skip)]
    pub prob: f64,
    /// Whether to behave as during training, on an autodiff device.
    pub training: Param<Flag>,
}

impl AlphaDropout {
    /// The input, with elements dropped.
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
        noise(input, Noise::Alpha { prob: self.prob }, 0)
    }
}

impl ModuleDisplay for AlphaDropout {
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
