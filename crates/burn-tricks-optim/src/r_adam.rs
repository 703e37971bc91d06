//! RAdam, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::state_tensors::StateField;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{TimedAdam, TimedRAdam};
use serde::{Deserialize, Serialize};

/// The root to which ε is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RAdamEpsilon {
    /// `√v + ε`, before the bias correction, as in PyTorch: ε has more weight in the first steps.
    BesideRaw,
    /// `√v̂ + ε`, as in optax and in Adam.
    BesideCorrected,
}

optimizer_config! {
    /// Configuration of [`RAdam`]: Adam that needs no warm-up. The defaults are PyTorch's; its decay
    /// is coupled.
    ///
    /// In the first steps Adam divides by a mean square of few gradients, which has a large variance. RAdam takes
    /// steps of plain momentum until the variance is small enough, and reduced Adam steps afterwards (Liu et al.,
    /// 2020).
    ///
    /// ```text
    /// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
    /// ρ∞ = 2 / (1 − β₂) − 1,   ρₜ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
    /// rₜ = √((ρₜ − 4)(ρₜ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρₜ))
    /// w ← w − η rₜ m̂ / (√v̂ + ε)                 if ρₜ > 5
    /// w ← w − η m̂                               else
    /// ```
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::RAdamConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = RAdamConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(1e-3, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// optax's ε, with decoupled decay:
    ///
    /// ```
    /// use burn_tricks_optim::{RAdamConfig, WeightDecayMode};
    ///
    /// let optim = RAdamConfig::optax()
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
    /// - ε is added to `√v` in PyTorch, to `√v̂` in optax: [`RAdamEpsilon`].
    /// - Steps without rectification use plain momentum, as in the paper, PyTorch and optax; some of the authors'
    ///   later code skips these steps. They end at ρₜ = 5, as in PyTorch and optax; in the paper they end at 4.
    /// - With β₂ ≤ 2/3 no step is rectified.
    /// - The moments of `f16` and `bf16` weights are kept in `f32`.
    /// - A gradient above 1.8e19, whose square overflows in `f32`, makes v infinite, and at the next step v and the weight
    ///   NaN. In PyTorch v stays infinite.
    ///
    /// # Suggested values
    ///
    /// η = 1e-3, β₁ = 0.9, β₂ = 0.999, ε = 1e-8 (PyTorch).
    ///
    /// # References
    ///
    /// - Liu et al., *On the variance of the adaptive learning rate and beyond*, 2020,
    ///   <https://arxiv.org/abs/1908.03265>
    #[derive(Config, Debug)]
    pub struct RAdamConfig for RAdam, decay: Coupled, clipping: grad_clipping {
        /// β₁ in `[0, 1)`: the share of the old mean gradient. Default: 0.9.
        #[config(default = 0.9)]
        pub beta_1: f64,
        /// β₂ in `[0, 1)`: the share of the old mean square. Default: 0.999.
        #[config(default = 0.999)]
        pub beta_2: f64,
        /// ε > 0. Default: 1e-8.
        #[config(default = 1e-8)]
        pub epsilon: f64,
        /// The root to which ε is added. Default: [`RAdamEpsilon::BesideRaw`], as in PyTorch.
        #[config(default = "RAdamEpsilon::BesideRaw")]
        pub epsilon_form: RAdamEpsilon,
    }
}

impl RAdamConfig {
    /// PyTorch's defaults, which are also those of [`new`](Self::new).
    pub fn torch() -> Self {
        Self::new()
    }

    /// optax's defaults: ε is added to `√v̂`.
    pub fn optax() -> Self {
        Self::new().with_epsilon_form(RAdamEpsilon::BesideCorrected)
    }

    fn rule(&self) -> Result<RAdamRule, ConfigError> {
        Ok(RAdamRule {
            betas: (
                ConfigError::decay_rate("beta_1", self.beta_1)?,
                ConfigError::decay_rate("beta_2", self.beta_2)?,
            ),
            epsilon: ConfigError::positive("epsilon", self.epsilon)?,
            epsilon_form: self.epsilon_form,
        })
    }
}

/// The RAdam optimizer. Made by [`RAdamConfig::build`]. A record holds `time`, `moment_1` and `moment_2`.
pub type RAdam = RuleOptimizer<RAdamRule>;

const MOMENT_1: StateField = StateField::required("moment_1");
const MOMENT_2: StateField = StateField::required("moment_2");

/// The rule of [`RAdam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RAdamRule {
    betas: (f64, f64),
    epsilon: f64,
    epsilon_form: RAdamEpsilon,
}

impl Rule for RAdamRule {
    const STATE: &'static [StateField] = &[MOMENT_1, MOMENT_2];
    const STEP_COUNT: Option<&'static str> = Some("time");

    fn step(&self, pending: PendingStep) -> TakenStep {
        let step = TimedRAdam {
            adam: TimedAdam {
                lr: pending.lr,
                betas: self.betas,
                epsilon: self.epsilon,
                plain_epsilon: false,
                decay: pending.decay,
            },
            epsilon_beside_corrected: self.epsilon_form == RAdamEpsilon::BesideCorrected,
        };
        pending.take_timed(step, [MOMENT_1, MOMENT_2])
    }
}
