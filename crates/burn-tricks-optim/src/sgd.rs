//! Stochastic gradient descent with momentum, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::rule_state::RuleState;
use crate::state_tensors::StateField;
use burn::optim::momentum::MomentumConfig;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{MomentumStep, SgdStep, TimedMomentum, UpdateMomentumStep};
use serde::{Deserialize, Serialize};

/// What the momentum accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MomentumForm {
    /// Gradients; the sum is multiplied by the current η (PyTorch, Burn, optax).
    OfGradient,
    /// Updates, each with the η of its own step, as in Keras.
    OfUpdate,
}

optimizer_config! {
    /// Configuration of [`Sgd`], stochastic gradient descent with momentum: Burn's options and defaults, and a few more
    /// options.
    ///
    /// A drop-in replacement for Burn's `SgdConfig`: the same options, results and record, faster on the CPU. One of
    /// its additional options is the momentum of updates.
    ///
    /// ```text
    /// g ← g + λ w                                                            coupled weight decay
    /// w ← w − η g                                                            no momentum
    /// v ← μ v + (1 − τ) g   (v ← g at first),   w ← w − η v                  MomentumForm::OfGradient
    /// v ← γ v − η g,                            w ← w + v                    MomentumForm::OfUpdate
    /// ```
    ///
    /// The two forms are equal as long as η does not change. When η changes, the first form applies the new η to
    /// all gradients in `v`, the second only to the new gradient: so they differ during and after a warm-up or a
    /// decay of the learning rate.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::SgdConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = SgdConfig::torch().with_momentum_factor(0.9).init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(0.1, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Momentum of updates, with decoupled decay of the weight matrices:
    ///
    /// ```
    /// use burn::optim::decay::WeightDecayConfig;
    /// use burn_tricks_optim::{WeightDecayMode, WeightDecayScope, SgdConfig};
    ///
    /// let optim = SgdConfig::classical_momentum()
    ///     .with_momentum_factor(0.5)
    ///     .with_weight_decay(Some(WeightDecayConfig::new(1e-3)))
    ///     .with_weight_decay_mode(WeightDecayMode::Decoupled)
    ///     .with_weight_decay_scope(WeightDecayScope::Matrices)
    ///     .build()?; // the `Optimizer` of one parameter tensor, for `ModuleOptimizer::with_group`
    /// # Ok::<(), burn_tricks_core::ConfigError>(())
    /// ```
    ///
    /// # Order
    ///
    /// It is the optimizer, so it comes after all transforms of the gradients: clip or normalise before it.
    ///
    /// With `skip_marked` it skips a step whose gradients a transform has marked:
    /// [`skipped_steps`](crate::skipped_steps).
    ///
    /// # Cost
    ///
    /// No state without momentum, one tensor of the parameter's size with it. On the CPU backend a step is one
    /// pass, which moves 12 bytes per `f32` weight, 20 with momentum.
    ///
    /// # Differences
    ///
    /// - Burn's `MomentumConfig::new()` has a dampening of 0.1. PyTorch, optax and Keras have no dampening, and
    ///   neither have [`torch`](SgdConfig::torch) and [`classical_momentum`](SgdConfig::classical_momentum).
    /// - Keras's momentum is the momentum of updates, also with Nesterov: `w + γ v − η g`.
    /// - PyTorch refuses Nesterov with dampening; Burn and [`MomentumForm::OfGradient`] allow it.
    /// - A factor of 0 gives plain SGD without state, as in PyTorch; in Burn, dampening still applies then.
    ///
    /// # Suggested values
    ///
    /// μ = 0.9 (most papers), η = 0.1 for residual networks with a decaying schedule (He et al.).
    ///
    /// # References
    ///
    /// - Sutskever et al., *On the importance of initialization and momentum in deep learning*, 2013,
    ///   <https://proceedings.mlr.press/v28/sutskever13.html> (both forms; Nesterov)
    /// - *Deep Learning Training Tricks*, a lesson of Microsoft's course AI for Beginners,
    ///   <https://github.com/microsoft/AI-For-Beginners/blob/main/lessons/4-ComputerVision/08-TransferLearning/TrainingTricks.md>
    ///   (`v ← γ v − η ∇`, `w ← w + v`)
    #[derive(Config, Debug)]
    pub struct SgdConfig for Sgd, decay: Burn, clipping: gradient_clipping {
        /// Momentum, with a factor in `[0, 1]`. Default: none. Burn's `MomentumConfig::new()` dampens.
        pub momentum: Option<MomentumConfig>,
        /// What the momentum accumulates. Default: [`MomentumForm::OfGradient`], as in Burn.
        #[config(default = "MomentumForm::OfGradient")]
        pub momentum_form: MomentumForm,
    }
}

impl SgdConfig {
    /// PyTorch's defaults: no momentum, and no dampening when
    /// [`with_momentum_factor`](Self::with_momentum_factor) sets one.
    pub fn torch() -> Self {
        Self::new().with_momentum(Some(undampened(0.0)))
    }

    /// Momentum of updates, `v ← γ v − η g`, `w ← w + v`, with γ = 0.9.
    pub fn classical_momentum() -> Self {
        Self::new()
            .with_momentum(Some(undampened(0.9)))
            .with_momentum_form(MomentumForm::OfUpdate)
    }

    /// Sets the momentum factor, μ or γ, and leaves dampening and Nesterov as they are. If there was no
    /// momentum before, there is no dampening.
    #[must_use]
    pub fn with_momentum_factor(mut self, factor: f64) -> Self {
        let momentum = self.momentum.take().unwrap_or_else(|| undampened(factor));
        self.momentum = Some(momentum.with_momentum(factor));
        self
    }

    fn rule(&self) -> Result<SgdRule, ConfigError> {
        let momentum = self.momentum.clone().unwrap_or_else(|| undampened(0.0));
        ConfigError::within("momentum.momentum", momentum.momentum, 0.0..=1.0)?;
        ConfigError::finite("momentum.dampening", momentum.dampening)?;
        if self.momentum_form == MomentumForm::OfUpdate && momentum.dampening != 0.0 {
            return Err(ConfigError::new(
                "momentum.dampening",
                "be 0 where updates are summed up",
                momentum.dampening,
            ));
        }
        Ok(SgdRule {
            momentum: momentum.momentum,
            dampening: momentum.dampening,
            nesterov: momentum.nesterov,
            form: self.momentum_form,
        })
    }
}

fn undampened(factor: f64) -> MomentumConfig {
    MomentumConfig::new()
        .with_momentum(factor)
        .with_dampening(0.0)
}

/// The SGD optimizer. Made by [`SgdConfig::build`].
pub type Sgd = RuleOptimizer<SgdRule>;

/// The state of [`Sgd`] for one parameter, in the layout of Burn's own record: `momentum.velocity` for
/// gradients. The momentum of updates, which Burn does not have, is `momentum.update`.
pub type SgdState = RuleState<SgdRule>;

const VELOCITY: StateField = StateField::optional("momentum.velocity");
const UPDATE: StateField = StateField::optional("momentum.update");

/// The rule of [`Sgd`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdRule {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    form: MomentumForm,
}

impl Rule for SgdRule {
    const STATE: &'static [StateField] = &[VELOCITY, UPDATE];

    fn step(&self, pending: PendingStep) -> TakenStep {
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
                    dampening: self.dampening,
                    nesterov,
                    first: false,
                    decay,
                });
                // The first velocity is not dampened, even if the run began with another form.
                let pending = if pending.has_state(VELOCITY) {
                    pending
                } else {
                    pending.restart_count()
                };
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
