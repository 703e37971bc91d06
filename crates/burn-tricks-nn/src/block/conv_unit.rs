//! A convolution with its norm and its activation, in the two orders that residual networks use.

use crate::norm::running_norm::burns_batch_norm;
use burn::module::Initializer;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation::relu};
use burn_tricks_core::InlineModule;

/// Where the norm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NormAt {
    /// In front of the convolution: it normalises the convolution's inputs.
    Front,
    /// Behind the convolution: it normalises the convolution's outputs.
    Behind,
}

/// A square convolution that keeps height and width, except for its stride.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    /// Channels in and out.
    pub(crate) channels: [usize; 2],
    /// Height and width, an odd number.
    pub(crate) size: usize,
    pub(crate) stride: usize,
}

/// A convolution, and a batch norm on one side of it.
#[derive(InlineModule, Debug)]
pub(crate) struct ConvUnit {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

impl ConvUnit {
    #[inline]
    pub(crate) fn new(kernel: Kernel, norm: Option<NormAt>, device: &Device) -> Self {
        let Kernel {
            channels: [inputs, outputs],
            size,
            stride,
        } = kernel;
        let half = size / 2;
        let mut conv = Conv2dConfig::new([inputs, outputs], [size, size])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(half, half, half, half))
            // Behind it a norm takes the mean away, and with it a bias.
            .with_bias(norm != Some(NormAt::Behind))
            // He et al. 2015, as torchvision has it.
            .with_initializer(Initializer::KaimingNormal {
                gain: std::f64::consts::SQRT_2,
                fan_out_only: true,
            })
            .init(device);
        if conv.bias.is_some() {
            // Burn gives the bias the weight's initialiser.
            conv.bias = Some(Initializer::Zeros.init([outputs], device));
        }
        let norm = norm.map(|at| match at {
            NormAt::Front => BatchNormConfig::new(inputs).init(device),
            NormAt::Behind => BatchNormConfig::new(outputs).init(device),
        });
        Self { conv, norm }
    }

    /// Convolution, norm, ReLU.
    #[inline]
    pub(crate) fn post(&self, input: Tensor<4>) -> Tensor<4> {
        relu(self.linear(input))
    }

    /// Convolution, norm.
    #[inline]
    pub(crate) fn linear(&self, input: Tensor<4>) -> Tensor<4> {
        self.normalise(self.conv.forward(input))
    }

    /// Norm, ReLU, convolution.
    #[inline]
    pub(crate) fn pre(&self, input: Tensor<4>) -> Tensor<4> {
        self.conv.forward(relu(self.normalise(input)))
    }

    #[inline]
    fn normalise(&self, signal: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            Some(norm) => burns_batch_norm(norm, signal),
            None => signal,
        }
    }
}
