//! Adamax, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::state_tensors::StateField;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{AdamaxStep, TimedAdamax};
use serde::{Deserialize, Serialize};

/// What ε is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdamaxEpsilon {
    /// `max(β₂ u, |g| + ε)`, as in PyTorch and optax.
    ToGradient,
    /// `m / (u + ε)`, as in Keras.
    ToDivisor,
}

optimizer_config! {
    /// Configuration of [`Adamax`]: Adam that divides by the largest recent gradient. The defaults are
    /// PyTorch's; its decay is coupled.
    ///
    /// Adam divides by a mean square; Adamax by the largest recent gradient, which needs no bias correction
    /// (Kingma and Ba, 2015, section 7.1).
    ///
    /// ```text
    /// m ← β₁ m + (1 − β₁) g
    /// u ← max(β₂ u, |g| + ε)
    /// w ← w − η m̂ / u                            m̂ = m / (1 − β₁ᵗ)
    /// ```
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::AdamaxConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = AdamaxConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(2e-3, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Keras's defaults:
    ///
    /// ```
    /// use burn_tricks_optim::AdamaxConfig;
    ///
    /// let optim = AdamaxConfig::keras().build()?; // the `Optimizer` of one parameter tensor
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
    /// - ε is added to `|g|` in PyTorch and optax, to `u` in Keras; the paper has none: [`AdamaxEpsilon`].
    /// - The state of `f16` and `bf16` weights is kept in `f32`.
    ///
    /// # Suggested values
    ///
    /// η = 2e-3, β₁ = 0.9, β₂ = 0.999 (the paper, PyTorch).
    ///
    /// # References
    ///
    /// - Kingma, Ba, *Adam: a method for stochastic optimization*, 2015, <https://arxiv.org/abs/1412.6980>
    #[derive(Config, Debug)]
    pub struct AdamaxConfig for Adamax, decay: Coupled, clipping: grad_clipping {
        /// β₁ in `[0, 1)`: the share of the old mean gradient. Default: 0.9.
        #[config(default = 0.9)]
        pub beta_1: f64,
        /// β₂ in `[0, 1)`: the factor by which the largest gradient shrinks in each step. Default: 0.999.
        #[config(default = 0.999)]
        pub beta_2: f64,
        /// ε > 0. Default: 1e-8.
        #[config(default = 1e-8)]
        pub epsilon: f64,
        /// What ε is added to. Default: [`AdamaxEpsilon::ToGradient`], as in PyTorch.
        #[config(default = "AdamaxEpsilon::ToGradient")]
        pub epsilon_form: AdamaxEpsilon,
    }
}

impl AdamaxConfig {
    /// PyTorch's defaults, which are also those of [`new`](Self::new).
    pub fn torch() -> Self {
        Self::new()
    }

    /// optax's defaults, which are the same as PyTorch's.
    pub fn optax() -> Self {
        Self::new()
    }

    /// Keras's defaults: ε = 1e-7, added to the divisor.
    pub fn keras() -> Self {
        Self::new()
            .with_epsilon(1e-7)
            .with_epsilon_form(AdamaxEpsilon::ToDivisor)
    }

    fn rule(&self) -> Result<AdamaxRule, ConfigError> {
        let epsilon = ConfigError::positive("epsilon", self.epsilon)?;
        let (epsilon_inside, epsilon_outside) = match self.epsilon_form {
            AdamaxEpsilon::ToGradient => (epsilon, 0.0),
            AdamaxEpsilon::ToDivisor => (0.0, epsilon),
        };
        Ok(AdamaxRule {
            betas: (
                ConfigError::decay_rate("beta_1", self.beta_1)?,
                ConfigError::decay_rate("beta_2", self.beta_2)?,
            ),
            epsilon_inside,
            epsilon_outside,
        })
    }
}

/// The Adamax optimizer. Made by [`AdamaxConfig::build`]. A record holds `time`, `moment_1`, and the largest
/// gradient as `infinity_norm`.
pub type Adamax = RuleOptimizer<AdamaxRule>;

const MOMENT_1: StateField = StateField::required("moment_1");
const INFINITY_NORM: StateField = StateField::required("infinity_norm");

/// The rule of [`Adamax`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamaxRule {
    betas: (f64, f64),
    epsilon_inside: f64,
    epsilon_outside: f64,
}

impl Rule for AdamaxRule {
    const STATE: &'static [StateField] = &[MOMENT_1, INFINITY_NORM];
    const STEP_COUNT: Option<&'static str> = Some("time");

    fn step(&self, pending: PendingStep) -> TakenStep {
        let step = AdamaxStep {
            rate: pending.lr,
            betas: self.betas,
            epsilon_inside: self.epsilon_inside,
            epsilon_outside: self.epsilon_outside,
            decay: pending.decay,
        };
        pending.take_timed(TimedAdamax { step }, [MOMENT_1, INFINITY_NORM])
    }
}
