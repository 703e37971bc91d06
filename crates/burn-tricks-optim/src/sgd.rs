//! Stochastic gradient descent with momentum, in one pass.
//!
//! A drop-in for Burn's `SgdConfig`: the same options, the same results, the same record, faster on
//! the CPU; and the teaching text's momentum beside it.
//!
//! ```text
//! g ← g + λ w                                                            coupled weight decay
//! w ← w − η g                                                            no momentum
//! v ← μ v + (1 − τ) g   (v ← g at first),   w ← w − η v                  MomentumForm::OfGradient
//! v ← γ v − η g,                            w ← w + v                    MomentumForm::OfUpdate
//! ```
//!
//! The two forms are one as long as η does not change. When it does, the first applies the new η to
//! all gradients in `v`, the second to the new one only: after a warm-up, or a decay, they differ.
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::optim::{GradientsParams, ModuleOptimizer};
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_optim::SgdConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let model = LinearConfig::new(4, 2).init(&device);
//! let mut optim: ModuleOptimizer = SgdConfig::torch().with_momentum_factor(0.9).init()?;
//!
//! let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
//! let grads = GradientsParams::from_grads(loss.backward(), &model);
//! let model = optim.step(0.1, model, grads);
//! # let _ = model;
//! # Ok(())
//! # }
//! ```
//!
//! Momentum of updates (the teaching text's), with decoupled decay of the weight matrices:
//!
//! ```
//! use burn::optim::decay::WeightDecayConfig;
//! use burn_tricks_optim::{WeightDecayMode, WeightDecayScope, SgdConfig};
//!
//! let optim = SgdConfig::lesson()
//!     .with_momentum_factor(0.5)
//!     .with_weight_decay(Some(WeightDecayConfig::new(1e-3)))
//!     .with_weight_decay_mode(WeightDecayMode::Decoupled)
//!     .with_weight_decay_scope(WeightDecayScope::Matrices)
//!     .build()?; // the bare `Optimizer`, for `ModuleOptimizer::with_group`
//! # Ok::<(), burn_tricks_core::ConfigError>(())
//! ```
//!
//! # Order
//!
//! The optimizer, at the end of the stack: clip or normalise before it.
//!
//! `skip_marked` skips the steps that a transform before it has marked: [`skipped_steps`].
//!
//! # Cost
//!
//! No state without momentum, one tensor of the parameter's size with it. On the CPU backend one
//! pass: 12 bytes per `f32` weight, 20 with momentum.
//!
//! # Differences
//!
//! - Burn's `MomentumConfig` dampens by 0.1 unless told otherwise, and [`new`](SgdConfig::new) is
//!   Burn's; PyTorch, optax and Keras do not dampen: [`torch`](SgdConfig::torch),
//!   [`lesson`](SgdConfig::lesson).
//! - Keras's momentum is that of updates, and so is its Nesterov: `w + γ v − η g`.
//! - PyTorch refuses Nesterov with dampening; Burn and [`MomentumForm::OfGradient`] allow it.
//! - A factor of 0 is plain SGD and keeps no state, as in PyTorch; Burn's still dampens then.
//!
//! # Suggested values
//!
//! μ = 0.9 (most papers), η = 0.1 for residual networks with a decaying schedule (He et al.).
//!
//! # References
//!
//! - Sutskever et al., *On the importance of initialization and momentum in deep learning*, 2013,
//!   <https://proceedings.mlr.press/v28/sutskever13.html> (both forms; Nesterov)
//! - The teaching text "Deep Learning Training Tricks" (`v ← γ v − η ∇`, `w ← w + v`)

use crate::held::Held;
use crate::skipped_steps;
use crate::weight_decay::{WeightDecayMode, WeightDecayRule};
use burn::grad_clipping::GradientClippingConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource, join_path,
};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, WeightDecayScope};
use burn_tricks_kernels::{
    MomentumStep, SgdStep, Skip, Step, StepCount, TimedMomentum, TimedStep, UpdateMomentumStep,
};
use serde::{Deserialize, Serialize};

/// What the momentum sums up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MomentumForm {
    /// Gradients, to which the current η is applied (PyTorch, Burn, optax).
    OfGradient,
    /// Updates, each with the η that it was made with, as in Keras.
    OfUpdate,
}

/// Configuration of [`Sgd`]: Burn's options and defaults, and three of ours.
#[derive(Config, Debug)]
pub struct SgdConfig {
    /// Weight decay, with λ ≥ 0. Default: none.
    pub weight_decay: Option<WeightDecayConfig>,
    /// Where the decay enters. Default: [`WeightDecayMode::Coupled`], as in Burn.
    #[config(default = "WeightDecayMode::Coupled")]
    pub weight_decay_mode: WeightDecayMode,
    /// Which weights decay. Default: [`WeightDecayScope::Every`], as in Burn.
    #[config(default = "WeightDecayScope::Every")]
    pub weight_decay_scope: WeightDecayScope,
    /// Momentum, with a factor in `[0, 1]`. Default: none. Burn's `MomentumConfig::new()` dampens.
    pub momentum: Option<MomentumConfig>,
    /// What the momentum sums up. Default: [`MomentumForm::OfGradient`], as in Burn.
    #[config(default = "MomentumForm::OfGradient")]
    pub momentum_form: MomentumForm,
    /// Whether a gradient that is marked as non-finite skips the step: weights, state and step count stay as
    /// they are. Else it makes the weights NaN. For `NonFinite::SkipStep` of `burn-tricks-grad`; see
    /// [`skipped_steps`]. Default: no.
    #[config(default = false)]
    pub skip_marked: bool,
    /// Burn's clipping, tensor by tensor. Default: none.
    pub gradient_clipping: Option<GradientClippingConfig>,
}

impl SgdConfig {
    /// PyTorch's defaults: no momentum, and no dampening when
    /// [`with_momentum_factor`](Self::with_momentum_factor) sets one.
    pub fn torch() -> Self {
        Self::new().with_momentum(Some(undampened(0.0)))
    }

    /// The teaching text's momentum, `v ← γ v − η g`, `w ← w + v`, with γ = 0.9.
    pub fn lesson() -> Self {
        Self::new()
            .with_momentum(Some(undampened(0.9)))
            .with_momentum_form(MomentumForm::OfUpdate)
    }

    /// Sets the momentum factor, μ or γ, and leaves dampening and Nesterov as they are; without
    /// dampening if there was no momentum before.
    pub fn with_momentum_factor(mut self, factor: f64) -> Self {
        let momentum = self.momentum.take().unwrap_or_else(|| undampened(factor));
        self.momentum = Some(momentum.with_momentum(factor));
        self
    }

    /// The optimizer of one parameter, for combinators and `ModuleOptimizer::with_group`.
    ///
    /// # Errors
    ///
    /// If the momentum factor lies outside `[0, 1]`, the dampening is not finite, or is not 0 with
    /// [`MomentumForm::OfUpdate`], or the weight decay is negative or not finite.
    pub fn build(&self) -> Result<Sgd, ConfigError> {
        let penalty = self
            .weight_decay
            .as_ref()
            .map_or(0.0, |decay| decay.penalty.into());
        let momentum = self.momentum.clone().unwrap_or_else(|| undampened(0.0));
        if !(0.0..=1.0).contains(&momentum.momentum) {
            return Err(ConfigError::new(
                "momentum.momentum",
                "lie in [0, 1]",
                momentum.momentum,
            ));
        }
        ConfigError::finite("momentum.dampening", momentum.dampening)?;
        if self.momentum_form == MomentumForm::OfUpdate && momentum.dampening != 0.0 {
            return Err(ConfigError::new(
                "momentum.dampening",
                "be 0 where updates are summed up",
                momentum.dampening,
            ));
        }
        Ok(Sgd {
            momentum: momentum.momentum,
            dampening: momentum.dampening,
            nesterov: momentum.nesterov,
            form: self.momentum_form,
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
            self.gradient_clipping.as_ref(),
        ))
    }
}

fn undampened(factor: f64) -> MomentumConfig {
    MomentumConfig::new()
        .with_momentum(factor)
        .with_dampening(0.0)
}

/// The SGD optimizer. Made by [`SgdConfig::build`].
#[derive(Debug, Clone, PartialEq)]
pub struct Sgd {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    form: MomentumForm,
    weight_decay: WeightDecayRule,
    weight_decay_scope: WeightDecayScope,
    skip_marked: bool,
}

/// The state of [`Sgd`] for one parameter, in the layout of Burn's own record: `momentum.velocity`
/// for gradients. Updates, which Burn does not know, are `momentum.update`.
#[derive(Debug, Clone)]
pub struct SgdState<const D: usize> {
    velocity: Option<Held<D>>,
    update: Option<Held<D>>,
    /// Where the device may have skipped all steps so far: the first that is taken is not dampened.
    unsure: Option<StepCount>,
}

impl<const D: usize> Default for SgdState<D> {
    fn default() -> Self {
        Self {
            velocity: None,
            update: None,
            unsure: None,
        }
    }
}

impl Optimizer for Sgd {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let Self {
            momentum, nesterov, ..
        } = *self;
        let skip = skipped_steps::look(self.skip_marked, &grad);
        if let Skip::Known(true) = skip {
            return (tensor, state);
        }
        let decay = self.weight_decay.at(lr, self.weight_decay_scope, D);
        if momentum == 0.0 {
            let step = SgdStep { lr, decay };
            let (tensor, []) = step.apply_unless(&skip, tensor, grad, None);
            return (tensor, None);
        }
        let mut state = state.unwrap_or_default();
        match self.form {
            MomentumForm::OfGradient => {
                state.update = None; // of another form, if the run began with it
                let old = state.velocity.take();
                let old = old.map(|old| [old.beside(&tensor, "velocity")]);
                // Only whether it is the first matters.
                let taken = StepCount::new(u64::from(old.is_some()));
                let time = state.unsure.take().unwrap_or(taken).begun();
                let step = TimedMomentum(MomentumStep {
                    lr,
                    momentum,
                    dampening: self.dampening,
                    nesterov,
                    first: false,
                    decay,
                });
                let is_first = time.is_first();
                let (tensor, [velocity]) = step.apply_unless(&skip, &time, tensor, grad, old);
                state.velocity = Some(velocity.into());
                if !matches!(is_first, Skip::Known(false)) {
                    state.unsure = Some(time.ended(&skip)).filter(|time| time.known().is_none());
                }
                (tensor, Some(state))
            }
            MomentumForm::OfUpdate => {
                state.velocity = None;
                let old = state.update.take();
                let old = old.map(|old| [old.beside(&tensor, "update")]);
                let step = UpdateMomentumStep {
                    lr,
                    momentum,
                    nesterov,
                    decay,
                };
                let (tensor, [update]) = step.apply_unless(&skip, tensor, grad, old);
                state.update = Some(update.into());
                (tensor, Some(state))
            }
        }
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        SgdState {
            velocity: state.velocity.map(|held| held.moved_to(device)),
            update: state.update.map(|held| held.moved_to(device)),
            unsure: state.unsure.map(|time| time.moved_to(device)),
        }
    }
}

impl<const D: usize> RecordState for SgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        let prefix = join_path(prefix, "momentum");
        let begun = self.unsure.as_ref().is_none_or(|time| time.read() > 0);
        if let Some(velocity) = self.velocity.as_ref().filter(|_| begun) {
            velocity.write(&prefix, "velocity", out);
        }
        if let Some(update) = &self.update {
            update.write(&prefix, "update", out);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _default: &Device) -> Option<Self> {
        let prefix = join_path(prefix, "momentum");
        Some(Self {
            velocity: Held::read(&prefix, "velocity", source),
            update: Held::read(&prefix, "update", source),
            unsure: None,
        })
    }
}
