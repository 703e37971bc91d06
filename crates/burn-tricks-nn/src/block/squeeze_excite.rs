//! Squeeze-and-excitation.

use crate::block::forward::Forward;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, InlineModule};
use serde::{Deserialize, Serialize};

/// The function whose output, between 0 and 1, multiplies a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelGate {
    /// The logistic function: the paper, timm, torchvision.
    Sigmoid,
    /// `min(max(z/6 + 1/2, 0), 1)`: MobileNetV3.
    HardSigmoid,
}

/// Configuration of [`SqueezeExcite`]: each channel of a feature map is multiplied by a number between 0 and 1, which a
/// small network computes from the means of all channels.
///
/// ```text
/// z[c] = mean of x[c] over all places                    squeeze
/// s    = σ(W₂ relu(W₁ z + b₁) + b₂)                      excite
/// y[c] = s[c] x[c]
/// ```
///
/// A convolution sees a small neighbourhood. The gate sees the whole image, and can switch off the channels that do not
/// matter in it.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::SqueezeExciteConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let gate = SqueezeExciteConfig::new(64, 4).init(&device)?;
/// let maps = Tensor::<4>::ones([2, 64, 7, 7], &device);
/// assert_eq!(gate.forward(maps).dims(), [2, 64, 7, 7]);
///
/// let timm = SqueezeExciteConfig::timm(64); // 64 / 16, but at least 8
/// assert_eq!(timm.squeezed, 8);
/// # Ok(())
/// # }
/// ```
///
/// In the branch of a residual block, it comes last, before the sum:
///
/// ```
/// use burn::nn::conv::Conv2dConfig;
/// use burn::nn::{PaddingConfig2d, Relu};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::{Forward, ResidualConfig, SqueezeExciteConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let conv = || Conv2dConfig::new([8, 8], [3, 3]).with_padding(PaddingConfig2d::Same).init(&device);
/// let gate = SqueezeExciteConfig::new(8, 2).init(&device)?;
/// let block = ResidualConfig::new().init((conv(), Relu::new(), conv(), gate), &device)?;
/// assert_eq!(block.forward(Tensor::<4>::ones([1, 8, 5, 5], &device)).dims(), [1, 8, 5, 5]);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Put it after the last norm of a block's branch and before the sum, as [`ResNetConfig`](crate::ResNetConfig) does.
/// [`LayerScale`](crate::LayerScale) comes after it.
///
/// # Cost
///
/// 2·C·S + S + C weights for C channels and S squeezed ones; one pass over the input for the means and one for the
/// product.
///
/// # Differences
///
/// - timm and torchvision compute W₁ and W₂ as convolutions of 1 × 1 on a map of one pixel; the results are the same.
///   Their weight `[out, in, 1, 1]` is the transposed weight `[in, out]` here.
/// - timm's `squeezed` is C/16, rounded to a multiple of 8 and at least 8 ([`SqueezeExciteConfig::timm`]); in
///   torchvision it is an argument; Hu et al. have C/16.
/// - timm's variants with a max-pooling or a batch norm do not exist here.
///
/// # Suggested values
///
/// C/16 (Hu et al.); C/4 in networks for small images and in MobileNetV3; C/24 in EfficientNet, whose gates
/// stand on six times the channels of which a quarter is taken.
///
/// # References
///
/// - Hu, Shen, Sun, *Squeeze-and-excitation networks*, 2018, <https://arxiv.org/abs/1709.01507>
/// - timm, `timm.layers.SqueezeExcite`; torchvision, `torchvision.ops.SqueezeExcitation`
#[derive(Config, Debug, PartialEq, Eq)]
pub struct SqueezeExciteConfig {
    /// C, the channels of the input, at least 1.
    pub channels: usize,
    /// S, the channels between the two layers, at least 1.
    pub squeezed: usize,
    /// The function that makes the factors. Default: [`ChannelGate::Sigmoid`].
    #[config(default = "ChannelGate::Sigmoid")]
    pub gate: ChannelGate,
}

impl SqueezeExciteConfig {
    /// timm's: a sixteenth of the channels, rounded to a multiple of 8, and at least 8.
    pub fn timm(channels: usize) -> Self {
        let rounded = (channels as f64 / 16.0 + 4.0) as usize / 8 * 8;
        Self::new(channels, rounded.max(8))
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// If `channels` or `squeezed` is 0.
    #[inline]
    pub fn init(&self, device: &Device) -> Result<SqueezeExcite, ConfigError> {
        let channels = ConfigError::at_least_one("channels", self.channels)?;
        let squeezed = ConfigError::at_least_one("squeezed", self.squeezed)?;
        Ok(SqueezeExcite {
            squeeze: LinearConfig::new(channels, squeezed).init(device),
            excite: LinearConfig::new(squeezed, channels).init(device),
            gate: self.gate,
        })
    }
}

/// Multiplies each channel by a factor that is computed from the whole feature map. Made by
/// [`SqueezeExciteConfig::init`].
#[derive(InlineModule, Debug)]
pub struct SqueezeExcite {
    /// W₁ and b₁: from the channels to the squeezed ones.
    pub squeeze: Linear,
    /// W₂ and b₂: back to the channels.
    pub excite: Linear,
    #[module(skip)]
    gate: ChannelGate,
}

impl SqueezeExcite {
    /// The input, each of its channels multiplied by a number between 0 and 1.
    ///
    /// # Shapes
    ///
    /// - input: `[samples, channels, ...]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If the input has fewer than two dimensions, or another number of channels.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        assert!(D >= 2, "squeeze-and-excitation needs samples and channels");
        let (samples, channels) = (input.dims()[0], input.dims()[1]);
        let means = (2..D).fold(input.clone(), |mean, dim| mean.mean_dim(dim));
        let means = means.reshape([samples, channels]);
        let scores = self.excite.forward(relu(self.squeeze.forward(means)));
        let factors = match self.gate {
            ChannelGate::Sigmoid => sigmoid(scores),
            // Burn's own rounds 1/6 to `f32`, and so does the backward pass of its `div_scalar`.
            ChannelGate::HardSigmoid => {
                let sixths = scores.mul_scalar(1.0 / 6.0);
                sixths.add_scalar(0.5).clamp(0.0, 1.0)
            }
        };
        let mut shape = [1; D];
        (shape[0], shape[1]) = (samples, channels);
        input * factors.reshape(shape)
    }
}

impl<const D: usize> Forward<D> for SqueezeExcite {
    fn forward(&self, input: Tensor<D>) -> Tensor<D> {
        self.forward(input)
    }
}
