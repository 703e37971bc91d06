//! Inception block.

use crate::block::conv_unit::{ConvUnit, Kernel, NormAt};
use crate::block::forward::Forward;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, InlineModule};

/// Configuration of [`InceptionBlock`], in numbers of channels: convolutions with several kernel sizes side by
/// side, so that training decides how much each is used.
///
/// ```text
///          ┌ 1×1 ──────────┐
///          ├ 1×1 ─ 3×3 ────┤
/// input ───┤               ├─── channels one after the other
///          ├ 1×1 ─ 5×5 ────┤
///          └ max 3×3 ─ 1×1 ┘
/// ```
///
/// Each convolution is followed by a batch norm, unless that is turned off, and a ReLU; height and width stay
/// as they are. The 1×1 convolutions in front of the 3×3 and 5×5 ones reduce their cost.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::InceptionBlockConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// // The block 3a of GoogLeNet.
/// let block = InceptionBlockConfig::new(192, 64, [96, 128], [16, 32], 32);
/// assert_eq!(block.outputs(), 256);
///
/// let block = InceptionBlockConfig::google_net(16, 8).init(&device)?;
/// let images = Tensor::<4>::zeros([2, 16, 8, 8], &device);
/// assert_eq!(block.forward(images).dims(), [2, 32, 8, 8]);
/// # Ok(())
/// # }
/// ```
///
/// As the branch of a residual block, without norms:
///
/// ```
/// use burn::tensor::Device;
/// use burn_tricks_nn::{InceptionBlockConfig, ResidualConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let branch = InceptionBlockConfig::google_net(32, 8).with_batch_norm(false).init(&device)?;
/// let block = ResidualConfig::re_zero().init(branch, &device)?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// One or several blocks follow each other between the poolings of a network for images.
///
/// # Cost
///
/// With w = `one`, the block of [`google_net`](InceptionBlockConfig::google_net) from 4w channels to 4w has 43.125 w²
/// weights, and its normalisation layers have 11.5 w; a 3×3 convolution between as many channels has 144 w².
///
/// # Differences
///
/// - torchvision's `googlenet` has a 3×3 convolution where the paper has the 5×5 one, a mistake that its weights
///   keep (pytorch/vision#906). Here it is 5×5.
/// - On wgpu (measured on software Vulkan, without autotune) Burn 0.22.1 computes a wrong gradient for most
///   weights of a convolution with one output channel, with a batch norm and without. The error can be several
///   times the largest gradient, and Burn reports nothing; its other backends agree with each other. So on wgpu
///   each part of the block needs two channels: `one` ≥ 8 in [`google_net`](InceptionBlockConfig::google_net).
/// - The paper of 2015 has no batch norm; torchvision has batch norm with ε = 1e-3. Here ε is Burn's 1e-5.
///
/// # Suggested values
///
/// The proportions of GoogLeNet's first block, which [`google_net`](InceptionBlockConfig::google_net) gives.
/// The four parts have output channels in the ratio 2 : 4 : 1 : 1. The 1×1 convolution in front of the 3×3 one
/// has 3/4 of its output channels, the one in front of the 5×5 one half of them.
///
/// # References
///
/// - Szegedy et al., *Going deeper with convolutions*, 2015, <https://arxiv.org/abs/1409.4842>
#[derive(Config, Debug, PartialEq)]
pub struct InceptionBlockConfig {
    /// Channels of the input.
    pub channels: usize,
    /// Output channels of the 1×1 convolution.
    pub one: usize,
    /// Output channels of the 1×1 convolution in front of the 3×3 one, and of the 3×3 convolution.
    pub three: [usize; 2],
    /// Output channels of the 1×1 convolution in front of the 5×5 one, and of the 5×5 convolution.
    pub five: [usize; 2],
    /// Output channels of the 1×1 convolution behind the pooling.
    pub pool: usize,
    /// Whether a batch norm follows each convolution. Default: yes.
    #[config(default = true)]
    pub batch_norm: bool,
}

impl InceptionBlockConfig {
    /// The proportions of GoogLeNet's first block, with 4·`one` output channels. `one` should be a multiple of
    /// 4; otherwise the channels of the parts are rounded up.
    pub fn google_net(channels: usize, one: usize) -> Self {
        Self::new(
            channels,
            one,
            [(3 * one).div_ceil(2), 2 * one],
            [one.div_ceil(4), one.div_ceil(2)],
            one.div_ceil(2),
        )
    }

    /// The number of channels of the block's output.
    pub fn outputs(&self) -> usize {
        self.one + self.three[1] + self.five[1] + self.pool
    }

    /// The block, with lazy weights.
    ///
    /// # Errors
    ///
    /// If a number of channels is 0.
    #[inline]
    pub fn init(&self, device: &Device) -> Result<InceptionBlock, ConfigError> {
        let sizes = [
            ("channels", self.channels),
            ("one", self.one),
            ("three", self.three[0].min(self.three[1])),
            ("five", self.five[0].min(self.five[1])),
            ("pool", self.pool),
        ];
        for (field, channels) in sizes {
            ConfigError::at_least_one(field, channels)?;
        }
        let unit = |inputs, outputs, size| {
            let kernel = Kernel {
                channels: [inputs, outputs],
                size,
                stride: 1,
            };
            let norm = self.batch_norm.then_some(NormAt::Behind);
            ConvUnit::new(kernel, norm, device)
        };
        let pooling = MaxPool2dConfig::new([3, 3])
            .with_strides([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        Ok(InceptionBlock {
            one: unit(self.channels, self.one, 1),
            three_reduce: unit(self.channels, self.three[0], 1),
            three: unit(self.three[0], self.three[1], 3),
            five_reduce: unit(self.channels, self.five[0], 1),
            five: unit(self.five[0], self.five[1], 5),
            pool: pooling.init(),
            pool_project: unit(self.channels, self.pool, 1),
        })
    }
}

/// Convolutions of 1×1, 3×3 and 5×5 and a pooling, side by side. Made by [`InceptionBlockConfig`].
#[derive(InlineModule, Debug)]
pub struct InceptionBlock {
    one: ConvUnit,
    three_reduce: ConvUnit,
    three: ConvUnit,
    five_reduce: ConvUnit,
    five: ConvUnit,
    pool: MaxPool2d,
    pool_project: ConvUnit,
}

impl InceptionBlock {
    /// `[batch, channels, height, width]` to `[batch, outputs, height, width]`: the channels of the 1×1, the
    /// 3×3, the 5×5 convolution and the pooling, in that order.
    ///
    /// # Panics
    ///
    /// If the input has another number of channels; in training with batch norm, if it has a single value per
    /// channel (one image, at 1×1).
    #[inline]
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let one = self.one.post(input.clone());
        let three = self.three.post(self.three_reduce.post(input.clone()));
        let five = self.five.post(self.five_reduce.post(input.clone()));
        let pool = self.pool_project.post(self.pool.forward(input));
        Tensor::cat(vec![one, three, five, pool], 1)
    }
}

impl Forward<4> for InceptionBlock {
    #[inline]
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward(input)
    }
}
