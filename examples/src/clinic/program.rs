//! A training program: data, network, loss, optimizer, and what its loop does.

use super::data::{Data, Dice};
use super::layer::Layer;
use super::loss::Loss;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, RmsPropConfig, SgdConfig};
use burn_tricks::nn::InitWeightsConfig;

/// The optimizer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Plain gradient descent.
    Sgd,
    /// With this momentum.
    Momentum(f64),
    /// β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    Adam,
    /// Adam whose weight decay shrinks the weights themselves, and is no part of the gradient.
    AdamW,
    /// Adam with other numbers.
    AdamWith {
        /// β₁ and β₂.
        betas: [f32; 2],
        /// ε.
        epsilon: f32,
    },
    /// α = 0.9, ε = 1e-7, no momentum: Keras's numbers.
    RmsProp,
}

/// How the program validates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// All samples at once, in inference mode.
    Inference,
    /// All samples at once, but the network as it was before the first step.
    FirstNetwork,
    /// All samples at once, but the last layer is a new one, which nobody has trained.
    NewHead,
    /// One sample at a time and in training mode: of the first so many.
    OneByOneInTraining(usize),
}

/// A program that was run before, with the same seed, and the weights that another one takes over from it.
#[derive(Debug, Clone, Copy)]
pub struct Pretrained {
    /// The earlier program.
    pub by: fn(seed: u64) -> Program,
    /// So many layers, from the first on, which are the same in both.
    pub layers: usize,
}

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 16 bits, eleven of them significant, down to 6e-8 and up to 65,504.
    Half,
    /// 16 bits, eight of them significant.
    Bfloat,
}

/// A training program. Fields from `warmup` on say what its loop does besides the usual, or forgets.
#[derive(Debug, Clone)]
pub struct Program {
    /// What it learns from.
    pub data: Data,
    /// The network.
    pub layers: Vec<Layer>,
    /// The loss.
    pub loss: Loss,
    /// The optimizer.
    pub rule: Rule,
    /// The learning rate.
    pub rate: f64,
    /// Samples in a batch.
    pub batch: usize,
    /// Times through the data.
    pub epochs: usize,
    /// Raises the rate from 0 over so many steps.
    pub warmup: Option<usize>,
    /// Ends after so many epochs without a better loss of the validation, with the weights of the best.
    pub patience: Option<usize>,
    /// Clips the gradient at this norm.
    pub clips: Option<f64>,
    /// L2 penalty; the weight decay of AdamW.
    pub decay: Option<f32>,
    /// Adds so much times the mean over samples of the hidden activations' absolute sum.
    pub sparsity: Option<f64>,
    /// Parameters whose paths hold one of these need no gradient.
    pub frozen: &'static [&'static str],
    /// The optimizer gets only the parameters whose paths hold one of these.
    pub optimizes: Option<&'static [&'static str]>,
    /// Whether it clears the gradients after a step.
    pub clears: bool,
    /// The loss is multiplied by this, from the number of the step.
    pub loss_scale: Option<fn(step: usize) -> f64>,
    /// Whether it divides the gradients by that again.
    pub unscales: bool,
    /// Whether it shuffles the data before each epoch.
    pub shuffles: bool,
    /// How it validates.
    pub validation: Validation,
    /// Multiplies the rate, by the number of the step from 0: a schedule.
    pub schedule: Option<fn(step: usize) -> f64>,
    /// Whether it makes model and optimizer anew in each epoch.
    pub resets: bool,
    /// Averages the weights from so many steps on, and validates the average.
    pub averages_after: Option<usize>,
    /// Keeps a moving average of the weights, which begins with the initial ones and has this decay, and validates it.
    pub ema: Option<f64>,
    /// Where its first weights come from.
    pub pretrained: Option<Pretrained>,
    /// The precision of gradients, which are rounded as soon as they are there.
    pub gradients: Option<Precision>,
    /// The precision of weights, which are rounded after each step.
    pub weights: Option<Precision>,
    /// Cuts off each weight at ± this after each step.
    pub bound: Option<f32>,
    /// Whether it clips gradients before it divides them by the scale of the loss, and not after that.
    pub clips_scaled: bool,
    /// Whether it makes a new optimizer in each step.
    pub forgets: bool,
    /// Whether each epoch after the first begins with the weights from the end of the first one.
    pub reloads: bool,
    /// Whether its early stopping takes a larger loss for a better one.
    pub prefers_more: bool,
    /// Changes the inputs of each row that it trains on, anew in each epoch: augmentation.
    pub augments: Option<fn(row: &mut [f32], dice: &mut Dice)>,
    /// Whether a `LossScaler` scales its loss, divides the gradients by that again, and skips steps whose gradients are
    /// not finite.
    pub has_loss_scaler: bool,
    /// Draws its first weights anew in this way.
    pub init: Option<InitWeightsConfig>,
}

impl Program {
    /// Adam at 1e-3, batches of 32, 20 epochs, and nothing unusual.
    pub fn new(data: Data, layers: Vec<Layer>, loss: Loss) -> Self {
        Self {
            data,
            layers,
            loss,
            rule: Rule::Adam,
            rate: 1e-3,
            batch: 32,
            epochs: 20,
            warmup: None,
            patience: None,
            clips: None,
            decay: None,
            sparsity: None,
            frozen: &[],
            optimizes: None,
            clears: true,
            loss_scale: None,
            unscales: true,
            shuffles: true,
            validation: Validation::Inference,
            schedule: None,
            resets: false,
            averages_after: None,
            ema: None,
            pretrained: None,
            gradients: None,
            weights: None,
            bound: None,
            clips_scaled: false,
            forgets: false,
            reloads: false,
            prefers_more: false,
            augments: None,
            has_loss_scaler: false,
            init: None,
        }
    }
}

impl Rule {
    /// The optimizer, with an L2 penalty of this weight.
    pub(super) fn optimizer(self, decay: Option<f32>) -> ModuleOptimizer {
        let share = decay.unwrap_or(0.0);
        let decay = decay.map(WeightDecayConfig::new);
        match self {
            Self::Sgd => SgdConfig::new().with_weight_decay(decay).init(),
            Self::Momentum(momentum) => {
                let momentum = MomentumConfig::new()
                    .with_momentum(momentum)
                    .with_dampening(0.0);
                SgdConfig::new()
                    .with_momentum(Some(momentum))
                    .with_weight_decay(decay)
                    .init()
            }
            Self::Adam => AdamConfig::new()
                .with_epsilon(1e-8)
                .with_weight_decay(decay)
                .init(),
            Self::AdamW => AdamWConfig::new()
                .with_epsilon(1e-8)
                .with_weight_decay(share)
                .init(),
            Self::AdamWith { betas, epsilon } => AdamConfig::new()
                .with_beta_1(betas[0])
                .with_beta_2(betas[1])
                .with_epsilon(epsilon)
                .with_weight_decay(decay)
                .init(),
            Self::RmsProp => RmsPropConfig::new()
                .with_alpha(0.9)
                .with_momentum(0.0)
                .with_epsilon(1e-7)
                .with_weight_decay(decay)
                .init(),
        }
    }
}
