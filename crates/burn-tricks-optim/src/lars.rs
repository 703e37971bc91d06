//! LARS: momentum of gradients that are scaled to their layer.
//!
//! The gradient of each tensor is rescaled so that its length is a share of that of the weights, and the
//! momentum adds up what comes out (You et al., 2017), for training with large batches.
//!
//! ```text
//! g ← g + λ w
//! r ← κ ‖w‖ / (‖g‖ + ε)                      1 where ‖w‖ or ‖g‖ is 0
//! v ← μ v − η r g,   w ← w + v               MomentumForm::OfUpdate
//! v ← μ v + r g,     w ← w − η v             MomentumForm::OfGradient
//! ```
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::optim::{GradientsParams, ModuleOptimizer};
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_optim::LarsConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let model = LinearConfig::new(4, 2).init(&device);
//! let mut optim: ModuleOptimizer = LarsConfig::new().init()?;
//!
//! let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
//! let grads = GradientsParams::from_grads(loss.backward(), &model);
//! let model = optim.step(10.0, model, grads);
//! # let _ = model;
//! # Ok(())
//! # }
//! ```
//!
//! Biases and norms as in plain momentum SGD, with the decay of the paper:
//!
//! ```
//! use burn_tricks_optim::{LarsConfig, WeightDecayScope};
//!
//! let optim = LarsConfig::new()
//!     .with_vectors(false)
//!     .with_weight_decay(5e-4)
//!     .with_weight_decay_scope(WeightDecayScope::Matrices)
//!     .build()?; // the bare `Optimizer`, for wrappers and `ModuleOptimizer::with_group`
//! # Ok::<(), burn_tricks_core::ConfigError>(())
//! ```
//!
//! # Order
//!
//! The optimizer, at the end of the stack: clip before it.
//!
//! `skip_marked` skips the steps that a transform before it has marked: [`skipped_steps`](crate::skipped_steps).
//! Clipping by norm before it does nothing to the tensors that it rescales.
//!
//! # Cost
//!
//! One tensor of the parameter's size, none without momentum. Two reads for the norms and one pass for the scaling
//! more than SGD. The ratio stays on the device.
//!
//! # Differences
//!
//! - κ = 0.001 and ε = 0, as in optax, where each rescaled gradient keeps the η that it was made with, as in the
//!   paper; timm applies the present η to all: [`MomentumForm::OfGradient`].
//! - Decay that is decoupled is not in the norm, and is not rescaled.
//! - The rescaled gradient of `f16` and `bf16` weights is rounded to their type.
//! - For a trust ratio around any optimizer, LAMB among them: [`trust_ratio`](crate::trust_ratio).
//!
//! # Suggested values
//!
//! μ = 0.9, λ = 5e-4, κ = 0.001 and η of 1 to 30 with a warm-up (the paper).
//!
//! # References
//!
//! - You, Gitman, Ginsburg, *Large batch training of convolutional networks*, 2017,
//!   <https://arxiv.org/abs/1708.03888>

use crate::optimizer_config::optimizer_config;
use crate::rule::{PendingStep, Rule, RuleOptimizer, StateField, TakenStep};
use crate::sgd::MomentumForm;
use crate::trust_ratio::trust_ratio;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{
    MomentumStep, SgdStep, TensorList, TimedMomentum, UpdateMomentumStep, WeightDecayTerm, scale,
};

optimizer_config! {
    /// Configuration of [`Lars`]. The defaults are optax's; its decay is coupled.
    #[derive(Config, Debug)]
    pub struct LarsConfig for Lars, decay: Coupled, clipping: grad_clipping {
        /// κ > 0: the share of its norm that a tensor moves by, per unit of learning rate. Default: 0.001.
        #[config(default = 0.001)]
        pub coefficient: f64,
        /// ε ≥ 0, beside the norm of the gradient. Default: 0.
        #[config(default = 0.0)]
        pub epsilon: f64,
        /// μ in `[0, 1)`; 0 is no momentum. Default: 0.9.
        #[config(default = 0.9)]
        pub momentum: f64,
        /// What the momentum sums up. Default: [`MomentumForm::OfUpdate`], as in the paper and optax.
        #[config(default = "MomentumForm::OfUpdate")]
        pub momentum_form: MomentumForm,
        /// Whether the step looks ahead. Default: no.
        #[config(default = false)]
        pub nesterov: bool,
        /// Whether vectors (biases, the gains and offsets of norms) are rescaled too. Default: yes, as in optax.
        #[config(default = true)]
        pub vectors: bool,
    }
}

impl LarsConfig {
    fn rule(&self) -> Result<LarsRule, ConfigError> {
        Ok(LarsRule {
            coefficient: ConfigError::positive("coefficient", self.coefficient)?,
            epsilon: ConfigError::non_negative("epsilon", self.epsilon)?,
            momentum: ConfigError::decay_rate("momentum", self.momentum)?,
            form: self.momentum_form,
            nesterov: self.nesterov,
            vectors: self.vectors,
        })
    }
}

/// The LARS optimizer. Made by [`LarsConfig::build`]. A record has `update`, or `velocity` for
/// [`MomentumForm::OfGradient`].
pub type Lars = RuleOptimizer<LarsRule>;

const VELOCITY: StateField = StateField::optional("velocity");
const UPDATE: StateField = StateField::optional("update");

/// The rule of [`Lars`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LarsRule {
    coefficient: f64,
    epsilon: f64,
    momentum: f64,
    form: MomentumForm,
    nesterov: bool,
    vectors: bool,
}

impl LarsRule {
    /// The step with the gradient rescaled, and the coupled decay in it.
    fn rescaled<const D: usize>(&self, mut pending: PendingStep<Self, D>) -> PendingStep<Self, D> {
        if (D < 2 && !self.vectors) || pending.weight().dims().contains(&0) {
            return pending;
        }
        let decay = pending.decay;
        if let WeightDecayTerm::Coupled(_) = decay {
            pending.decay = WeightDecayTerm::None;
        }
        pending.with_grad(|weight, grad| {
            let dtype = grad.dtype();
            let wide = burn_tricks_core::accumulation_dtype(dtype);
            let weight = weight.clone().cast(wide);
            let grad = decay.of_grads(grad.cast(wide), &weight);
            let ratio = trust_ratio(&weight, &grad, self.epsilon, self.coefficient);
            let scaled = scale(TensorList::from(grad), &ratio).pop::<D>();
            scaled.expect("a list of one").cast(dtype)
        })
    }
}

impl Rule for LarsRule {
    const STATE: &'static [StateField] = &[VELOCITY, UPDATE];

    fn step<const D: usize>(&self, pending: PendingStep<Self, D>) -> TakenStep<Self, D> {
        let pending = self.rescaled(pending);
        let (lr, decay) = (pending.lr, pending.decay);
        let Self {
            momentum, nesterov, ..
        } = *self;
        if momentum == 0.0 {
            return pending.take(SgdStep { lr, decay }, []);
        }
        match self.form {
            MomentumForm::OfGradient => {
                let step = TimedMomentum(MomentumStep {
                    lr,
                    momentum,
                    dampening: 0.0,
                    nesterov,
                    first: false,
                    decay,
                });
                pending.take_timed(step, [VELOCITY])
            }
            MomentumForm::OfUpdate => {
                let step = UpdateMomentumStep {
                    lr,
                    momentum,
                    nesterov,
                    decay,
                };
                pending.take(step, [UPDATE])
            }
        }
    }
}
