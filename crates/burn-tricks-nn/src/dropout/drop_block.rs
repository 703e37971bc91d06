//! DropBlock.

use crate::dropout::training_only::{acts, one_line, with_flag};
use burn::module::{Content, DisplaySettings, Flag, ModuleDisplay, Param};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, InlineModule, display};
use burn_tricks_kernels::{Blocks, drop_blocks};
use serde::{Deserialize, Serialize};

/// The part of a batch that shares one mask of [`DropBlock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DropBlockUnit {
    /// Each channel of each sample: the paper, torchvision.
    Channel,
    /// Each sample: its channels share a mask. timm's `couple_channels`.
    Sample,
    /// Each channel: all samples of the batch share it. It needs the fewest random numbers; timm's `batchwise`.
    Batch,
}

/// Configuration of [`DropBlock`]: during training, square blocks of the feature maps are zero.
///
/// ```text
/// γ = p · (H W / b²) / ((H − b + 1)(W − b + 1))     the probability that a block begins at a place
/// m = 0 inside each b × b block, 1 elsewhere        blocks lie inside the map, and may overlap
/// y = x m / mean(m)
/// ```
///
/// Neighbouring pixels of a feature map are strongly correlated, so what plain dropout removes can be read from the
/// pixels around it. A block removes the neighbours too, and the network has to find other evidence.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::DropBlockConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let dropout = DropBlockConfig::new(0.1).init()?;
/// let maps = Tensor::<4>::ones([8, 16, 14, 14], &Device::flex().autodiff());
/// let dropped = dropout.forward(maps); // blocks of 7 × 7 are 0
/// assert_eq!(dropped.dims(), [8, 16, 14, 14]);
/// # Ok(())
/// # }
/// ```
///
/// Smaller blocks, all samples with the same mask, with a probability that rises from 0:
///
/// ```
/// use burn_tricks_nn::{DropBlockConfig, DropBlockUnit};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut dropout = DropBlockConfig::new(0.0)
///     .with_block_size(3)
///     .with_unit(DropBlockUnit::Batch)
///     .init()?;
/// for step in 0..1_000 {
///     dropout.prob = 0.2 * f64::from(step) / 1_000.0;
///     // ... a step of the training ...
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The layer comes after the activation of a convolution, and after the sum of a residual block; Ghiasi et al. put it
/// into the last two stages of a ResNet. It acts on an autodiff device while its `training` flag is set; elsewhere it
/// returns its input. Masks depend on the generator of the input's device: see [`DropPath`](crate::DropPath) for what
/// a seed gives. In the `Learner`, a trick of `burn-tricks-train` lets the probability follow a schedule.
///
/// # Cost
///
/// A random number for each place at which a block may begin, and one pass over the input, which is copied before if another
/// tensor shares its buffer. On Burn's CPU backend the
/// numbers are made from a key and a counter, and made again in the pass over the gradient: no mask is stored. On other
/// backends the mask is made by a max-pooling, and stored. Nothing is read from the device.
///
/// # Differences
///
/// - The same as torchvision's `drop_block2d` for the block sizes that it takes, which are odd.
/// - timm's `drop_block_2d` lets blocks begin outside of the map, with the same γ, and so drops more at the borders. It
///   shares masks between channels by default ([`DropBlockUnit::Sample`]).
/// - A map that is smaller than the block in one direction has a block as long as the map in that direction alone, as
///   in timm. torchvision makes the block as small as the shorter side in both directions.
/// - p is the expected share of dropped values if no two blocks overlap; with overlaps it is smaller.
/// - If nothing is left of all masks together, the output is 0.
///
/// # Suggested values
///
/// A block of 7 × 7; p rises linearly from 0 to 0.1 over the training (Ghiasi et al.: this works better than a constant
/// p; in their terms a `keep_prob` that falls from 1 to 0.9).
///
/// # References
///
/// - Ghiasi, Lin, Le, *DropBlock: a regularization method for convolutional networks*, 2018,
///   <https://arxiv.org/abs/1810.12890>
/// - torchvision, `torchvision.ops.drop_block2d`; timm, `timm.layers.DropBlock2d`
#[derive(Config, Debug, PartialEq)]
pub struct DropBlockConfig {
    /// Probability p of dropping a value, in [0, 1). 0 is the identity.
    pub prob: f64,
    /// b, height and width of a block in pixels, at least 1; a block of 1 is plain dropout of pixels. Default: 7.
    #[config(default = 7)]
    pub block_size: usize,
    /// The part of a batch that shares one mask. Default: [`DropBlockUnit::Channel`].
    #[config(default = "DropBlockUnit::Channel")]
    pub unit: DropBlockUnit,
}

impl DropBlockConfig {
    /// The layer.
    ///
    /// # Errors
    ///
    /// If `prob` does not lie in [0, 1), or if `block_size` is 0.
    #[inline]
    pub fn init(&self) -> Result<DropBlock, ConfigError> {
        Ok(DropBlock {
            prob: ConfigError::within("prob", self.prob, 0.0..1.0)?,
            block_size: ConfigError::at_least_one("block_size", self.block_size)?,
            training: Param::from_bool(true),
            unit: self.unit,
        })
    }
}

/// Drops square blocks of feature maps. Made by [`DropBlockConfig::init`].
#[derive(InlineModule, Debug)]
#[module(custom_display)]
pub struct DropBlock {
    /// Probability of dropping a value.
    #[module(skip)]
    pub prob: f64,
    /// Height and width of a block in pixels.
    #[module(skip)]
    pub block_size: usize,
    /// Whether to behave as during training, on an autodiff device.
    pub training: Param<Flag>,
    /// What has a mask of its own.
    #[module(skip)]
    pub unit: DropBlockUnit,
}

impl DropBlock {
    /// The input, with blocks dropped.
    ///
    /// # Shapes
    ///
    /// - input: `[samples, channels, height, width]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If `prob` was set to a value outside [0, 1).
    #[inline]
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [samples, channels, height, width] = input.dims();
        let is_empty = input.dims().contains(&0);
        if is_empty || !acts(&self.training, self.prob, &input) {
            return input;
        }
        let block = [self.block_size.min(height), self.block_size.min(width)];
        let begins = [height - block[0] + 1, width - block[1] + 1];
        let area = |[a, b]: [usize; 2]| (a * b) as f64;
        let gamma = self.prob * area([height, width]) / area(block) / area(begins);
        let masks = match self.unit {
            DropBlockUnit::Channel => [samples, channels],
            DropBlockUnit::Sample => [samples, 1],
            DropBlockUnit::Batch => [1, channels],
        };
        let blocks = Blocks {
            prob: gamma,
            size: block,
            masks,
        };
        drop_blocks(input, blocks)
    }
}

impl ModuleDisplay for DropBlock {
    fn format(&self, settings: DisplaySettings) -> String {
        display::format(self, settings)
    }

    fn custom_settings(&self) -> Option<DisplaySettings> {
        one_line()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let content = display::number(content, "prob", &self.prob);
        let content = display::number(content, "block_size", &self.block_size);
        let content = display::debug(content, "unit", &self.unit);
        with_flag(content, &self.training)
    }
}
