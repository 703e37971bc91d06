//! Signum, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::state_tensors::StateField;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{Mean, NormalizedStep, UpdateMemory};

optimizer_config! {
    /// Configuration of [`Signum`]: the sign of the mean gradient. Its decay is decoupled.
    ///
    /// Every step moves each weight by η, up or down (Bernstein et al., 2018). Without momentum this is sign SGD.
    ///
    /// ```text
    /// m ← β m + (1 − β) g
    /// w ← w − η λ w − η sign(m)                  λ: decoupled weight decay
    /// ```
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::SignumConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = SignumConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(1e-3, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Sign SGD:
    ///
    /// ```
    /// use burn_tricks_optim::SignumConfig;
    ///
    /// let optim = SignumConfig::sign_sgd().build()?; // the `Optimizer` of one parameter tensor
    /// # Ok::<(), burn_tricks_core::ConfigError>(())
    /// ```
    ///
    /// # Order
    ///
    /// It is the optimizer, so it comes after all transforms of the gradients: clip before it.
    ///
    /// With `skip_marked` it skips a step whose gradients a transform has marked:
    /// [`skipped_steps`](crate::skipped_steps). Rescaling the whole gradient has no effect without momentum, and
    /// little effect with it.
    ///
    /// # Cost
    ///
    /// One tensor of the parameter's size, none without momentum. On the CPU backend one pass: 20 bytes per `f32`
    /// weight, 12 without momentum.
    ///
    /// # Differences
    ///
    /// - The momentum is a mean, with `(1 − β) g`, as in the paper and optax; a sum would have the same sign.
    /// - The sign of 0 is 0, that of a NaN a NaN.
    /// - It is a member of the family of [`NormalizedGradientConfig`](crate::NormalizedGradientConfig).
    /// - The momentum of `f16` and `bf16` weights is kept in `f32`.
    ///
    /// # Suggested values
    ///
    /// β = 0.9, and an η of a tenth of SGD's or less (the paper).
    ///
    /// # References
    ///
    /// - Bernstein et al., *signSGD: compressed optimisation for non-convex problems*, 2018,
    ///   <https://arxiv.org/abs/1802.04434>
    #[derive(Config, Debug)]
    pub struct SignumConfig for Signum, decay: Decoupled, clipping: grad_clipping {
        /// β in `[0, 1)`: the share of the old mean gradient; with 0 it is sign SGD. Default: 0.9.
        #[config(default = 0.9)]
        pub momentum: f64,
    }
}

impl SignumConfig {
    /// Sign SGD: no momentum.
    pub fn sign_sgd() -> Self {
        Self::new().with_momentum(0.0)
    }

    fn rule(&self) -> Result<SignumRule, ConfigError> {
        let momentum = ConfigError::decay_rate("momentum", self.momentum)?;
        Ok(SignumRule { momentum })
    }
}

/// The Signum optimizer. Made by [`SignumConfig::build`]. A record holds `momentum`.
pub type Signum = RuleOptimizer<SignumRule>;

const MOMENTUM: StateField = StateField::optional("momentum");

/// The rule of [`Signum`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignumRule {
    momentum: f64,
}

impl Rule for SignumRule {
    const STATE: &'static [StateField] = &[MOMENTUM];

    fn step(&self, pending: PendingStep) -> TakenStep {
        let step = NormalizedStep::new(pending.lr, pending.decay);
        if self.momentum == 0.0 {
            return pending.take(step, []);
        }
        let mean = Mean::new(self.momentum, false, 1);
        pending.take(step.with_update(UpdateMemory::OfGradient(mean)), [MOMENTUM])
    }
}
