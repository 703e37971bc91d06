//! AdaDelta, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::state_tensors::StateField;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::AdaDeltaStep;

optimizer_config! {
    /// Configuration of [`AdaDelta`]: a step in the units of the weight. The defaults are PyTorch's;
    /// its decay is coupled.
    ///
    /// AdaDelta divides the gradient by the root mean square of recent gradients and multiplies it by that of
    /// recent steps, so that no learning rate is needed (Zeiler, 2012).
    ///
    /// ```text
    /// s ← ρ s + (1 − ρ) g²
    /// d ← √(a + ε) / √(s + ε) g
    /// a ← ρ a + (1 − ρ) d²
    /// w ← w − η d                                η = 1 in the paper
    /// ```
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::AdaDeltaConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = AdaDeltaConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(1.0, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The paper's settings, with decoupled decay:
    ///
    /// ```
    /// use burn_tricks_optim::{AdaDeltaConfig, WeightDecayMode};
    ///
    /// let optim = AdaDeltaConfig::paper()
    ///     .with_weight_decay(1e-4)
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
    /// - ρ = 0.9 and ε = 1e-6 in PyTorch ([`torch`](AdaDeltaConfig::torch)) and optax; 0.95 and 1e-6 in the paper
    ///   ([`paper`](AdaDeltaConfig::paper)); 0.95 and 1e-7 in Keras ([`keras`](AdaDeltaConfig::keras)).
    /// - Keras's default η is 1e-3, with which AdaDelta hardly moves the weights; the paper's is 1.
    /// - The state of `f16` and `bf16` weights is kept in `f32`.
    /// - A gradient above 1.8e19, whose square overflows in `f32`, makes s infinite, and at the next step s and the weight
    ///   NaN. In PyTorch s stays infinite.
    ///
    /// # References
    ///
    /// - Zeiler, *ADADELTA: an adaptive learning rate method*, 2012, <https://arxiv.org/abs/1212.5701>
    #[derive(Config, Debug)]
    pub struct AdaDeltaConfig for AdaDelta, decay: Coupled, clipping: grad_clipping {
        /// ρ in `[0, 1)`: the share of the old mean squares. Default: 0.9.
        #[config(default = 0.9)]
        pub rho: f64,
        /// ε > 0, under both roots; it sets the size of the first steps. Default: 1e-6.
        #[config(default = 1e-6)]
        pub epsilon: f64,
    }
}

impl AdaDeltaConfig {
    /// PyTorch's defaults, which are also those of [`new`](Self::new).
    pub fn torch() -> Self {
        Self::new()
    }

    /// The paper's settings: ρ = 0.95, ε = 1e-6.
    pub fn paper() -> Self {
        Self::new().with_rho(0.95)
    }

    /// Keras's defaults: ρ = 0.95, ε = 1e-7.
    pub fn keras() -> Self {
        Self::paper().with_epsilon(1e-7)
    }

    fn rule(&self) -> Result<AdaDeltaRule, ConfigError> {
        Ok(AdaDeltaRule {
            rho: ConfigError::decay_rate("rho", self.rho)?,
            epsilon: ConfigError::positive("epsilon", self.epsilon)?,
        })
    }
}

/// The AdaDelta optimizer. Made by [`AdaDeltaConfig::build`]. A record holds `square_avg` and `delta_avg`.
pub type AdaDelta = RuleOptimizer<AdaDeltaRule>;

const SQUARE_AVG: StateField = StateField::required("square_avg");
const DELTA_AVG: StateField = StateField::required("delta_avg");

/// The rule of [`AdaDelta`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaDeltaRule {
    rho: f64,
    epsilon: f64,
}

impl Rule for AdaDeltaRule {
    const STATE: &'static [StateField] = &[SQUARE_AVG, DELTA_AVG];

    fn step(&self, pending: PendingStep) -> TakenStep {
        let step = AdaDeltaStep {
            lr: pending.lr,
            rho: self.rho,
            epsilon: self.epsilon,
            decay: pending.decay,
        };
        pending.take(step, [SQUARE_AVG, DELTA_AVG])
    }
}
