//! The shortcut of a residual block whose output has another shape than its input.

use crate::block::conv_unit::{ConvUnit, Kernel, NormAt};
use burn::module::{DisplaySettings, Initializer, Module, ModuleDisplay};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{ConfigError, display};
use serde::{Deserialize, Serialize};

/// How the input of a residual block reaches its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Shortcut {
    /// As it is: the block keeps the shape.
    Identity,
    /// Through a linear layer without bias, on the last axis.
    Linear {
        /// Features of the block's input.
        inputs: usize,
        /// Features of its output.
        outputs: usize,
    },
    /// Through a 1×1 convolution: `[batch, channels, height, width]`. On wgpu it needs at least two output
    /// channels: see [`InceptionBlockConfig`](crate::InceptionBlockConfig).
    Conv {
        /// Channels of the block's input and of its output.
        channels: [usize; 2],
        /// The block's stride, by which height and width are divided, rounded up.
        stride: usize,
        /// Whether a batch norm follows the convolution.
        batch_norm: bool,
    },
}

impl Shortcut {
    #[inline]
    pub(crate) fn init(self, device: &Device) -> Result<Option<Projection>, ConfigError> {
        Ok(match self {
            Self::Identity => None,
            Self::Linear { inputs, outputs } => {
                ConfigError::at_least_one("shortcut.inputs", inputs)?;
                ConfigError::at_least_one("shortcut.outputs", outputs)?;
                let linear = LinearConfig::new(inputs, outputs)
                    .with_bias(false)
                    // It keeps the variance of what it passes on.
                    .with_initializer(Initializer::KaimingNormal {
                        gain: 1.0,
                        fan_out_only: false,
                    });
                Some(Projection::Linear(linear.init(device)))
            }
            Self::Conv {
                channels,
                stride,
                batch_norm,
            } => {
                ConfigError::at_least_one("shortcut.channels", channels[0].min(channels[1]))?;
                ConfigError::at_least_one("shortcut.stride", stride)?;
                let kernel = Kernel {
                    channels,
                    size: 1,
                    stride,
                };
                let norm = batch_norm.then_some(NormAt::Behind);
                Some(Projection::Conv(ConvUnit::new(kernel, norm, device)))
            }
        })
    }
}

#[derive(Module, Debug)]
#[module(custom_display)]
#[allow(clippy::large_enum_variant)] // a box is no module
pub(crate) enum Projection {
    Linear(Linear),
    Conv(ConvUnit),
}

impl ModuleDisplay for Projection {
    fn format(&self, settings: DisplaySettings) -> String {
        display::format(self, settings)
    }
}

impl Projection {
    pub(crate) fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Linear(linear) => linear.forward(input),
            Self::Conv(conv) => {
                let dims: [usize; 4] = (input.dims().as_slice())
                    .try_into()
                    .expect("a convolution in the shortcut needs [batch, channels, height, width]");
                // To rank 4 and back, for the types: no number moves.
                let output = conv.linear(input.reshape(dims));
                let mut shape = [1; D];
                shape.copy_from_slice(&output.dims());
                output.reshape(shape)
            }
        }
    }
}
