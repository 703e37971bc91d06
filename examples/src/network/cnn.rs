//! Convolutions, with and without skips.

use crate::mlp::{HiddenNorm, Skip};
use crate::setup::Setup;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::norm::{Normalization, NormalizationConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{BatchNormConfig, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation::relu};
use burn_tricks::nn::{
    Dropout, DropoutConfig, Forward, Placement, Residual, ResidualConfig, SqueezeExcite,
    SqueezeExciteConfig,
};

/// See [`Architecture::Cnn`](super::Architecture::Cnn).
#[derive(Module, Debug)]
pub struct Cnn {
    blocks: Vec<Block>,
    pool: AdaptiveAvgPool2d,
    output: Linear,
    height: usize,
    width: usize,
}

#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a network has few of them")]
enum Block {
    Plain(ConvLayer),
    Skip(Residual<TwoLayers>),
}

#[derive(Module, Debug)]
struct TwoLayers {
    first: ConvLayer,
    second: ConvLayer,
    gate: Option<SqueezeExcite>,
}

#[derive(Module, Debug)]
struct ConvLayer {
    conv: Conv2d,
    norm: Option<Normalization>,
    dropout: Dropout,
}

impl Cnn {
    pub(super) fn init(
        setup: &Setup,
        [height, width]: [usize; 2],
        outputs: usize,
        device: &Device,
    ) -> Self {
        let skip = match setup.skip {
            Skip::None => None,
            Skip::Residual => Some(ResidualConfig::new().with_placement(Placement::None)),
            Skip::ReZero => Some(ResidualConfig::re_zero()),
        };
        let mut channels = 1;
        let mut blocks = Vec::new();
        for (at, size) in setup.hidden.iter().copied().enumerate() {
            let stride = if at > 0 && size != channels { 2 } else { 1 };
            let layer = |inputs, stride| ConvLayer::init(setup, [inputs, size], stride, device);
            blocks.push(match &skip {
                Some(skip) if at > 0 && size == channels => {
                    let branch = TwoLayers {
                        first: layer(size, 1),
                        second: layer(size, 1),
                        gate: setup.squeeze_excite.map(|reduction| {
                            let gate = SqueezeExciteConfig::new(size, (size / reduction).max(1));
                            gate.init(device).expect("checked by the setup")
                        }),
                    };
                    let block = skip.init(branch, device);
                    Block::Skip(block.expect("nothing in it that could be refused"))
                }
                _ => Block::Plain(layer(channels, stride)),
            });
            channels = size;
        }
        Self {
            blocks,
            pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            output: LinearConfig::new(channels, outputs).init(device),
            height,
            width,
        }
    }

    /// `[batch, height · width]` to `[batch, outputs]`.
    pub(super) fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let [batch, _] = images.dims();
        let signal = images.reshape([batch, 1, self.height, self.width]);
        let signal = self.pool.forward(self.blocks.forward(signal));
        self.output.forward(signal.flatten(1, 3))
    }
}

impl ConvLayer {
    fn init(setup: &Setup, [inputs, outputs]: [usize; 2], stride: usize, device: &Device) -> Self {
        let norm: Option<NormalizationConfig> = match setup.norm {
            HiddenNorm::None => None,
            HiddenNorm::Batch => Some(BatchNormConfig::new(outputs).into()),
            // Layer norm of an image: all its channels together.
            HiddenNorm::Layer => Some(GroupNormConfig::new(1, outputs).into()),
        };
        let dropout = DropoutConfig::new(setup.dropout).init();
        Self {
            conv: Conv2dConfig::new([inputs, outputs], [3, 3])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            norm: norm.map(|norm| norm.init(device)),
            dropout: dropout.expect("a share in [0, 1)"),
        }
    }
}

impl Forward<4> for ConvLayer {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let signal = self.norm.forward(self.conv.forward(input));
        self.dropout.forward(relu(signal))
    }
}

impl Forward<4> for TwoLayers {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let signal = self.second.forward(self.first.forward(input));
        self.gate.forward(signal)
    }
}

impl Forward<4> for Block {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Plain(layer) => layer.forward(input),
            Self::Skip(block) => block.forward(input),
        }
    }
}
