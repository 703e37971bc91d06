//! The network of the examples: a multi-layer perceptron.

use burn::module::{Initializer, Module};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::relu};
use burn_tricks::average::Predict;

/// How the weights start. Biases start at zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Burn's default for a linear layer: uniform in ±1/√n_in.
    Default,
    /// N(0, 1).
    Normal,
    /// N(0, 1/n), a standard deviation of 1/n_in.
    OverN,
    /// N(0, 1/√n_in), a standard deviation of 1/√n_in.
    OverSqrtN,
    /// Uniform in ±0.05, Keras's `RandomUniform`.
    Uniform,
    /// Xavier: N(0, √(2/(n_in + n_out))).
    Xavier,
}

impl Init {
    fn initializer(self, inputs: usize) -> Option<Initializer> {
        let normal = |std| Some(Initializer::Normal { mean: 0.0, std });
        match self {
            Self::Default => None,
            Self::Normal => normal(1.0),
            Self::OverN => normal(1.0 / inputs as f64),
            Self::OverSqrtN => normal(1.0 / (inputs as f64).sqrt()),
            Self::Uniform => Some(Initializer::Uniform {
                min: -0.05,
                max: 0.05,
            }),
            Self::Xavier => Some(Initializer::XavierNormal { gain: 1.0 }),
        }
    }
}

/// What an [`Mlp`] is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct MlpConfig {
    /// Pixels of an image.
    pub inputs: usize,
    /// Sizes of the hidden layers.
    pub hidden: Vec<usize>,
    /// How the weights start.
    pub init: Init,
    /// Whether a batch norm follows each hidden layer's weights.
    pub batch_norm: bool,
    /// The share of hidden activations dropped, 0 for none.
    pub dropout: f64,
}

impl MlpConfig {
    /// Two hidden layers of 64.
    pub fn new(inputs: usize) -> Self {
        Self {
            inputs,
            hidden: vec![64, 64],
            init: Init::Default,
            batch_norm: false,
            dropout: 0.0,
        }
    }

    /// The network, with lazy weights.
    pub fn init(&self, device: &Device) -> Mlp {
        let mut inputs = self.inputs;
        let mut hidden = Vec::new();
        for outputs in &self.hidden {
            hidden.push(Hidden {
                linear: self.linear(inputs, *outputs, device),
                norm: self
                    .batch_norm
                    .then(|| BatchNormConfig::new(*outputs).init(device)),
                dropout: DropoutConfig::new(self.dropout).init(),
            });
            inputs = *outputs;
        }
        Mlp {
            hidden,
            output: self.linear(inputs, 10, device),
        }
    }

    fn linear(&self, inputs: usize, outputs: usize, device: &Device) -> Linear {
        let mut config = LinearConfig::new(inputs, outputs);
        if let Some(initializer) = self.init.initializer(inputs) {
            config = config.with_initializer(initializer);
        }
        let mut linear = config.init(device);
        // Burn gives the bias the weight's initialiser.
        linear.bias = Some(Initializer::Zeros.init([outputs], device));
        linear
    }
}

/// A multi-layer perceptron for images of ten classes.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Vec<Hidden>,
    output: Linear,
}

#[derive(Module, Debug)]
struct Hidden {
    linear: Linear,
    norm: Option<BatchNorm>,
    dropout: Dropout,
}

impl Predict for Mlp {
    type Input = Tensor<2>;

    /// Images `[batch, pixels]` to logits `[batch, 10]`.
    fn predict(&self, images: Tensor<2>) -> Tensor<2> {
        let mut signal = images;
        for Hidden {
            linear,
            norm,
            dropout,
        } in &self.hidden
        {
            signal = linear.forward(signal);
            if let Some(norm) = norm {
                signal = norm.forward(signal);
            }
            signal = dropout.forward(relu(signal));
        }
        self.output.forward(signal)
    }
}
