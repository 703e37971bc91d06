//! Global response normalisation.

use burn::module::{Initializer, Param};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, InlineModule, accumulation_dtype};
use serde::{Deserialize, Serialize};

/// The dimension of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelAxis {
    /// The second: `[samples, channels, ...]`, as Burn's convolutions have it.
    Second,
    /// The last: `[samples, ..., channels]`, as inside the blocks of ConvNeXt and for Burn's linear layers.
    Last,
}

/// Configuration of [`GlobalResponseNorm`]: each channel is multiplied by how strong it is, compared with the other
/// channels of the same sample.
///
/// ```text
/// G[c] = ‖x[c]‖₂                         over all places of the sample
/// N[c] = G[c] / (mean over c of G[c] + ε)
/// y[c] = x[c] + γ[c] (x[c] N[c]) + β[c]
/// ```
///
/// Channels compete, so they become less alike. γ and β start at 0, so that the layer starts as the identity.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::GlobalResponseNormConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let norm = GlobalResponseNormConfig::new(16).init(&device)?;
/// let maps = Tensor::<4>::ones([2, 16, 7, 7], &device);
/// assert_eq!(norm.forward(maps).dims(), [2, 16, 7, 7]);
/// # Ok(())
/// # }
/// ```
///
/// Between the two linear layers of a ConvNeXt V2 block, where channels are last:
///
/// ```
/// use burn::tensor::Device;
/// use burn_tricks_nn::{ChannelAxis, GlobalResponseNormConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let norm = GlobalResponseNormConfig::new(4 * 96)
///     .with_axis(ChannelAxis::Last)
///     .init(&Device::flex())?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Put it after the activation (GELU) of the widened layer of a block, in place of LayerScale.
///
/// # Cost
///
/// Three passes over the input, and two numbers for each channel. Sums of half precision are computed in `f32`.
///
/// # Differences
///
/// The numbers are those of timm's `GlobalResponseNorm` and of the authors' program. Where a channel is 0 at all places
/// of a sample, its norm has no derivative; it is taken as 0, as in PyTorch. timm names the parameters `weight` and
/// `bias`; the names here are those of Burn's normalisation layers, so a weight decay that leaves out normalisation
/// layers leaves them out.
///
/// # Suggested values
///
/// ε = 1e-6.
///
/// # References
///
/// - Woo et al., *ConvNeXt V2: co-designing and scaling ConvNets with masked autoencoders*, 2023,
///   <https://arxiv.org/abs/2301.00808>
/// - timm, `timm.layers.GlobalResponseNorm`
#[derive(Config, Debug, PartialEq)]
pub struct GlobalResponseNormConfig {
    /// The number of channels, at least 1.
    pub channels: usize,
    /// ε > 0. Default: 1e-6.
    #[config(default = 1e-6)]
    pub epsilon: f64,
    /// The dimension of the channels. Default: [`ChannelAxis::Second`].
    #[config(default = "ChannelAxis::Second")]
    pub axis: ChannelAxis,
}

impl GlobalResponseNormConfig {
    /// The layer.
    ///
    /// # Errors
    ///
    /// If `channels` is 0, or if `epsilon` is not finite and positive.
    #[inline]
    pub fn init(&self, device: &Device) -> Result<GlobalResponseNorm, ConfigError> {
        ConfigError::at_least_one("channels", self.channels)?;
        Ok(GlobalResponseNorm {
            gamma: Initializer::Zeros.init([self.channels], device),
            beta: Initializer::Zeros.init([self.channels], device),
            epsilon: ConfigError::positive("epsilon", self.epsilon)?,
            axis: self.axis,
        })
    }
}

/// Multiplies each channel by its strength among all channels. Made by [`GlobalResponseNormConfig::init`].
#[derive(InlineModule, Debug)]
pub struct GlobalResponseNorm {
    /// γ, `[channels]`.
    pub gamma: Param<Tensor<1>>,
    /// β, `[channels]`.
    pub beta: Param<Tensor<1>>,
    /// ε, added to the mean norm of the channels.
    #[module(skip)]
    pub epsilon: f64,
    #[module(skip)]
    axis: ChannelAxis,
}

impl GlobalResponseNorm {
    /// The normalised input.
    ///
    /// # Shapes
    ///
    /// - input: `[samples, channels, ...]`, or `[samples, ..., channels]` with [`ChannelAxis::Last`]
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If the input has fewer than two dimensions, or another number of channels.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        assert!(
            D >= 2,
            "global response normalisation needs samples and channels"
        );
        let axis = match self.axis {
            ChannelAxis::Second => 1,
            ChannelAxis::Last => D - 1,
        };
        let [channels] = self.gamma.dims();
        assert_eq!(
            input.dims()[axis],
            channels,
            "axis {axis} of the input must have the channels of the layer"
        );
        let mut shape = [1; D];
        shape[axis] = channels;

        let dtype = input.dtype();
        let wide = input.clone().cast(accumulation_dtype(dtype));
        let places = (1..D).filter(|dim| *dim != axis);
        let squares = places.fold(wide.clone().square(), |sum, dim| sum.sum_dim(dim));
        // The derivative of the root is infinite at 0: there it is that of a constant.
        let is_zero = squares.clone().equal_elem(0.0);
        let norm = squares
            .mask_fill(is_zero.clone(), 1.0)
            .sqrt()
            .mask_fill(is_zero, 0.0);
        let strength = norm.clone() / norm.mean_dim(axis).add_scalar(self.epsilon);
        let response = (wide * strength).cast(dtype);
        input + self.gamma.val().reshape(shape) * response + self.beta.val().reshape(shape)
    }
}
