//! AdaGrad, in one pass.
//!
//! A drop-in for Burn's `AdaGradConfig`: the same options, the same results, the same record, several
//! times faster on the CPU.
//!
//! ```text
//! g ← g + λ w                                coupled weight decay
//! s ← s + g²
//! w ← w − ηₜ g / (√s + ε)                    ηₜ = η / (1 + (t − 1) δ),  δ: `lr_decay`
//! ```
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::optim::{GradientsParams, ModuleOptimizer};
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_optim::AdaGradConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let model = LinearConfig::new(4, 2).init(&device);
//! let mut optim: ModuleOptimizer = AdaGradConfig::new().init()?;
//!
//! let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
//! let grads = GradientsParams::from_grads(loss.backward(), &model);
//! let model = optim.step(1e-2, model, grads);
//! # let _ = model;
//! # Ok(())
//! # }
//! ```
//!
//! PyTorch's numbers, starting from the sum that Keras and optax start from:
//!
//! ```
//! use burn_tricks_optim::AdaGradConfig;
//!
//! let optim = AdaGradConfig::torch().with_initial_accumulator(0.1).with_lr_decay(1e-4).build()?;
//! # Ok::<(), burn_tricks_core::ConfigError>(())
//! ```
//!
//! # Order
//!
//! The optimizer, at the end of the stack: clip before it.
//!
//! `skip_marked` skips the steps that a transform before it has marked: [`skipped_steps`].
//!
//! # Cost
//!
//! One tensor of the parameter's size, and on the CPU backend one pass: 20 bytes per `f32` weight.
//!
//! # Differences
//!
//! - ε: 1e-5 in Burn and [`new`](AdaGradConfig::new), 1e-10 in PyTorch and
//!   [`torch`](AdaGradConfig::torch), 1e-7 in Keras and optax (there under the root).
//! - The sum starts at 0 in PyTorch and Burn, at 0.1 in Keras and optax: here
//!   [`initial_accumulator`](AdaGradConfig::initial_accumulator).
//! - The sum of `f16` and `bf16` weights is kept in `f32`: in `bf16` it would soon stop growing.
//! - A reloaded state goes straight to the parameter's device, not through `Device::default()`.
//! - Other scopes and memories of the norm, and ε under the root:
//!   [`normalized_gradient`](crate::normalized_gradient).
//!
//! # Suggested values
//!
//! η = 0.01 (PyTorch's default); 0.05 to 0.5 for sparse features.
//!
//! # References
//!
//! - Duchi, Hazan, Singer, *Adaptive subgradient methods*, JMLR 2011,
//!   <https://jmlr.org/papers/v12/duchi11a.html>

use crate::held::Held;
use crate::skipped_steps;
use crate::weight_decay::{WeightDecayMode, WeightDecayRule};
use burn::grad_clipping::GradientClippingConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{
    LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource, join_path,
};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, WeightDecayScope};
use burn_tricks_kernels::{AdaGradStep, Skip, StepCount, TimedAdaGrad, TimedStep};

/// Configuration of [`AdaGrad`]: Burn's options and defaults, and three of ours.
#[derive(Config, Debug)]
pub struct AdaGradConfig {
    /// δ ≥ 0: the rate of step t is `η / (1 + (t − 1) δ)`. Default: 0.
    #[config(default = 0.0)]
    pub lr_decay: f64,
    /// ε > 0, beside the root. Default: 1e-5, as in Burn.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// What the sum of squares starts from, ≥ 0. Default: 0, as in Burn.
    #[config(default = 0.0)]
    pub initial_accumulator: f64,
    /// Weight decay, with λ ≥ 0. Default: none.
    pub weight_decay: Option<WeightDecayConfig>,
    /// Where the decay enters. Default: [`WeightDecayMode::Coupled`], as in Burn. Decoupled, it is `ηₜ λ`:
    /// it falls with `lr_decay`.
    #[config(default = "WeightDecayMode::Coupled")]
    pub weight_decay_mode: WeightDecayMode,
    /// Which weights decay. Default: [`WeightDecayScope::Every`], as in Burn.
    #[config(default = "WeightDecayScope::Every")]
    pub weight_decay_scope: WeightDecayScope,
    /// Whether a gradient that is marked as non-finite skips the step: weights, state and step count stay as
    /// they are. Else it makes the weights NaN. For `NonFinite::SkipStep` of `burn-tricks-grad`; see
    /// [`skipped_steps`]. Default: no.
    #[config(default = false)]
    pub skip_marked: bool,
    /// Burn's clipping, tensor by tensor. Default: none.
    pub grad_clipping: Option<GradientClippingConfig>,
}

impl AdaGradConfig {
    /// PyTorch's defaults: ε = 1e-10.
    pub fn torch() -> Self {
        Self::new().with_epsilon(1e-10)
    }

    /// The optimizer of one parameter, for combinators and `ModuleOptimizer::with_group`.
    ///
    /// # Errors
    ///
    /// If ε is not finite and positive, or δ, the initial sum or the weight decay is negative or not
    /// finite.
    pub fn build(&self) -> Result<AdaGrad, ConfigError> {
        let penalty = self
            .weight_decay
            .as_ref()
            .map_or(0.0, |decay| decay.penalty.into());
        Ok(AdaGrad {
            lr_decay: ConfigError::non_negative("lr_decay", self.lr_decay)?,
            epsilon: ConfigError::positive("epsilon", self.epsilon)?,
            initial: ConfigError::non_negative("initial_accumulator", self.initial_accumulator)?,
            weight_decay: WeightDecayRule::new(self.weight_decay_mode, penalty).validated()?,
            weight_decay_scope: self.weight_decay_scope,
            skip_marked: self.skip_marked,
        })
    }

    /// The optimizer of a whole module.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn init(&self) -> Result<ModuleOptimizer, ConfigError> {
        Ok(crate::with_clipping(
            self.build()?,
            self.grad_clipping.as_ref(),
        ))
    }
}

/// The AdaGrad optimizer. Made by [`AdaGradConfig::build`].
#[derive(Debug, Clone, PartialEq)]
pub struct AdaGrad {
    lr_decay: f64,
    epsilon: f64,
    initial: f64,
    weight_decay: WeightDecayRule,
    weight_decay_scope: WeightDecayScope,
    skip_marked: bool,
}

/// The state of [`AdaGrad`] for one parameter, in the layout of Burn's own record: `lr_decay.time`
/// and `lr_decay.sum`.
#[derive(Debug, Clone)]
pub struct AdaGradState<const D: usize> {
    time: StepCount,
    sum: Held<D>,
}

impl Optimizer for AdaGrad {
    type State<const D: usize> = AdaGradState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let skip = skipped_steps::look(self.skip_marked, &grad);
        if let Skip::Known(true) = skip {
            return (tensor, state);
        }
        let time = state.as_ref().map(|state| state.time.clone());
        let time = time.unwrap_or(StepCount::new(0)).begun();
        let step = TimedAdaGrad {
            first: AdaGradStep {
                lr,
                epsilon: self.epsilon,
                initial: self.initial,
                decay: self.weight_decay.at(lr, self.weight_decay_scope, D),
            },
            lr_decay: self.lr_decay,
        };
        let sum = state.map(|state| [state.sum.beside(&tensor, "sum")]);
        let (tensor, [sum]) = step.apply_unless(&skip, &time, tensor, grad, sum);
        let state = AdaGradState {
            time: time.ended(&skip),
            sum: sum.into(),
        };
        (tensor, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        AdaGradState {
            time: state.time.moved_to(device),
            sum: state.sum.moved_to(device),
        }
    }
}

impl<const D: usize> RecordState for AdaGradState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        let prefix = join_path(prefix, "lr_decay");
        out.push_scalar(&prefix, "time", self.time.read().into());
        self.sum.write(&prefix, "sum", out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _default: &Device) -> Option<Self> {
        let prefix = join_path(prefix, "lr_decay");
        Some(Self {
            time: StepCount::new(u64::try_from(source.take_scalar(&prefix, "time")?).ok()?),
            sum: Held::read(&prefix, "sum", source)?,
        })
    }
}
