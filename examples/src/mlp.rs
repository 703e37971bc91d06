//! The network of the examples: a multi-layer perceptron.

use burn::module::{Initializer, Module};
use burn::nn::norm::{Normalization, NormalizationConfig};
use burn::nn::{BatchNormConfig, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::relu};
use burn_tricks::average::Predict;
use burn_tricks::nn::{
    DepthSchedule, DropPath, DropPathConfig, Dropout, DropoutConfig, Forward, InitWeightsConfig,
    Placement, Residual, ResidualConfig, WeightInit,
};
use serde::{Deserialize, Serialize};

/// How the weights start. Biases start at zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// He: N(0, √(2/n_in)).
    He,
    /// Orthogonal matrices.
    Orthogonal,
}

impl Init {
    /// What the crate draws instead of Burn's default.
    pub(crate) fn weights(self) -> Option<WeightInit> {
        Some(match self {
            Self::Default => return None,
            Self::Normal => WeightInit::STANDARD_NORMAL,
            Self::OverN => WeightInit::InverseFanIn,
            Self::OverSqrtN => WeightInit::LECUN_NORMAL,
            Self::Uniform => WeightInit::Uniform {
                low: -0.05,
                high: 0.05,
            },
            Self::Xavier => WeightInit::XAVIER_NORMAL,
            Self::He => WeightInit::HE_NORMAL,
            Self::Orthogonal => WeightInit::ORTHOGONAL,
        })
    }
}

/// What normalises the signal between a hidden layer's weights and its activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HiddenNorm {
    /// Nothing.
    None,
    /// Batch norm.
    Batch,
    /// Layer norm.
    Layer,
}

/// What the signal of a hidden layer is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// To nothing: the layers stand one after the other.
    None,
    /// To the layer's input, where that is of its size.
    Residual,
    /// To the layer's input, multiplied by a learned number that starts at 0.
    ReZero,
}

/// What an [`Mlp`] is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct MlpConfig {
    /// Numbers of a sample, such as the pixels of an image.
    pub inputs: usize,
    /// Classes, or the predicted numbers of a regression.
    pub outputs: usize,
    /// Sizes of the hidden layers.
    pub hidden: Vec<usize>,
    /// How the weights start.
    pub init: Init,
    /// What follows each hidden layer's weights.
    pub norm: HiddenNorm,
    /// What each hidden layer's signal is added to.
    pub skip: Skip,
    /// The share of hidden activations dropped, 0 for none.
    pub dropout: f64,
    /// With skips: the share of samples for which the last layer is dropped, 0 for none; towards the first
    /// the share falls to 0.
    pub drop_path: f64,
}

impl MlpConfig {
    /// Two hidden layers of 64, for ten classes.
    pub fn new(inputs: usize) -> Self {
        Self {
            inputs,
            outputs: 10,
            hidden: vec![64, 64],
            init: Init::Default,
            norm: HiddenNorm::None,
            skip: Skip::None,
            dropout: 0.0,
            drop_path: 0.0,
        }
    }

    /// The network. Burn's default weights are lazy still, others are drawn from the device now.
    pub fn init(&self, device: &Device) -> Mlp {
        let mut inputs = self.inputs;
        let (mut hidden, mut residual) = (Vec::new(), Vec::new());
        let block = match self.skip {
            Skip::None | Skip::Residual => ResidualConfig::new().with_placement(Placement::None),
            Skip::ReZero => ResidualConfig::re_zero(),
        };
        let paths = DepthSchedule::FromZero.probs(self.drop_path, self.hidden.len());
        let paths = paths.expect("a share in [0, 1)");
        for (outputs, path) in self.hidden.iter().copied().zip(paths) {
            let mut layer = self.hidden(inputs, outputs, device);
            if self.skip == Skip::None || residual.is_empty() && inputs != outputs {
                hidden.push(layer);
            } else {
                let path = (path > 0.0).then(|| DropPathConfig::new(path).init());
                layer.path = path.map(|path| path.expect("a share in [0, 1)"));
                let block = block.init(layer, device);
                residual.push(block.expect("nothing in it that could be refused"));
            }
            inputs = outputs;
        }
        let model = Mlp {
            hidden,
            residual,
            output: linear(inputs, self.outputs, device),
        };
        match self.init.weights() {
            None => model,
            Some(weights) => InitWeightsConfig::new(weights)
                .init()
                .expect("a distribution")
                .apply(&model)
                .expect("every weight of a linear layer has fans"),
        }
    }

    fn hidden(&self, inputs: usize, outputs: usize, device: &Device) -> Hidden {
        let norm = match self.norm {
            HiddenNorm::None => None,
            HiddenNorm::Batch => Some(BatchNormConfig::new(outputs).into()),
            HiddenNorm::Layer => Some(LayerNormConfig::new(outputs).into()),
        };
        let dropout = DropoutConfig::new(self.dropout).init();
        Hidden {
            linear: linear(inputs, outputs, device),
            norm: norm.map(|norm: NormalizationConfig| norm.init(device)),
            dropout: dropout.expect("a share in [0, 1)"),
            path: None,
        }
    }
}

fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    let mut linear = LinearConfig::new(inputs, outputs).init(device);
    // Burn gives the bias the weight's initialiser.
    linear.bias = Some(Initializer::Zeros.init([outputs], device));
    linear
}

/// A multi-layer perceptron.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Vec<Hidden>,
    /// Behind those; all of one size.
    residual: Vec<Residual<Hidden>>,
    output: Linear,
}

#[derive(Module, Debug)]
struct Hidden {
    linear: Linear,
    norm: Option<Normalization>,
    dropout: Dropout,
    path: Option<DropPath>,
}

impl Forward<2> for Hidden {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let signal = self.norm.forward(self.linear.forward(input));
        self.path.forward(self.dropout.forward(relu(signal)))
    }
}

impl Predict for Mlp {
    type Input = Tensor<2>;

    /// Images `[batch, pixels]` to logits `[batch, classes]`.
    fn predict(&self, images: Tensor<2>) -> Tensor<2> {
        let signal = self.residual.forward(self.hidden.forward(images));
        self.output.forward(signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_tricks::force_init;

    fn weights(mlp: &Mlp) -> Vec<Vec<f64>> {
        let values = |linear: &Linear| linear.weight.val().into_data().iter::<f64>().collect();
        let hidden = mlp.hidden.iter().map(|hidden| values(&hidden.linear));
        hidden.chain([values(&mlp.output)]).collect()
    }

    #[test]
    fn the_default_is_burns_and_the_others_have_their_spread() {
        let _alone = crate::trainer::tests::alone();
        let device = Device::flex();
        // The weights of the published comparisons: Burn's, drawn layer by layer, and no biases.
        device.seed(5);
        let by_hand = [(64, 64), (64, 64), (64, 10)].map(|(inputs, outputs)| {
            let weight = LinearConfig::new(inputs, outputs).init(&device).weight;
            weight.val().into_data().iter::<f64>().collect::<Vec<_>>()
        });
        device.seed(5);
        let mlp = MlpConfig::new(64).init(&device);
        force_init(&mlp);
        assert_eq!(weights(&mlp), by_hand);

        for (init, std) in [
            (Init::Normal, 1.0),
            (Init::OverN, 1.0 / 64.0),
            (Init::OverSqrtN, 1.0 / 8.0),
            (Init::Uniform, 0.1 / 12f64.sqrt()),
            (Init::Xavier, 1.0 / 8.0),
            (Init::He, (2.0_f64 / 64.0).sqrt()),
            (Init::Orthogonal, 1.0 / 8.0),
        ] {
            let config = MlpConfig {
                init,
                ..MlpConfig::new(64)
            };
            let mlp = config.init(&device);
            let drawn = &weights(&mlp)[0];
            let squares = drawn.iter().map(|weight| weight * weight).sum::<f64>();
            let got = (squares / drawn.len() as f64).sqrt();
            // 4,096 numbers: five standard errors are 6 %.
            assert!((got / std - 1.0).abs() < 0.06, "{init:?}: {got}");
            let bias = mlp.output.bias.expect("a bias").val();
            assert_eq!(bias.abs().sum().into_scalar::<f32>(), 0.0);
        }
    }
}
