//! A small network of Inception blocks for small images.

use crate::block::conv_unit::{ConvUnit, Kernel, NormAt};
use crate::block::forward::Forward;
use crate::block::inception_block::{InceptionBlock, InceptionBlockConfig};
use crate::block::res_net::channel_means;
use crate::dropout::element_dropout::{Dropout, DropoutConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, InlineModule};

/// Configuration of [`Inception`], a small network of Inception blocks for small images.
///
/// The network is a 3×3 convolution; stages of [`InceptionBlock`]s; the mean of each channel; dropout; a linear
/// layer. A max pooling (3×3, stride 2) stands in front of each stage but the first, and each stage has twice
/// the channels of the one before.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::InceptionConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let model = InceptionConfig::for_8x8(1, 10).init(&device)?;
/// let digits = Tensor::<4>::zeros([5, 1, 8, 8], &device);
/// assert_eq!(model.forward(digits).dims(), [5, 10]);
/// # Ok(())
/// # }
/// ```
///
/// Wider, two blocks a stage, with GoogLeNet's dropout:
///
/// ```
/// use burn::tensor::Device;
/// use burn_tricks_nn::InceptionConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = InceptionConfig::for_28x28(1, 10)
///     .with_width(16)
///     .with_blocks(2)
///     .with_dropout(0.4)
///     .init(&Device::flex())?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// A model for a cross-entropy loss: it gives logits. It takes images of any size, with pixels scaled.
///
/// # Cost
///
/// 12,822 weights `for_8x8(1, 10)`, and 51,334 `for_28x28(1, 10)`.
///
/// # Differences
///
/// GoogLeNet has 9 blocks behind 7×7 and 3×3 convolutions with poolings, local response normalisation, and two
/// auxiliary classifiers that serve only the training. They are left out here, since images of 28×28 pixels do
/// not need them.
///
/// On wgpu the width has to be 8 at least: with 4 a convolution has one output channel, for which Burn can get
/// gradients wrong there ([`InceptionBlockConfig`](crate::InceptionBlockConfig)).
///
/// # Suggested values
///
/// One block a stage for the images in the names; dropout 0.4 as in GoogLeNet where it overfits.
///
/// # References
///
/// - Szegedy et al., *Going deeper with convolutions*, 2015, <https://arxiv.org/abs/1409.4842>
#[derive(Config, Debug, PartialEq)]
pub struct InceptionConfig {
    /// Channels of an image: 1 for grey, 3 for colours.
    pub channels: usize,
    /// The number of classes.
    pub classes: usize,
    /// Output channels of the 1×1 convolution in the first stage's blocks, a multiple of 4; a block's output
    /// has 4 times as many channels. Default: 8.
    #[config(default = 8)]
    pub width: usize,
    /// The number of stages. Default: 3.
    #[config(default = 3)]
    pub stages: usize,
    /// The number of blocks in each stage. Default: 1.
    #[config(default = 1)]
    pub blocks: usize,
    /// Whether a batch norm follows each convolution. Default: yes.
    #[config(default = true)]
    pub batch_norm: bool,
    /// The share of channel means dropped, in `[0, 1)`. Default: 0.
    #[config(default = 0.0)]
    pub dropout: f64,
}

impl InceptionConfig {
    /// For images of 8×8 pixels: two stages, of 32 and 64 channels.
    pub fn for_8x8(channels: usize, classes: usize) -> Self {
        Self::new(channels, classes).with_stages(2)
    }

    /// For images of 28×28 pixels: three stages, of 32, 64 and 128 channels.
    pub fn for_28x28(channels: usize, classes: usize) -> Self {
        Self::new(channels, classes)
    }

    /// The network, with lazy weights.
    ///
    /// # Errors
    ///
    /// If a size is 0, if the width is no multiple of 4, or if the dropout is not in `[0, 1)`.
    #[inline]
    pub fn init(&self, device: &Device) -> Result<Inception, ConfigError> {
        ConfigError::at_least_one("channels", self.channels)?;
        ConfigError::at_least_one("classes", self.classes)?;
        ConfigError::at_least_one("stages", self.stages)?;
        ConfigError::at_least_one("blocks", self.blocks)?;
        let dropout = ConfigError::within("dropout", self.dropout, 0.0..1.0)?;
        if self.width == 0 || !self.width.is_multiple_of(4) {
            let requirement = "be a multiple of 4, and not 0";
            return Err(ConfigError::new("width", requirement, self.width));
        }
        let stem = Kernel {
            channels: [self.channels, 2 * self.width],
            size: 3,
            stride: 1,
        };
        let mut inputs = 2 * self.width;
        let mut width = self.width;
        let mut stages = Vec::new();
        for _ in 0..self.stages {
            let mut blocks = Vec::new();
            for _ in 0..self.blocks {
                let block = InceptionBlockConfig::google_net(inputs, width)
                    .with_batch_norm(self.batch_norm);
                inputs = block.outputs();
                blocks.push(block.init(device)?);
            }
            width *= 2;
            stages.push(blocks);
        }
        let pool = MaxPool2dConfig::new([3, 3])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        Ok(Inception {
            stem: ConvUnit::new(stem, self.batch_norm.then_some(NormAt::Behind), device),
            stages,
            pool: pool.init(),
            dropout: DropoutConfig::new(dropout).init()?,
            output: LinearConfig::new(inputs, self.classes).init(device),
        })
    }
}

/// A network of Inception blocks for images. Made by [`InceptionConfig`].
#[derive(InlineModule, Debug)]
pub struct Inception {
    stem: ConvUnit,
    stages: Vec<Vec<InceptionBlock>>,
    pool: MaxPool2d,
    dropout: Dropout,
    output: Linear,
}

impl Inception {
    /// The logits of these images.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - output: `[batch, classes]`
    ///
    /// # Panics
    ///
    /// If the images have another number of channels; in training with batch norm, if the feature maps in front
    /// of one have a single value per channel (one image, at 1×1).
    #[inline]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut signal = self.stem.post(images);
        for (stage, blocks) in self.stages.iter().enumerate() {
            if stage > 0 {
                signal = self.pool.forward(signal);
            }
            signal = blocks.forward(signal);
        }
        let means = self.dropout.forward(channel_means(signal));
        self.output.forward(means)
    }
}
