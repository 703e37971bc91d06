//! AdaBelief, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::state_tensors::StateField;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{TimedAdaBelief, TimedAdam};

optimizer_config! {
    /// Configuration of [`AdaBelief`]: Adam that divides by the gradient's deviation from its mean. The defaults are
    /// optax's; [`authors`](Self::authors) has those of the authors' code. Its weight decay is decoupled.
    ///
    /// Where gradients are close to their moving mean, steps are large; where they deviate from it, steps are small
    /// (Zhuang et al., 2020).
    ///
    /// ```text
    /// m ← β₁ m + (1 − β₁) g
    /// s ← β₂ s + (1 − β₂) (g − m)² + ε'
    /// w ← w − η λ w − η m̂ / (√ŝ + ε)             m̂ = m / (1 − β₁ᵗ),  ŝ = s / (1 − β₂ᵗ)
    /// ```
    ///
    /// With `rectify` the last line is that of [`RAdamConfig`](crate::RAdamConfig), with `s` for its `v` and ε added to
    /// `√s`: the first steps, in which a mean square of few deviations has a large variance, use plain momentum.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::AdaBeliefConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = AdaBeliefConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(1e-3, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The authors' settings for transformers and GANs on images, without decay of biases and normalisation layers:
    ///
    /// ```
    /// use burn_tricks_optim::{AdaBeliefConfig, WeightDecayScope};
    ///
    /// let optim = AdaBeliefConfig::authors()
    ///     .with_weight_decay(1e-2)
    ///     .with_weight_decay_scope(WeightDecayScope::Matrices)
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
    /// - ε' is added to `s` at every step and stays in it, as in the paper, the authors' code and optax. ε and ε'
    ///   are 1e-16 there and here. The authors use 1e-8 for images (in one version of their code) and 1e-12 for
    ///   language models.
    /// - The authors' code (`adabelief_pytorch` 0.2.1) and timm rectify by default: [`authors`](Self::authors). The
    ///   paper and optax do not. A step is rectified if ρₜ is above 5, as in PyTorch's RAdam; the authors' code also
    ///   rectifies at ρₜ = 5.
    /// - Decay is decoupled, as in the authors' code.
    /// - The state of `f16` and `bf16` weights is kept in `f32`.
    /// - A deviation g − m above 1.8e19, whose square overflows in `f32`, makes s infinite, and at the next step s and the
    ///   weight NaN. In the authors' code s stays infinite.
    ///
    /// # References
    ///
    /// - Zhuang et al., *AdaBelief optimizer: adapting stepsizes by the belief in observed gradients*, 2020,
    ///   <https://arxiv.org/abs/2010.07468>
    #[derive(Config, Debug)]
    pub struct AdaBeliefConfig for AdaBelief, decay: Decoupled, clipping: grad_clipping {
        /// β₁ in `[0, 1)`: the share of the old mean gradient. Default: 0.9.
        #[config(default = 0.9)]
        pub beta_1: f64,
        /// β₂ in `[0, 1)`: the share of the old mean squared deviation. Default: 0.999.
        #[config(default = 0.999)]
        pub beta_2: f64,
        /// ε > 0, added to the root. Default: 1e-16.
        #[config(default = 1e-16)]
        pub epsilon: f64,
        /// ε' ≥ 0, added to the mean squared deviation at each step. Default: 1e-16.
        #[config(default = 1e-16)]
        pub epsilon_inside: f64,
        /// Whether the first steps are those of RAdam. Default: no.
        #[config(default = false)]
        pub rectify: bool,
    }
}

impl AdaBeliefConfig {
    /// The defaults of the authors' code and of timm: rectified.
    pub fn authors() -> Self {
        Self::new().with_rectify(true)
    }

    fn rule(&self) -> Result<AdaBeliefRule, ConfigError> {
        Ok(AdaBeliefRule {
            betas: (
                ConfigError::decay_rate("beta_1", self.beta_1)?,
                ConfigError::decay_rate("beta_2", self.beta_2)?,
            ),
            epsilon: ConfigError::positive("epsilon", self.epsilon)?,
            epsilon_inside: ConfigError::non_negative("epsilon_inside", self.epsilon_inside)?,
            rectify: self.rectify,
        })
    }
}

/// The AdaBelief optimizer. Made by [`AdaBeliefConfig::build`]. A record holds `time`, `moment_1`, and the mean
/// squared deviation as `moment_2`.
pub type AdaBelief = RuleOptimizer<AdaBeliefRule>;

const MOMENT_1: StateField = StateField::required("moment_1");
const MOMENT_2: StateField = StateField::required("moment_2");

/// The rule of [`AdaBelief`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaBeliefRule {
    betas: (f64, f64),
    epsilon: f64,
    epsilon_inside: f64,
    rectify: bool,
}

impl Rule for AdaBeliefRule {
    const STATE: &'static [StateField] = &[MOMENT_1, MOMENT_2];
    const STEP_COUNT: Option<&'static str> = Some("time");

    fn step(&self, pending: PendingStep) -> TakenStep {
        let step = TimedAdaBelief {
            adam: TimedAdam {
                lr: pending.lr,
                betas: self.betas,
                epsilon: self.epsilon,
                plain_epsilon: false,
                decay: pending.decay,
            },
            epsilon_inside: self.epsilon_inside,
            rectify: self.rectify,
        };
        pending.take_timed(step, [MOMENT_1, MOMENT_2])
    }
}
