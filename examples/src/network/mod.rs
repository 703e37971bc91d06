//! The networks of the recipes, behind one type.

mod cnn;
mod recurrent;
mod transformer;

use crate::mlp::{HiddenNorm, Mlp, MlpConfig, Skip};
use crate::problem::{Problem, Shape};
use crate::setup::Setup;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_tricks::average::Predict;
use burn_tricks::prelude::*;
use cnn::Cnn;
use recurrent::Recurrent;
use serde::{Deserialize, Serialize};
use std::error::Error;
use transformer::Transformer;

/// The kind of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// A multi-layer perceptron.
    Mlp,
    /// 3×3 convolutions, halving the image where the number of channels changes; with skips a ResNet, in which
    /// each skip spans two of them. The mean over the image goes to a linear layer.
    Cnn,
    /// An Elman network: one hidden layer, fed back, with tanh. Its last state goes to a linear layer.
    Rnn,
    /// A transformer that sees only what was before, layer norm first, and predicts at each position.
    Transformer,
}

/// A network for a batch of flat samples.
#[derive(Module, Debug)]
pub enum Network {
    /// A multi-layer perceptron.
    Mlp(Mlp),
    /// Convolutions.
    Cnn(Cnn),
    /// A recurrent network.
    Rnn(Recurrent),
    /// A transformer.
    Transformer(Transformer),
}

impl Predict for Network {
    type Input = Tensor<2>;

    /// Samples `[batch, features]` to logits or values `[rows, outputs]`: a row for each sample, or for each
    /// position of each sample.
    fn predict(&self, samples: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Mlp(mlp) => mlp.predict(samples),
            Self::Cnn(cnn) => cnn.forward(samples),
            Self::Rnn(rnn) => rnn.forward(samples),
            Self::Transformer(transformer) => transformer.forward(samples),
        }
    }
}

/// What a network of a setup is made of, checked.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    setup: Setup,
    shape: Shape,
    outputs: usize,
}

impl NetworkConfig {
    /// The network that a setup asks for, for the samples of a problem.
    ///
    /// # Errors
    ///
    /// If the problem's samples are not of the kind that this network takes, or the setup asks for something
    /// that this network does not have.
    pub fn check(setup: &Setup, problem: &Problem) -> Result<Self, Box<dyn Error>> {
        let (network, shape) = (setup.network, problem.shape);
        let fits = match (network, shape) {
            (Architecture::Mlp, shape) => !matches!(shape, Shape::Tokens { .. }),
            (Architecture::Cnn, Shape::Image { .. })
            | (Architecture::Rnn, Shape::Sequence { .. })
            | (Architecture::Transformer, Shape::Tokens { .. }) => true,
            _ => false,
        };
        if !fits {
            return Err(format!("a network {network:?} does not take {shape}").into());
        }
        let lacks = |asks: bool, what: &str| {
            let refused = || Err(format!("`{what}` is not for a network {network:?}"));
            if asks { refused() } else { Ok(()) }
        };
        let is_mlp = network == Architecture::Mlp;
        let has_layers = is_mlp || network == Architecture::Cnn;
        lacks(!has_layers && setup.norm != HiddenNorm::None, "norm")?;
        lacks(!has_layers && setup.skip != Skip::None, "skip")?;
        lacks(!is_mlp && setup.drop_path != 0.0, "drop_path")?;
        lacks(
            network == Architecture::Rnn && setup.dropout != 0.0,
            "dropout",
        )?;
        for (name, share) in [("dropout", setup.dropout), ("drop_path", setup.drop_path)] {
            if !(0.0..1.0).contains(&share) {
                return Err(format!("`{name}` must lie in [0, 1), got {share}").into());
            }
        }
        let (sizes, hidden) = (&setup.hidden, format!("`hidden` of a network {network:?}"));
        if sizes.contains(&0) {
            return Err(format!("{hidden} must have no layer of size 0, got {sizes:?}").into());
        }
        let is_even = sizes.windows(2).all(|pair| pair[0] == pair[1]);
        match network {
            Architecture::Mlp => {}
            Architecture::Cnn if sizes.is_empty() => {
                return Err(format!("{hidden} must have a layer, got {sizes:?}").into());
            }
            Architecture::Cnn => {}
            Architecture::Rnn if sizes.len() != 1 => {
                return Err(format!("{hidden} must be one size, got {sizes:?}").into());
            }
            Architecture::Rnn => {}
            Architecture::Transformer if sizes.is_empty() || !is_even || sizes[0] % 4 != 0 => {
                let what = "must be one size, divisible by the 4 heads, for each layer";
                return Err(format!("{hidden} {what}, got {sizes:?}").into());
            }
            Architecture::Transformer => {}
        }
        Ok(Self {
            setup: setup.clone(),
            shape,
            outputs: problem.outputs,
        })
    }

    /// The network. Burn's default weights are lazy still, others are drawn from the device now.
    pub fn init(&self, device: &Device) -> Network {
        let setup = &self.setup;
        let network = match (setup.network, self.shape) {
            (Architecture::Cnn, Shape::Image { height, width }) => {
                Network::Cnn(Cnn::init(setup, [height, width], self.outputs, device))
            }
            (Architecture::Rnn, Shape::Sequence { steps, channels }) => {
                let [units] = setup.hidden[..] else {
                    unreachable!("checked")
                };
                Network::Rnn(Recurrent::init(
                    units,
                    [steps, channels],
                    self.outputs,
                    device,
                ))
            }
            (Architecture::Transformer, Shape::Tokens { steps, vocabulary }) => {
                Network::Transformer(Transformer::init(setup, [steps, vocabulary], device))
            }
            _ => {
                let config = MlpConfig {
                    inputs: self.shape.features(),
                    outputs: self.outputs,
                    hidden: setup.hidden.clone(),
                    init: setup.init,
                    norm: setup.norm,
                    skip: setup.skip,
                    dropout: setup.dropout,
                    drop_path: setup.drop_path,
                };
                return Network::Mlp(config.init(device));
            }
        };
        match setup.init.weights() {
            None => network,
            Some(weights) => InitWeightsConfig::new(weights)
                .init()
                .expect("a distribution")
                .apply(&network)
                .expect("every weight of these layers has fans"),
        }
    }
}
