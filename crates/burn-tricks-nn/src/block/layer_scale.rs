//! LayerScale and ReZero.

use crate::block::forward::Forward;
use burn::module::{Initializer, Param};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, InlineModule};

/// Configuration of [`LayerScale`] and ReZero: learned factors on the output of a residual branch, which start at
/// or near zero.
///
/// ```text
/// y = γ ⊙ x     one γ per channel (LayerScale)
/// y = α x       one α in all, at first 0 (ReZero)
/// ```
///
/// A block `x + γ ⊙ F(x)` with γ ≈ 0 starts close to the identity, so that a signal passes a stack of any
/// depth. Training raises γ as far as the branch helps.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::LayerScaleConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let scale = LayerScaleConfig::new(3).with_initial(0.5).init(&device)?;
/// let y = scale.forward(Tensor::<2>::ones([4, 3], &device));
/// assert_eq!(y.sum().into_scalar::<f32>(), 6.0);
/// # Ok(())
/// # }
/// ```
///
/// For images, `[batch, channels, height, width]`, the channels are on axis 1, which is the default; for
/// sequences, `[batch, position, features]`, they are on axis 2:
///
/// ```
/// use burn_tricks_nn::LayerScaleConfig;
///
/// let images = LayerScaleConfig::cait(64, 24);
/// let sequences = LayerScaleConfig::cait(512, 24).with_axis(2);
/// let re_zero = LayerScaleConfig::re_zero();
/// ```
///
/// # Order
///
/// The layer comes last in a residual branch: [`ResidualConfig`](crate::ResidualConfig) puts it there. Leave γ
/// out of weight decay, which would shrink it to 0.
///
/// # Cost
///
/// One number per channel; one multiplication of the activations.
///
/// # Differences
///
/// With α = 0, the first step has a gradient only for α and none for the branch: the branch starts to learn in
/// the second step. This is so in the ReZero paper, too. timm's `LayerScale` has the channels on the last axis,
/// torchvision's `CNBlock` on axis 1: here `axis` names it.
///
/// # Suggested values
///
/// Touvron et al. start γ at 0.1 for up to 18 transformer layers, at 1e-5 for up to 24 and at 1e-6 beyond
/// ([`LayerScaleConfig::cait`]), where a layer has two residual branches; timm at 1e-5, the default here; ConvNeXt at 1e-6.
///
/// # References
///
/// - Touvron et al., *Going deeper with image transformers*, 2021, <https://arxiv.org/abs/2103.17239>
/// - Bachlechner et al., *ReZero is all you need*, 2020, <https://arxiv.org/abs/2003.04887>
#[derive(Config, Debug, PartialEq)]
pub struct LayerScaleConfig {
    /// The number of factors: the size of the channel axis, or 1 for a single factor.
    pub channels: usize,
    /// The initial value of each factor, a finite number. With 1 nothing is scaled at first. Default: 1e-5.
    #[config(default = 1e-5)]
    pub initial: f64,
    /// The axis of the channels. Default: 1, right for `[batch, features]` and
    /// `[batch, channels, height, width]`.
    #[config(default = 1)]
    pub axis: usize,
}

impl LayerScaleConfig {
    /// ReZero: one factor, at first 0.
    pub fn re_zero() -> Self {
        Self::new(1).with_initial(0.0)
    }

    /// The initial value of Touvron et al. for a network of `depth` transformer layers, as they count them: each has two
    /// residual branches, attention and feed-forward, and so two of these modules.
    pub fn cait(channels: usize, depth: usize) -> Self {
        Self::new(channels).with_initial(match depth {
            ..=18 => 0.1,
            19..=24 => 1e-5,
            _ => 1e-6,
        })
    }

    /// The module.
    ///
    /// # Errors
    ///
    /// If `channels` is 0, or if `initial` is not finite.
    #[inline]
    pub fn init(&self, device: &Device) -> Result<LayerScale, ConfigError> {
        self.check()?;
        let value = self.initial;
        Ok(LayerScale {
            gamma: Initializer::Constant { value }.init([self.channels], device),
            axis: self.axis,
        })
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        ConfigError::at_least_one("channels", self.channels)?;
        ConfigError::finite("initial", self.initial)?;
        Ok(())
    }
}

/// Multiplies each channel by a learned factor. Made by [`LayerScaleConfig`].
#[derive(InlineModule, Debug)]
pub struct LayerScale {
    /// The factors: γ, `[channels]`.
    pub gamma: Param<Tensor<1>>,
    #[module(skip)]
    axis: usize,
}

impl LayerScale {
    /// `γ ⊙ input`, of the input's shape.
    ///
    /// # Panics
    ///
    /// If there are several factors, and the input has no such channel axis or one of another size.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let gamma = self.gamma.val();
        let [channels] = gamma.dims();
        let mut shape = [1; D];
        if channels > 1 {
            // One that the input has once would be spread over the factors silently.
            let size = input.dims().get(self.axis).copied();
            assert_eq!(
                size,
                Some(channels),
                "axis {} of the input must have one channel per factor",
                self.axis
            );
            shape[self.axis] = channels;
        }
        input * gamma.reshape(shape)
    }
}

impl<const D: usize> Forward<D> for LayerScale {
    fn forward(&self, input: Tensor<D>) -> Tensor<D> {
        self.forward(input)
    }
}
