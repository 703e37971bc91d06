//! A small residual network for small images.

use crate::block::conv_unit::{ConvUnit, Kernel, NormAt};
use crate::block::forward::Forward;
use crate::block::layer_scale::LayerScaleConfig;
use crate::block::projection::Shortcut;
use crate::block::residual::{Placement, Residual, ResidualConfig};
use crate::block::squeeze_excite::{SqueezeExcite, SqueezeExciteConfig};
use crate::dropout::drop_path::{DepthSchedule, DropPath, DropPathConfig};
use crate::norm::running_norm::burns_batch_norm;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::relu};
use burn_tricks_core::{Config, ConfigError, InlineModule};
use serde::{Deserialize, Serialize};

/// The order of norm, activation and convolution in a residual block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResNetVersion {
    /// Convolution, norm, ReLU, convolution, norm; the sum; ReLU (He et al. 2016).
    V1,
    /// Norm, ReLU, convolution, norm, ReLU, convolution; the sum (He et al. 2016b).
    V2,
}

/// The factor of each block's branch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum BranchScale {
    /// No factor.
    One,
    /// One learned number, initially 0.
    ReZero,
    /// One learned number per channel, with this initial value.
    LayerScale(f64),
}

/// Configuration of [`ResNet`], a small residual network for small images: that of He et al. for CIFAR.
///
/// The network is a 3×3 convolution; stages of residual blocks of two 3×3 convolutions each; the mean of each
/// channel; a linear layer. The first block of each stage but the first halves height and width. With S stages
/// of n blocks the network has 2·S·n + 2 layers with weights.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::ResNetConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let model = ResNetConfig::for_8x8(1, 10).init(&device)?;
/// let digits = Tensor::<4>::zeros([5, 1, 8, 8], &device);
/// assert_eq!(model.forward(digits).dims(), [5, 10]);
/// # Ok(())
/// # }
/// ```
///
/// Twenty layers, pre-activated, with ReZero in place of norms:
///
/// ```
/// use burn::tensor::Device;
/// use burn_tricks_nn::{BranchScale, ResNetConfig, ResNetVersion};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = ResNetConfig::for_28x28(1, 10)
///     .with_blocks(3)
///     .with_version(ResNetVersion::V2)
///     .with_batch_norm(false)
///     .with_scale(BranchScale::ReZero)
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
/// 19,706 weights `for_8x8(1, 10)`, and 77,754 `for_28x28(1, 10)`.
///
/// # Differences
///
/// - Where shapes change, He et al. pad with zero channels in their network for CIFAR, and use projections in
///   that for ImageNet. This network uses projections.
/// - The initial weights of convolutions are torchvision's, N(0, √(2/fan_out)). Burn's batch norm keeps the
///   biased variance of a batch as its running statistic, PyTorch's the unbiased one.
/// - A pre-activated network (`V2`) ends with a norm and a ReLU before the mean, as the paper has it. Its
///   projections take the block's input as it is; those of Keras take the activated input. The first convolution of its blocks
///   has a bias, which the batch norm behind it takes away; Keras leaves it out. Its gradient is rounding alone, so keep it out
///   of normalised gradients, which would make steps of full size of it.
/// - On wgpu Burn computes wrong gradients with a width of 1
///   ([`InceptionBlockConfig`](crate::InceptionBlockConfig)).
///
/// # Suggested values
///
/// The paper's widths are 16, 32, 64 with 3 to 18 blocks a stage; a batch of 128, SGD with momentum 0.9, weight
/// decay 1e-4, learning rate 0.1.
///
/// # References
///
/// - He et al., *Deep residual learning for image recognition*, 2016, section 4.2,
///   <https://arxiv.org/abs/1512.03385>
/// - He et al., *Identity mappings in deep residual networks*, 2016, <https://arxiv.org/abs/1603.05027>
#[derive(Config, Debug, PartialEq)]
pub struct ResNetConfig {
    /// Channels of an image: 1 for grey, 3 for colours.
    pub channels: usize,
    /// The number of classes.
    pub classes: usize,
    /// Channels of each stage. Default: 16, 32, 64.
    #[config(default = "vec![16, 32, 64]")]
    pub widths: Vec<usize>,
    /// The number of blocks in each stage. Default: 1.
    #[config(default = 1)]
    pub blocks: usize,
    /// The order inside a block. Default: [`ResNetVersion::V1`].
    #[config(default = "ResNetVersion::V1")]
    pub version: ResNetVersion,
    /// Whether each convolution has a batch norm. Default: yes.
    #[config(default = true)]
    pub batch_norm: bool,
    /// The factor of each branch. Default: [`BranchScale::One`].
    #[config(default = "BranchScale::One")]
    pub scale: BranchScale,
    /// Squeeze-and-excitation at the end of each branch, with this number of channels per squeezed channel; each gate
    /// has at least one squeezed channel. Default: none.
    #[config(default = "None")]
    pub squeeze_excite: Option<usize>,
    /// The probability, in [0, 1), with which the branch of the last block is left out for a sample in training. It
    /// grows linearly from 0 in the first block, as in timm ([`DepthSchedule::FromZero`]); so a network of one block can
    /// have no drop-path. Default: 0, no drop-path.
    #[config(default = 0.0)]
    pub drop_path: f64,
}

impl ResNetConfig {
    /// For images of 8×8 pixels: two stages, of 16 and 32 channels; 6 layers.
    pub fn for_8x8(channels: usize, classes: usize) -> Self {
        Self::new(channels, classes).with_widths(vec![16, 32])
    }

    /// For images of 28×28 pixels: three stages, of 16, 32 and 64 channels; 8 layers.
    pub fn for_28x28(channels: usize, classes: usize) -> Self {
        Self::new(channels, classes)
    }

    /// The network, with lazy weights.
    ///
    /// # Errors
    ///
    /// If a size or `squeeze_excite` is 0, if there is no stage, if the initial value of a factor is not
    /// finite, or if `drop_path` does not lie in [0, 1), or is not 0 in a network of one block.
    #[inline]
    pub fn init(&self, device: &Device) -> Result<ResNet, ConfigError> {
        ConfigError::at_least_one("channels", self.channels)?;
        ConfigError::at_least_one("classes", self.classes)?;
        ConfigError::at_least_one("blocks", self.blocks)?;
        if self.widths.is_empty() || self.widths.contains(&0) {
            let requirement = "be one number of at least 1 per stage";
            return Err(ConfigError::new("widths", requirement, &self.widths));
        }
        if let BranchScale::LayerScale(initial) = self.scale {
            ConfigError::finite("scale", initial)?;
        }
        if let Some(reduction) = self.squeeze_excite {
            ConfigError::at_least_one("squeeze_excite", reduction)?;
        }
        // In front of pre-activated blocks there is no norm: the first one has its own.
        let stem_norm = match self.version {
            ResNetVersion::V1 => self.batch_norm.then_some(NormAt::Behind),
            ResNetVersion::V2 => None,
        };
        let stem = Kernel {
            channels: [self.channels, self.widths[0]],
            size: 3,
            stride: 1,
        };
        let depth = self.widths.len() * self.blocks;
        ConfigError::within("drop_path", self.drop_path, 0.0..1.0)?;
        if depth == 1 && self.drop_path != 0.0 {
            let requirement =
                "be 0 in a network of one block, since the first block is never dropped";
            return Err(ConfigError::new("drop_path", requirement, self.drop_path));
        }
        let mut drop_paths = DepthSchedule::FromZero
            .probs(self.drop_path, depth)?
            .into_iter();
        let mut blocks = Vec::new();
        let mut inputs = self.widths[0];
        for (stage, width) in self.widths.iter().copied().enumerate() {
            for block in 0..self.blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let drop_path = drop_paths.next().filter(|prob| *prob > 0.0);
                blocks.push(self.block([inputs, width], stride, drop_path, device)?);
                inputs = width;
            }
        }
        let last_norm = self.version == ResNetVersion::V2 && self.batch_norm;
        Ok(ResNet {
            stem: ConvUnit::new(stem, stem_norm, device),
            blocks,
            last_norm: last_norm.then(|| BatchNormConfig::new(inputs).init(device)),
            output: LinearConfig::new(inputs, self.classes).init(device),
            version: self.version,
        })
    }

    #[inline]
    fn block(
        &self,
        channels: [usize; 2],
        stride: usize,
        drop_path: Option<f64>,
        device: &Device,
    ) -> Result<Residual<BasicBlock>, ConfigError> {
        let [inputs, outputs] = channels;
        let norm = self.batch_norm.then_some(match self.version {
            ResNetVersion::V1 => NormAt::Behind,
            ResNetVersion::V2 => NormAt::Front,
        });
        let conv = |inputs, stride| {
            let kernel = Kernel {
                channels: [inputs, outputs],
                size: 3,
                stride,
            };
            ConvUnit::new(kernel, norm, device)
        };
        let branch = BasicBlock {
            first: conv(inputs, stride),
            second: conv(outputs, 1),
            gate: match self.squeeze_excite {
                Some(reduction) => {
                    let squeezed = (outputs / reduction).max(1);
                    Some(SqueezeExciteConfig::new(outputs, squeezed).init(device)?)
                }
                None => None,
            },
            drop_path: match drop_path {
                Some(prob) => Some(DropPathConfig::new(prob).init()?),
                None => None,
            },
            version: self.version,
        };
        let shortcut = if inputs == outputs && stride == 1 {
            Shortcut::Identity
        } else {
            Shortcut::Conv {
                channels,
                stride,
                // A pre-activated network normalises in front of what it normalises for.
                batch_norm: self.batch_norm && self.version == ResNetVersion::V1,
            }
        };
        let scale = match self.scale {
            BranchScale::One => None,
            BranchScale::ReZero => Some(LayerScaleConfig::re_zero()),
            BranchScale::LayerScale(initial) => {
                Some(LayerScaleConfig::new(outputs).with_initial(initial))
            }
        };
        ResidualConfig::new()
            .with_placement(match self.version {
                ResNetVersion::V1 => Placement::Post,
                ResNetVersion::V2 => Placement::None,
            })
            .with_shortcut(shortcut)
            .with_scale(scale)
            .init(branch, device)
    }
}

/// Two 3×3 convolutions, with a gate and drop-path or without: what a block of [`ResNet`] adds to its input.
#[derive(InlineModule, Debug)]
struct BasicBlock {
    first: ConvUnit,
    second: ConvUnit,
    gate: Option<SqueezeExcite>,
    drop_path: Option<DropPath>,
    #[module(skip)]
    version: ResNetVersion,
}

impl Forward<4> for BasicBlock {
    #[inline]
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let branch = match self.version {
            ResNetVersion::V1 => self.second.linear(self.first.post(input)),
            ResNetVersion::V2 => self.second.pre(self.first.pre(input)),
        };
        self.drop_path.forward(self.gate.forward(branch))
    }
}

/// A residual network for images. Made by [`ResNetConfig`].
#[derive(InlineModule, Debug)]
pub struct ResNet {
    stem: ConvUnit,
    blocks: Vec<Residual<BasicBlock>>,
    last_norm: Option<BatchNorm>,
    output: Linear,
    #[module(skip)]
    version: ResNetVersion,
}

impl ResNet {
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
        let signal = match self.version {
            ResNetVersion::V1 => self.blocks.forward(self.stem.post(images)),
            ResNetVersion::V2 => {
                let signal = self.blocks.forward(self.stem.linear(images));
                relu(match &self.last_norm {
                    Some(norm) => burns_batch_norm(norm, signal),
                    None => signal,
                })
            }
        };
        self.output.forward(channel_means(signal))
    }
}

/// The mean of each channel: `[batch, channels, height, width]` to `[batch, channels]`.
pub(crate) fn channel_means(signal: Tensor<4>) -> Tensor<2> {
    signal.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2)
}
