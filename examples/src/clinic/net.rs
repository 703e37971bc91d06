//! The network of the clinic: a list of layers.

use super::layer::{Act, Dense, GLOROT, Layer};
use burn::module::{Initializer, Module};
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig};
use burn::nn::pool::{AvgPool1d, AvgPool1dConfig, AvgPool2d, AvgPool2dConfig};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Embedding, EmbeddingConfig, Gru, GruConfig,
    LayerNorm, LayerNormConfig, Linear, LinearConfig, LinearLayout, Lstm, LstmConfig,
    PaddingConfig1d, PaddingConfig2d, PositionalEncoding, PositionalEncodingConfig,
};
use burn::tensor::activation::{elu, leaky_relu, relu, sigmoid, softmax, softplus};
use burn::tensor::{Device, Tensor};

/// A network whose signals are `[batch, numbers]`.
#[derive(Module, Debug)]
pub struct Net {
    /// One after the other.
    pub layers: Vec<Block>,
}

/// A layer of a [`Net`].
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A few dozen of them in a program.
pub enum Block {
    /// Fully connected.
    Dense(Linear),
    /// An activation.
    Act(Activation),
    /// Drops numbers in training.
    Dropout(Dropout),
    /// Batch norm.
    BatchNorm(BatchNorm),
    /// Layer norm.
    LayerNorm(LayerNorm),
    /// A convolution.
    Conv(Image<Conv2d>),
    /// Batch norm of the channels of images.
    ImageBatchNorm(Image<BatchNorm>),
    /// The mean over neighbouring pixels.
    Pool(Image<AvgPool2d>),
    /// A convolution of a series.
    SeriesConv(Series<Conv1d>),
    /// The mean over neighbours in a series.
    SeriesPool(Series<AvgPool1d>),
    /// A plain recurrent layer.
    Recurrent(Recurrent),
    /// An LSTM.
    Lstm(Lstm),
    /// An LSTM over tokens.
    TokenLstm(TokenLstm),
    /// A GRU.
    Gru(Gru),
    /// A GRU that goes from row to row.
    GruOverRows(Gru),
    /// Vectors for numbers.
    Embedding(Embedding),
    /// A block of a transformer.
    Transformer(TransformerEncoder),
    /// Adds their positions to tokens.
    Positions(Positions),
    /// The mean over tokens.
    TokenMean(TokenMean),
    /// The product of tokens.
    TokenProduct(TokenProduct),
    /// The signal plus what layers make of it.
    Residual(Net),
}

/// An activation.
#[derive(Module, Debug)]
pub struct Activation {
    #[module(skip)]
    act: Act,
}

/// A layer of images, between flat signals.
#[derive(Module, Debug)]
pub struct Image<L> {
    layer: L,
    channels: usize,
    side: usize,
}

/// A layer of series, between flat signals.
#[derive(Module, Debug)]
pub struct Series<L> {
    layer: L,
    channels: usize,
}

/// Adds their positions to tokens of `width` numbers.
#[derive(Module, Debug)]
pub struct Positions {
    encoding: PositionalEncoding,
    width: usize,
}

/// The mean over tokens of `width` numbers.
#[derive(Module, Debug)]
pub struct TokenMean {
    width: usize,
}

/// The product of tokens of `width` numbers, number by number.
#[derive(Module, Debug)]
pub struct TokenProduct {
    width: usize,
}

/// An LSTM over tokens of `width` numbers.
#[derive(Module, Debug)]
pub struct TokenLstm {
    lstm: Lstm,
    width: usize,
}

/// State ← act(input weights · number + recurrent weights · state).
#[derive(Module, Debug)]
pub struct Recurrent {
    input: Linear,
    recurrent: Linear,
    activation: Activation,
}

/// Sees each block's output on its way through a network, and may put another in its place.
pub trait Tap {
    /// The output of the block at `path`, say `layers.3`.
    fn tap(&mut self, path: &str, block: &Block, output: Tensor<2>) -> Tensor<2>;

    /// The input of the block at `path`.
    fn input(&mut self, _path: &str, _block: &Block, input: Tensor<2>) -> Tensor<2> {
        input
    }
}

/// Looks at nothing.
#[derive(Debug)]
pub struct NoTap;

impl Tap for NoTap {
    fn tap(&mut self, _path: &str, _block: &Block, output: Tensor<2>) -> Tensor<2> {
        output
    }
}

impl Net {
    /// With the weights that `layers` asks for, drawn from the device's generator when they are first used.
    pub fn init(layers: &[Layer], device: &Device) -> Self {
        let layers = layers.iter().map(|layer| Block::init(layer, device));
        Self {
            layers: layers.collect(),
        }
    }

    /// Inputs `[batch, numbers]` to outputs `[batch, numbers]`.
    pub fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        self.forward_through(inputs, &mut NoTap)
    }

    /// As [`forward`](Self::forward), and `tap` sees each layer's output.
    pub fn forward_through(&self, inputs: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let mut signal = inputs;
        for (i, block) in self.layers.iter().enumerate() {
            signal = tap.input(&format!("layers.{i}"), block, signal);
            signal = block.forward(signal, &mut |inner, block, output| {
                tap.tap(&format!("layers.{i}{inner}"), block, output)
            });
            signal = tap.tap(&format!("layers.{i}"), block, signal);
        }
        signal
    }
}

fn linear(inputs: usize, outputs: usize, weight: &Initializer, device: &Device) -> Linear {
    let mut linear = LinearConfig::new(inputs, outputs)
        .with_initializer(weight.clone())
        .init(device);
    // Burn gives the bias the weight's initialiser.
    linear.bias = Some(Initializer::Zeros.init([outputs], device));
    linear
}

impl Block {
    fn init(layer: &Layer, device: &Device) -> Self {
        match layer {
            Layer::Dense(Dense {
                inputs,
                outputs,
                weight,
                bias,
                columns,
            }) => {
                let mut config =
                    LinearConfig::new(*inputs, *outputs).with_initializer(weight.clone());
                if *columns {
                    config = config.with_layout(LinearLayout::Col);
                }
                let mut linear = config.init(device);
                linear.bias = bias.as_ref().map(|bias| bias.init([*outputs], device));
                Self::Dense(linear)
            }
            Layer::Act(act) => Self::Act(Activation { act: *act }),
            Layer::Dropout(share) => Self::Dropout(DropoutConfig::new(*share).init()),
            Layer::BatchNorm(width) => Self::BatchNorm(BatchNormConfig::new(*width).init(device)),
            Layer::SlowBatchNorm { width, momentum } => {
                let config = BatchNormConfig::new(*width).with_momentum(*momentum);
                Self::BatchNorm(config.init(device))
            }
            Layer::LayerNorm(width) => Self::LayerNorm(LayerNormConfig::new(*width).init(device)),
            Layer::LayerNormFromZero(width) => {
                let mut layer = LayerNormConfig::new(*width).init(device);
                layer.gamma = Initializer::Zeros.init([*width], device);
                Self::LayerNorm(layer)
            }
            Layer::Conv {
                channels,
                side,
                weight,
            } => {
                let mut layer = Conv2dConfig::new(*channels, [3, 3])
                    .with_padding(PaddingConfig2d::Same)
                    .with_initializer(weight.clone())
                    .init(device);
                layer.bias = Some(Initializer::Zeros.init([channels[1]], device));
                Self::Conv(Image {
                    layer,
                    channels: channels[0],
                    side: *side,
                })
            }
            Layer::ImageBatchNorm { channels, side } => Self::ImageBatchNorm(Image {
                layer: BatchNormConfig::new(*channels).init(device),
                channels: *channels,
                side: *side,
            }),
            Layer::Pool { channels, side } => Self::Pool(Image {
                layer: AvgPool2dConfig::new([2, 2]).init(),
                channels: *channels,
                side: *side,
            }),
            Layer::SeriesConv {
                channels,
                kernel,
                weight,
            } => Self::series_conv(*channels, *kernel, PaddingConfig1d::Same, weight, device),
            Layer::CausalConv {
                channels,
                kernel,
                weight,
            } => {
                let before = PaddingConfig1d::Explicit(kernel - 1, 0);
                Self::series_conv(*channels, *kernel, before, weight, device)
            }
            Layer::SeriesPool { channels } => Self::SeriesPool(Series {
                layer: AvgPool1dConfig::new(2).init(),
                channels: *channels,
            }),
            Layer::Recurrent {
                hidden,
                act,
                recurrent,
            } => Self::Recurrent(Recurrent {
                input: linear(1, *hidden, &GLOROT, device),
                recurrent: linear(*hidden, *hidden, recurrent, device),
                activation: Activation { act: *act },
            }),
            Layer::Lstm { hidden } => Self::Lstm(LstmConfig::new(1, *hidden, true).init(device)),
            Layer::TokenLstm { width, hidden } => Self::TokenLstm(TokenLstm {
                lstm: LstmConfig::new(*width, *hidden, true).init(device),
                width: *width,
            }),
            Layer::Gru { hidden } => Self::Gru(GruConfig::new(1, *hidden, true).init(device)),
            Layer::GruOverRows { hidden } => {
                Self::GruOverRows(GruConfig::new(1, *hidden, true).init(device))
            }
            Layer::Embedding { count, width } => {
                Self::Embedding(EmbeddingConfig::new(*count, *width).init(device))
            }
            Layer::Transformer { width, heads } => Self::Transformer(
                TransformerEncoderConfig::new(*width, 2 * width, *heads, 1)
                    .with_dropout(0.0)
                    .with_norm_first(true)
                    .init(device),
            ),
            Layer::Positions { width } => Self::Positions(Positions {
                encoding: PositionalEncodingConfig::new(*width)
                    .with_max_sequence_size(64)
                    .init(device),
                width: *width,
            }),
            Layer::TokenMean { width } => Self::TokenMean(TokenMean { width: *width }),
            Layer::TokenProduct { width } => Self::TokenProduct(TokenProduct { width: *width }),
            Layer::Residual(layers) => Self::Residual(Net::init(layers, device)),
        }
    }

    fn series_conv(
        channels: [usize; 2],
        kernel: usize,
        padding: PaddingConfig1d,
        weight: &Initializer,
        device: &Device,
    ) -> Self {
        let mut layer = Conv1dConfig::new(channels[0], channels[1], kernel)
            .with_padding(padding)
            .with_initializer(weight.clone())
            .init(device);
        layer.bias = Some(Initializer::Zeros.init([channels[1]], device));
        Self::SeriesConv(Series {
            layer,
            channels: channels[0],
        })
    }

    /// `tap` gets the outputs of layers within this one, with what follows this one's path.
    fn forward(
        &self,
        signal: Tensor<2>,
        tap: &mut dyn FnMut(&str, &Self, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        match self {
            Self::Dense(layer) => layer.forward(signal),
            Self::Act(layer) => layer.forward(signal),
            Self::Dropout(layer) => layer.forward(signal),
            Self::BatchNorm(layer) => layer.forward(signal),
            Self::LayerNorm(layer) => layer.forward(signal),
            Self::Conv(image) => image.forward(signal, |pixels| image.layer.forward(pixels)),
            Self::ImageBatchNorm(image) => {
                image.forward(signal, |pixels| image.layer.forward(pixels))
            }
            Self::Pool(image) => image.forward(signal, |pixels| image.layer.forward(pixels)),
            Self::SeriesConv(series) => series.forward(signal, |x| series.layer.forward(x)),
            Self::SeriesPool(series) => series.forward(signal, |x| series.layer.forward(x)),
            Self::Recurrent(layer) => {
                layer.forward(signal, &mut |state| tap(".Recurrent.state", self, state))
            }
            Self::Lstm(layer) => {
                let [batch, length] = signal.dims();
                let (_, last) = layer.forward(signal.reshape([batch, length, 1]), None);
                last.hidden
            }
            Self::TokenLstm(layer) => {
                let (_, last) = layer.lstm.forward(tokens(signal, layer.width), None);
                last.hidden
            }
            Self::Gru(layer) => {
                let [batch, length] = signal.dims();
                let states = layer.forward(signal.reshape([batch, length, 1]), None);
                states.narrow(1, length - 1, 1).squeeze_dim(1)
            }
            Self::GruOverRows(layer) => {
                let [batch, length] = signal.dims();
                let last = signal.narrow(1, length - 1, 1);
                let states = layer.forward(last.reshape([1, batch, 1]), None);
                states.squeeze_dim(0)
            }
            Self::Embedding(layer) => layer.forward(signal.int()).flatten(1, 2),
            Self::Transformer(layer) => {
                let tokens = tokens(signal, layer.d_model);
                let output = layer.forward(TransformerEncoderInput::new(tokens));
                output.flatten(1, 2)
            }
            Self::Positions(layer) => {
                let tokens = tokens(signal, layer.width);
                layer.encoding.forward(tokens).flatten(1, 2)
            }
            Self::TokenMean(layer) => tokens(signal, layer.width).mean_dim(1).squeeze_dim(1),
            Self::TokenProduct(layer) => {
                let [_, numbers] = signal.dims();
                let token = |i: usize| signal.clone().narrow(1, i * layer.width, layer.width);
                let others = (1..numbers / layer.width).map(token);
                others.fold(token(0), |product, token| product * token)
            }
            Self::Residual(net) => {
                struct Within<'a>(&'a mut dyn FnMut(&str, &Block, Tensor<2>) -> Tensor<2>);
                impl Tap for Within<'_> {
                    fn tap(&mut self, path: &str, block: &Block, output: Tensor<2>) -> Tensor<2> {
                        (self.0)(&format!(".Residual.{path}"), block, output)
                    }
                }
                signal.clone() + net.forward_through(signal, &mut Within(tap))
            }
        }
    }
}

/// `[batch, numbers]` as `[batch, tokens, width]`.
fn tokens(signal: Tensor<2>, width: usize) -> Tensor<3> {
    let [batch, numbers] = signal.dims();
    signal.reshape([batch, numbers / width, width])
}

impl<L> Image<L> {
    fn forward(&self, signal: Tensor<2>, layer: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<2> {
        let [batch, _] = signal.dims();
        layer(signal.reshape([batch, self.channels, self.side, self.side])).flatten(1, 3)
    }
}

impl Image<BatchNorm> {
    /// `[batch, numbers]` as `[batch · pixels, channels]`: what each channel is normalised over is a column.
    pub(super) fn by_channel(&self, signal: Tensor<2>) -> Tensor<2> {
        let [batch, numbers] = signal.dims();
        let pixels = numbers / self.channels;
        let images = signal.reshape([batch, self.channels, pixels]);
        images
            .swap_dims(1, 2)
            .reshape([batch * pixels, self.channels])
    }
}

impl<L> Series<L> {
    fn forward(&self, signal: Tensor<2>, layer: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<2> {
        let [batch, numbers] = signal.dims();
        let length = numbers / self.channels;
        layer(signal.reshape([batch, self.channels, length])).flatten(1, 2)
    }
}

impl Recurrent {
    /// `seen` gets each state.
    fn forward(
        &self,
        sequence: Tensor<2>,
        seen: &mut dyn FnMut(Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let [_, length] = sequence.dims();
        let input = |t: usize| self.input.forward(sequence.clone().narrow(1, t, 1));
        let first = seen(self.activation.forward(input(0)));
        (1..length).fold(first, |last, t| {
            let sum = input(t) + self.recurrent.forward(last);
            seen(self.activation.forward(sum))
        })
    }
}

impl Activation {
    /// Which it is.
    pub fn act(&self) -> Act {
        self.act
    }

    fn forward(&self, signal: Tensor<2>) -> Tensor<2> {
        match self.act {
            Act::Relu => relu(signal),
            Act::LeakyRelu => leaky_relu(signal, 0.1),
            Act::Elu => elu(signal, 1.0),
            Act::Sigmoid => sigmoid(signal),
            Act::Tanh => signal.tanh(),
            Act::Exp => signal.exp(),
            Act::Softmax => softmax(signal, 1),
            Act::OverflowingSoftmax => {
                let powers = signal.exp();
                powers.clone() / powers.sum_dim(1)
            }
            Act::SoftmaxOverRows => softmax(signal, 0),
            Act::Softplus => softplus(signal, 1.0),
            Act::Identity => signal,
            Act::Log => signal.log(),
            Act::TimesLength => {
                let length = signal.clone().square().sum_dim(1).sqrt();
                signal * length
            }
            Act::TimesSafeLength => {
                let length = (signal.clone().square().sum_dim(1) + 1e-12).sqrt();
                signal * length
            }
            Act::Detach => signal.detach(),
            Act::Sin => signal.sin(),
            Act::Sign => signal.sign(),
            Act::MaskedSoftmax => {
                let is_there = signal.clone().equal_elem(0.0).bool_not().float();
                let powers = signal.exp() * is_there;
                powers.clone() / powers.sum_dim(1)
            }
        }
    }
}
