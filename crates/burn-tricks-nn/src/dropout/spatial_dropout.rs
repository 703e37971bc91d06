//! Spatial dropout.

use crate::dropout::training_only::{acts, one_line, with_flag};
use burn::module::{Content, DisplaySettings, Flag, ModuleDisplay, Param};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, InlineModule, display};
use burn_tricks_kernels::{Noise, noise};

/// Configuration of [`SpatialDropout`]: during training whole feature maps are zero.
///
/// ```text
/// y[i, c, ...] = x[i, c, ...] m[i, c] / (1 − p)     m ~ Bernoulli(1 − p), one for each sample and channel
/// ```
///
/// Neighbouring pixels of a feature map are strongly correlated. So dropping single pixels removes little
/// information, and plain dropout in front of a convolution does little more than lower the learning rate.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::SpatialDropoutConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let dropout = SpatialDropoutConfig::new(0.2).init()?;
/// let maps = Tensor::<4>::ones([8, 16, 5, 5], &Device::flex().autodiff());
/// let dropped = dropout.forward(maps); // each 5 × 5 map is all 0 or all 1.25
/// # let _ = dropped;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The layer comes after the activation of a convolution. It acts on an autodiff device while its `training`
/// flag is set; elsewhere it returns its input. Masks depend on the generator of the input's device: see
/// [`DropPath`](crate::DropPath) for what a seed gives.
///
/// # Cost
///
/// One random number for each sample and channel, and one pass over the input.
///
/// # Differences
///
/// The same as PyTorch's `Dropout1d`, `Dropout2d` and `Dropout3d` and Keras's `SpatialDropout*` with channels
/// first, for every rank from 2 on. (PyTorch takes an input with one dimension less for a single sample without
/// a batch dimension.) Channels are the second dimension, as everywhere in Burn.
///
/// # Suggested values
///
/// 0.1 to 0.25 (Tompson et al. use 0.2 and less).
///
/// # References
///
/// - Tompson et al., *Efficient object localization using convolutional networks*, 2015,
///   <https://arxiv.org/abs/1411.4280>
#[derive(Config, Debug, PartialEq)]
pub struct SpatialDropoutConfig {
    /// Probability p of dropping a channel, in [0, 1). 0 is the identity.
    pub prob: f64,
}

impl SpatialDropoutConfig {
    /// The layer.
    ///
    /// # Errors
    ///
    /// If `prob` does not lie in [0, 1).
    #[inline]
    pub fn init(&self) -> Result<SpatialDropout, ConfigError> {
        Ok(SpatialDropout {
            prob: ConfigError::within("prob", self.prob, 0.0..1.0)?,
            training: Param::from_bool(true),
        })
    }
}

/// Drops whole channels. Made by [`SpatialDropoutConfig::init`].
#[derive(InlineModule, Debug)]
#[module(custom_display)]
pub struct SpatialDropout {
    /// Probability of dropping a channel.
    #[module(skip)]
    pub prob: f64,
    /// Whether to behave as during training, on an autodiff device.
    pub training: Param<Flag>,
}

impl SpatialDropout {
    /// The input, with channels dropped.
    ///
    /// # Shapes
    ///
    /// - input: `[samples, channels, ...]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If the input has rank 1, or if `prob` was set to a value outside [0, 1).
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        assert!(D >= 2, "spatial dropout needs samples and channels");
        if !acts(&self.training, self.prob, &input) {
            return input;
        }
        let dropout = Noise::Dropout {
            prob: self.prob,
            kept: 1.0 / (1.0 - self.prob),
        };
        noise(input, dropout, D - 2)
    }
}

impl ModuleDisplay for SpatialDropout {
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
