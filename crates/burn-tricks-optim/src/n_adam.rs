//! NAdam, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::state_tensors::StateField;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{TimedAdam, TimedNAdam};

optimizer_config! {
    /// Configuration of [`NAdam`]: Adam with Nesterov's momentum. The defaults are PyTorch's; its
    /// decay is coupled.
    ///
    /// The step looks ahead: it uses the mean gradient of the next step, for which it takes the present gradient
    /// once more (Dozat, 2016).
    ///
    /// ```text
    /// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
    /// μₜ = β₁ (1 − ½ 0.96^(t ψ)),   Πₜ = μ₁ ⋯ μₜ                          μₜ = β₁ without ψ
    /// w ← w − η (μₜ₊₁ m / (1 − Πₜ₊₁) + (1 − μₜ) g / (1 − Πₜ)) / (√v̂ + ε)    v̂ = v / (1 − β₂ᵗ)
    /// ```
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::NAdamConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = NAdamConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(2e-3, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// optax's defaults, whose momentum does not warm up, with decoupled decay:
    ///
    /// ```
    /// use burn_tricks_optim::{NAdamConfig, WeightDecayMode};
    ///
    /// let optim = NAdamConfig::optax()
    ///     .with_weight_decay(1e-2)
    ///     .with_weight_decay_mode(WeightDecayMode::Decoupled)
    ///     .build()?; // the `Optimizer` of one parameter tensor, for wrappers and `ModuleOptimizer::with_group`
    /// # Ok::<(), burn_tricks_core::ConfigError>(())
    /// ```
    ///
    /// # Order
    ///
    /// It is the optimizer, so it comes after all transforms of the gradients: clip before it.
    ///
    /// With `skip_marked` it skips a step whose gradients a transform has marked:
    /// [`skipped_steps`](crate::skipped_steps).
    ///
    /// # Cost
    ///
    /// Two tensors of the parameter's size, and on the CPU backend one pass: 28 bytes per `f32` weight.
    ///
    /// # Differences
    ///
    /// - ψ is 0.004 in PyTorch ([`torch`](NAdamConfig::torch)), 1 in Keras ([`keras`](NAdamConfig::keras)); optax has
    ///   `μₜ = β₁` ([`optax`](NAdamConfig::optax)).
    /// - The product of the momenta is computed from the number of steps; PyTorch and Keras record it.
    /// - The moments of `f16` and `bf16` weights are kept in `f32`.
    /// - A gradient above 1.8e19, whose square overflows in `f32`, makes v infinite, and at the next step v and the weight
    ///   NaN. In PyTorch v stays infinite.
    ///
    /// # Suggested values
    ///
    /// η = 2e-3, β₁ = 0.9, β₂ = 0.999, ε = 1e-8 (PyTorch).
    ///
    /// # References
    ///
    /// - Dozat, *Incorporating Nesterov momentum into Adam*, 2016,
    ///   <https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ>
    #[derive(Config, Debug)]
    pub struct NAdamConfig for NAdam, decay: Coupled, clipping: grad_clipping {
        /// β₁ in `[0, 1)`: the share of the old mean gradient. Default: 0.9.
        #[config(default = 0.9)]
        pub beta_1: f64,
        /// β₂ in `[0, 1)`: the share of the old mean square. Default: 0.999.
        #[config(default = 0.999)]
        pub beta_2: f64,
        /// ε > 0, added to the root. Default: 1e-8.
        #[config(default = 1e-8)]
        pub epsilon: f64,
        /// ψ ≥ 0, which says how fast the momentum grows from half of β₁ to β₁. With `None` it is β₁ from the
        /// first step on. Default: 0.004.
        #[config(default = "Some(0.004)")]
        pub momentum_decay: Option<f64>,
    }
}

impl NAdamConfig {
    /// PyTorch's defaults, which are also those of [`new`](Self::new).
    pub fn torch() -> Self {
        Self::new()
    }

    /// Keras's defaults: ψ = 1, ε = 1e-7.
    pub fn keras() -> Self {
        Self::new()
            .with_momentum_decay(Some(1.0))
            .with_epsilon(1e-7)
    }

    /// optax's defaults: no ψ.
    pub fn optax() -> Self {
        Self::new().with_momentum_decay(None)
    }

    fn rule(&self) -> Result<NAdamRule, ConfigError> {
        if let Some(psi) = self.momentum_decay {
            ConfigError::non_negative("momentum_decay", psi)?;
        }
        Ok(NAdamRule {
            betas: (
                ConfigError::decay_rate("beta_1", self.beta_1)?,
                ConfigError::decay_rate("beta_2", self.beta_2)?,
            ),
            epsilon: ConfigError::positive("epsilon", self.epsilon)?,
            momentum_decay: self.momentum_decay,
        })
    }
}

/// The NAdam optimizer. Made by [`NAdamConfig::build`]. A record holds `time`, `moment_1` and `moment_2`.
pub type NAdam = RuleOptimizer<NAdamRule>;

const MOMENT_1: StateField = StateField::required("moment_1");
const MOMENT_2: StateField = StateField::required("moment_2");

/// The rule of [`NAdam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NAdamRule {
    betas: (f64, f64),
    epsilon: f64,
    momentum_decay: Option<f64>,
}

impl Rule for NAdamRule {
    const STATE: &'static [StateField] = &[MOMENT_1, MOMENT_2];
    const STEP_COUNT: Option<&'static str> = Some("time");

    fn step(&self, pending: PendingStep) -> TakenStep {
        let adam = TimedAdam {
            lr: pending.lr,
            betas: self.betas,
            epsilon: self.epsilon,
            plain_epsilon: false,
            decay: pending.decay,
        };
        let momentum_decay = self.momentum_decay;
        let step = TimedNAdam {
            adam,
            momentum_decay,
        };
        pending.take_timed(step, [MOMENT_1, MOMENT_2])
    }
}
