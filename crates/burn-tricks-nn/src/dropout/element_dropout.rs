//! Dropout.

use crate::dropout::training_only::{acts, one_line, with_flag};
use burn::module::{Content, DisplaySettings, Flag, ModuleDisplay, Param};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, InlineModule, display};
use burn_tricks_kernels::{Noise, noise};

/// Configuration of [`Dropout`]: during training every activation is 0 with probability p.
///
/// ```text
/// y = x m / (1 − p)     m ~ Bernoulli(1 − p), one for each element
/// ```
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::DropoutConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let dropout = DropoutConfig::new(0.5).init()?;
/// let hidden = Tensor::<2>::ones([8, 16], &Device::flex().autodiff());
/// let dropped = dropout.forward(hidden); // zeros and twos
/// # let _ = dropped;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The layer comes after an activation. It acts on an autodiff device while its `training` flag is set; elsewhere it
/// returns its input. Masks depend on the generator of the input's device: see [`DropPath`](crate::DropPath) for what a
/// seed gives.
///
/// # Cost
///
/// On Burn's CPU backend one pass over the input, in which the mask is made from a key and a counter, and one over the
/// gradient, in which it is made again: no mask is stored. The [README](crate#what-it-costs) has measured times. On other
/// backends a mask of the size of the input, and one pass over it.
///
/// # Differences
///
/// The same function as Burn's, PyTorch's and Keras's `Dropout`, with other random numbers: a seed gives other masks than
/// Burn's layer. Burn's makes the mask on one thread, and stores it and the product before the scaling. PyTorch also
/// allows p = 1, which gives zeros; here p < 1.
///
/// # Suggested values
///
/// 0.2 for inputs and 0.5 for hidden layers (Srivastava et al.); 0.1 in transformers (Vaswani et al.).
///
/// # References
///
/// - Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, 2014,
///   <https://jmlr.org/papers/v15/srivastava14a.html>
/// - Vaswani et al., *Attention is all you need*, 2017, <https://arxiv.org/abs/1706.03762>
/// - Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, 2011, the generator Philox,
///   <https://doi.org/10.1145/2063384.2063405>
#[derive(Config, Debug, PartialEq)]
pub struct DropoutConfig {
    /// Probability p of dropping an element, in [0, 1). 0 is the identity.
    pub prob: f64,
}

impl DropoutConfig {
    /// The layer.
    ///
    /// # Errors
    ///
    /// If `prob` does not lie in [0, 1).
    #[inline]
    pub fn init(&self) -> Result<Dropout, ConfigError> {
        Ok(Dropout {
            prob: ConfigError::within("prob", self.prob, 0.0..1.0)?,
            training: Param::from_bool(true),
        })
    }
}

/// Drops single elements. Made by [`DropoutConfig::init`].
#[derive(InlineModule, Debug)]
#[module(custom_display)]
pub struct Dropout {
    /// Probability of dropping an element.
    #[module(skip)]
    pub prob: f64,
    /// Whether to behave as during training, on an autodiff device.
    pub training: Param<Flag>,
}

impl Dropout {
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
        let dropout = Noise::Dropout {
            prob: self.prob,
            kept: 1.0 / (1.0 - self.prob),
        };
        noise(input, dropout, 0)
    }
}

impl ModuleDisplay for Dropout {
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
