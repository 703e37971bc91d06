//! AdaGrad, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::rule_state::RuleState;
use crate::state_tensors::StateField;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{AdaGradStep, TimedAdaGrad};
use serde::{Deserialize, Serialize};

/// Where ε enters the divisor of [`AdaGrad`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdaGradEpsilon {
    /// `√s + ε`, as in PyTorch and Burn.
    OutsideRoot,
    /// `√(s + ε)`, as in Keras and optax.
    InsideRoot,
}

optimizer_config! {
    /// Configuration of [`AdaGrad`]: Burn's options and defaults, and a few more options.
    ///
    /// A drop-in replacement for Burn's `AdaGradConfig`: the same options, results and record, several times faster
    /// on the CPU.
    ///
    /// ```text
    /// g ← g + λ w                                coupled weight decay
    /// s ← s + g²
    /// w ← w − ηₜ g / (√s + ε)                    ηₜ = η / (1 + (t − 1) δ),  δ: `lr_decay`
    /// ```
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::AdaGradConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = AdaGradConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(1e-2, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// PyTorch's defaults, with the initial sum of Keras and optax:
    ///
    /// ```
    /// use burn_tricks_optim::AdaGradConfig;
    ///
    /// let optim = AdaGradConfig::torch().with_initial_accumulator(0.1).with_lr_decay(1e-4).build()?;
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
    /// One tensor of the parameter's size, and on the CPU backend one pass, which moves 20 bytes per `f32` weight.
    ///
    /// # Differences
    ///
    /// - ε: 1e-5 in Burn and [`new`](AdaGradConfig::new), 1e-10 in PyTorch and [`torch`](AdaGradConfig::torch),
    ///   1e-7 under the root in Keras and optax ([`keras`](AdaGradConfig::keras), [`optax`](AdaGradConfig::optax)).
    /// - The sum starts at 0 in PyTorch and Burn, at 0.1 in Keras and optax. Here
    ///   [`initial_accumulator`](AdaGradConfig::initial_accumulator) sets the start.
    /// - For `f16` and `bf16` weights the sum is kept in `f32`: in `bf16` it would soon stop growing.
    /// - A reloaded state goes straight to the parameter's device, not through `Device::default()`.
    /// - [`NormalizedGradientConfig`](crate::NormalizedGradientConfig) has variants of AdaGrad with one norm per tensor or
    ///   with a decaying mean.
    ///
    /// # Suggested values
    ///
    /// η = 0.01 (PyTorch's default); 0.05 to 0.5 for sparse features.
    ///
    /// # References
    ///
    /// - Duchi, Hazan, Singer, *Adaptive subgradient methods*, JMLR 2011,
    ///   <https://jmlr.org/papers/v12/duchi11a.html>
    #[derive(Config, Debug)]
    pub struct AdaGradConfig for AdaGrad, decay: Burn, clipping: grad_clipping {
        /// δ ≥ 0: the learning rate of step t is `η / (1 + (t − 1) δ)`. Default: 0.
        #[config(default = 0.0)]
        pub lr_decay: f64,
        /// ε > 0. Default: 1e-5, as in Burn.
        #[config(default = 1e-5)]
        pub epsilon: f64,
        /// Where ε enters the divisor. Default: [`AdaGradEpsilon::OutsideRoot`], as in Burn.
        #[config(default = "AdaGradEpsilon::OutsideRoot")]
        pub epsilon_form: AdaGradEpsilon,
        /// The initial sum of squares, ≥ 0. Default: 0, as in Burn.
        #[config(default = 0.0)]
        pub initial_accumulator: f64,
    }
}

impl AdaGradConfig {
    /// PyTorch's defaults: ε = 1e-10.
    pub fn torch() -> Self {
        Self::new().with_epsilon(1e-10)
    }

    /// Keras's defaults: ε = 1e-7 under the root, and a sum that starts at 0.1.
    pub fn keras() -> Self {
        Self::new()
            .with_epsilon(1e-7)
            .with_epsilon_form(AdaGradEpsilon::InsideRoot)
            .with_initial_accumulator(0.1)
    }

    /// optax's defaults, which are those of [`keras`](Self::keras).
    pub fn optax() -> Self {
        Self::keras()
    }

    fn rule(&self) -> Result<AdaGradRule, ConfigError> {
        let epsilon = ConfigError::positive("epsilon", self.epsilon)?;
        let (epsilon_outside, epsilon_inside) = match self.epsilon_form {
            AdaGradEpsilon::OutsideRoot => (epsilon, 0.0),
            AdaGradEpsilon::InsideRoot => (0.0, epsilon),
        };
        Ok(AdaGradRule {
            lr_decay: ConfigError::non_negative("lr_decay", self.lr_decay)?,
            epsilon_outside,
            epsilon_inside,
            initial: ConfigError::non_negative("initial_accumulator", self.initial_accumulator)?,
        })
    }
}

/// The AdaGrad optimizer. Made by [`AdaGradConfig::build`].
pub type AdaGrad = RuleOptimizer<AdaGradRule>;

/// The state of [`AdaGrad`] for one parameter, in the layout of Burn's own record: `lr_decay.time`
/// and `lr_decay.sum`.
pub type AdaGradState = RuleState<AdaGradRule>;

const SUM: StateField = StateField::required("lr_decay.sum");

/// The rule of [`AdaGrad`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaGradRule {
    lr_decay: f64,
    epsilon_outside: f64,
    epsilon_inside: f64,
    initial: f64,
}

impl Rule for AdaGradRule {
    const STATE: &'static [StateField] = &[SUM];
    const STEP_COUNT: Option<&'static str> = Some("lr_decay.time");

    fn step(&self, pending: PendingStep) -> TakenStep {
        let first = AdaGradStep {
            lr: pending.lr,
            epsilon: self.epsilon_outside,
            epsilon_inside: self.epsilon_inside,
            initial: self.initial,
            decay: pending.decay,
        };
        let lr_decay = self.lr_decay;
        pending.take_timed(TimedAdaGrad { first, lr_decay }, [SUM])
    }
}
