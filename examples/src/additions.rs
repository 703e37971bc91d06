//! A multi-layer perceptron with one of the modules added to it, or without.

use burn::module::Module;
use burn::nn::{
    self, BatchNorm, BatchNormConfig, DropoutConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig,
};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use burn_tricks::nn as ours;
use std::error::Error;

/// What is added to the plain network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each is named after its module
pub enum Addition {
    WeightNorm,
    SpectralNorm,
    WeightStandardization,
    DropConnect,
    AlphaDropout,
    GaussianDropout,
    SpatialDropout,
    DropBlock,
    DropPath,
    Dropout,
    BurnsDropout,
    GhostBatchNorm,
    TorchBatchNorm,
    FrozenBatchNorm,
    BurnsBatchNorm,
    BurnsLayerNorm,
}

use Addition::*;

impl Addition {
    /// Whether it draws random numbers.
    pub fn is_random(self) -> bool {
        matches!(
            self,
            DropConnect
                | AlphaDropout
                | GaussianDropout
                | SpatialDropout
                | DropBlock
                | DropPath
                | Dropout
                | BurnsDropout
        )
    }

    /// Whether it is a batch norm of burn-tricks, which takes the place of Burn's.
    pub fn is_batch_norm(self) -> bool {
        matches!(self, GhostBatchNorm | TorchBatchNorm | FrozenBatchNorm)
    }
}

/// Name, addition, and what the time of a step of the large network should not exceed, relative to the plain one's.
pub const ADDITIONS: [(&str, Addition, Option<f64>); 16] = [
    ("weight norm", WeightNorm, Some(1.25)),
    ("spectral norm", SpectralNorm, Some(1.35)),
    ("weight standardisation", WeightStandardization, Some(1.25)),
    ("DropConnect", DropConnect, Some(1.4)),
    ("alpha dropout", AlphaDropout, Some(1.1)),
    ("Gaussian dropout", GaussianDropout, Some(1.1)),
    ("spatial dropout", SpatialDropout, Some(1.1)),
    ("DropBlock", DropBlock, Some(1.1)),
    ("drop-path", DropPath, Some(1.1)),
    ("dropout", Dropout, Some(1.1)),
    ("Burn's dropout", BurnsDropout, None),
    ("ghost batch norm", GhostBatchNorm, None),
    ("PyTorch's batch norm", TorchBatchNorm, None),
    ("frozen batch norm", FrozenBatchNorm, None),
    ("Burn's batch norm", BurnsBatchNorm, None),
    ("Burn's layer norm", BurnsLayerNorm, None),
];

/// The probability of every dropout.
const PROB: f64 = 0.2;
/// Samples in a part of ghost batch norm.
const GHOST: usize = 16;
/// Neighbouring features that spatial dropout drops together, and DropBlock in part.
const PLACES: usize = 16;

/// What stands between two linear layers.
#[derive(Module, Debug)]
#[allow(missing_docs)] // each is named after its module
pub enum Between {
    Nothing(Relu),
    AlphaDropout(ours::AlphaDropout),
    GaussianDropout(ours::GaussianDropout),
    SpatialDropout(ours::SpatialDropout),
    DropBlock(ours::DropBlock),
    DropPath(ours::DropPath),
    Dropout(ours::Dropout),
    BurnsDropout(nn::Dropout),
    GhostBatchNorm(ours::GhostBatchNorm),
    TorchBatchNorm(ours::TorchBatchNorm),
    FrozenBatchNorm(ours::FrozenBatchNorm),
    BurnsBatchNorm(BatchNorm),
    BurnsLayerNorm(LayerNorm),
}

/// Nothing but the activation, which every layer has.
#[derive(Module, Debug)]
pub struct Relu {}

impl Between {
    /// What `addition` puts there, for `width` features; those that change the weights put nothing there.
    ///
    /// # Errors
    ///
    /// Those of the module's configuration.
    pub fn new(
        addition: Option<Addition>,
        width: usize,
        device: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let batch_norm = || BatchNormConfig::new(width).init(device);
        let Some(addition) = addition else {
            return Ok(Self::Nothing(Relu {}));
        };
        Ok(match addition {
            WeightNorm | SpectralNorm | WeightStandardization | DropConnect => {
                Self::Nothing(Relu {}) // these change the weights
            }
            AlphaDropout => Self::AlphaDropout(ours::AlphaDropoutConfig::new(PROB).init()?),
            GaussianDropout => {
                Self::GaussianDropout(ours::GaussianDropoutConfig::new(PROB).init()?)
            }
            SpatialDropout => Self::SpatialDropout(ours::SpatialDropoutConfig::new(PROB).init()?),
            DropBlock => {
                Self::DropBlock(ours::DropBlockConfig::new(PROB).with_block_size(2).init()?)
            }
            DropPath => Self::DropPath(ours::DropPathConfig::new(PROB).init()?),
            Dropout => Self::Dropout(ours::DropoutConfig::new(PROB).init()?),
            BurnsDropout => Self::BurnsDropout(DropoutConfig::new(PROB).init()),
            GhostBatchNorm => {
                Self::GhostBatchNorm(ours::GhostBatchNormConfig::new(width, GHOST).init(device)?)
            }
            TorchBatchNorm => {
                Self::TorchBatchNorm(ours::TorchBatchNormConfig::new(width).init(device)?)
            }
            FrozenBatchNorm => Self::FrozenBatchNorm(ours::FrozenBatchNorm::from(&batch_norm())),
            BurnsBatchNorm => Self::BurnsBatchNorm(batch_norm()),
            BurnsLayerNorm => Self::BurnsLayerNorm(LayerNormConfig::new(width).init(device)),
        })
    }

    /// Of features before the activation.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::GhostBatchNorm(_)
            | Self::TorchBatchNorm(_)
            | Self::FrozenBatchNorm(_)
            | Self::BurnsBatchNorm(_)
            | Self::BurnsLayerNorm(_) => relu(self.alone(x)),
            _ => self.alone(relu(x)),
        }
    }

    /// The module alone, without an activation.
    pub fn alone(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Nothing(_) => x,
            Self::AlphaDropout(dropout) => dropout.forward(x),
            Self::GaussianDropout(dropout) => dropout.forward(x),
            Self::SpatialDropout(dropout) => {
                let [samples, width] = x.dims();
                let maps = x.reshape([samples, width / PLACES, PLACES]);
                dropout.forward(maps).reshape([samples, width])
            }
            Self::DropBlock(dropout) => {
                let [samples, width] = x.dims();
                let maps = x.reshape([samples, width / PLACES, 4, PLACES / 4]);
                dropout.forward(maps).reshape([samples, width])
            }
            Self::DropPath(path) => path.forward(x),
            Self::Dropout(dropout) => dropout.forward(x),
            Self::BurnsDropout(dropout) => dropout.forward(x),
            Self::GhostBatchNorm(norm) => norm.forward(x),
            Self::TorchBatchNorm(norm) => norm.forward(x),
            Self::FrozenBatchNorm(norm) => norm.forward(x),
            Self::BurnsBatchNorm(norm) => norm.forward(x),
            Self::BurnsLayerNorm(norm) => norm.forward(x),
        }
    }
}

/// `model`, whose weights are used as the addition says.
///
/// # Errors
///
/// If the model has no weight of the kind.
pub fn attached<M: Module>(addition: Option<Addition>, model: M) -> Result<M, Box<dyn Error>> {
    Ok(match addition {
        Some(WeightNorm) => ours::WeightNormConfig::new().attach(model)?,
        Some(SpectralNorm) => ours::SpectralNormConfig::new().attach(model)?,
        Some(WeightStandardization) => ours::WeightStandardizationConfig::new().attach(model)?,
        Some(DropConnect) => ours::DropConnectConfig::new(PROB).attach(model)?,
        _ => model,
    })
}

/// A multi-layer perceptron of two hidden layers, for ten classes.
#[derive(Module, Debug)]
pub struct AddedMlp {
    hidden: Vec<Linear>,
    between: Vec<Between>,
    output: Linear,
}

impl AddedMlp {
    /// With the addition, and hidden layers of `width`.
    ///
    /// # Errors
    ///
    /// Those of the module's configuration.
    pub fn new(
        addition: Option<Addition>,
        inputs: usize,
        width: usize,
        device: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let between = || Between::new(addition, width, device);
        let net = Self {
            hidden: vec![linear(inputs, width), linear(width, width)],
            between: vec![between()?, between()?],
            output: linear(width, 10),
        };
        attached(addition, net)
    }

    /// Samples `[batch, inputs]` to logits `[batch, 10]`.
    pub fn forward(&self, mut x: Tensor<2>) -> Tensor<2> {
        for (linear, between) in self.hidden.iter().zip(&self.between) {
            x = between.forward(linear.forward(x));
        }
        self.output.forward(x)
    }
}
