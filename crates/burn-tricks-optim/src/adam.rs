//! Adam, in one pass.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::rule_state::RuleState;
use crate::state_tensors::StateField;
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{TimedAdam, TimedAmsGrad, TimedCorrectedAmsGrad};
use serde::{Deserialize, Serialize};

/// What ε is added to in [`Adam`] and [`AdamW`](crate::AdamW).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdamEpsilon {
    /// `√v̂ + ε`, with the bias correction in the root: the paper's algorithm, PyTorch, optax, Burn.
    ToCorrectedRoot,
    /// `√v + ε`, with the corrections in the learning rate, `η √(1 − β₂ᵗ) / (1 − β₁ᵗ)`: the paper's "ε̂" (section 2), Keras.
    /// In the first steps this equals a larger ε, `ε / √(1 − β₂ᵗ)`: 32 times ε at t = 1 and β₂ = 0.999.
    ToPlainRoot,
}

/// The mean square of which AMSGrad takes the maximum over the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AmsGradForm {
    /// The maximum of v, which is then corrected for the bias: PyTorch, Keras, Burn.
    MaxThenCorrect,
    /// The maximum of v̂, the corrected mean: optax. The large v̂ of the first steps counts in full, so the steps are
    /// shorter.
    CorrectThenMax,
}

optimizer_config! {
    /// Configuration of [`Adam`]: Burn's options and defaults, and a few more options.
    ///
    /// A drop-in replacement for Burn's `AdamConfig`: the same options, results and record, several times faster on
    /// the CPU.
    ///
    /// ```text
    /// g ← g + λ w                                coupled weight decay
    /// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
    /// w ← w − η m̂ / (√v̂ + ε)                     m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
    /// ```
    ///
    /// With AMSGrad, the last line uses the largest `v` so far instead of `v`.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::AdamConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = AdamConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(1e-3, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// PyTorch's defaults, with coupled decay that leaves out biases and normalisation layers:
    ///
    /// ```
    /// use burn::optim::decay::WeightDecayConfig;
    /// use burn_tricks_optim::{AdamConfig, WeightDecayScope};
    ///
    /// let optim = AdamConfig::torch()
    ///     .with_amsgrad(true)
    ///     .with_weight_decay(Some(WeightDecayConfig::new(1e-4)))
    ///     .with_weight_decay_scope(WeightDecayScope::Matrices)
    ///     .build()?; // the `Optimizer` of one parameter tensor, for `ModuleOptimizer::with_group`
    /// # Ok::<(), burn_tricks_core::ConfigError>(())
    /// ```
    ///
    /// # Order
    ///
    /// It is the optimizer, so it comes after all transforms of the gradients: clip before it. The gradient
    /// clipping in the configuration is Burn's, which clips tensor by tensor; only [`init`](AdamConfig::init)
    /// applies it.
    ///
    /// With `skip_marked` it skips a step whose gradients a transform has marked:
    /// [`skipped_steps`](crate::skipped_steps).
    ///
    /// # Cost
    ///
    /// Two tensors of the parameter's size (three with AMSGrad). On the CPU backend a step is one pass, which moves 28
    /// bytes per `f32` weight (36 with AMSGrad); on other backends it consists of the tensor operations of
    /// [`AdamStep`](burn_tricks_kernels::AdamStep).
    ///
    /// # Differences
    ///
    /// - ε: Burn's default is 1e-5, and [`new`](AdamConfig::new) keeps it; PyTorch and optax have 1e-8
    ///   ([`torch`](AdamConfig::torch), [`optax`](AdamConfig::optax)). Keras has 1e-7 and adds it to the root without
    ///   bias correction ([`keras`](AdamConfig::keras), [`AdamEpsilon`]).
    /// - AMSGrad takes the maximum of v in PyTorch, Keras and Burn, and of v̂ in optax: [`AmsGradForm`].
    /// - Burn computes `1 − β₂` and the bias correction in `f32`, where `1 − 0.999` is off by 1.3e-5; here, as in
    ///   PyTorch, they are computed in `f64`. The weights agree within 1e-6 of their size, the distance moved in a
    ///   step within 4e-6; the recorded second moments of the first steps differ by that 1.3e-5.
    /// - The moments of `f16` and `bf16` weights are kept in `f32`. A record of Burn's optimizer for such weights
    ///   can be loaded here; a record of this optimizer cannot be loaded into Burn's, which would mix the types.
    /// - A gradient above 1.8e19, whose square overflows in `f32`, makes v infinite, and at the next step v and the weight
    ///   NaN. In PyTorch and Burn v stays infinite, and the weight stands still from then on. With AMSGrad it stands still here
    ///   too, and shows no NaN, since the largest v stays infinite.
    /// - A reloaded state goes straight to the parameter's device, not through `Device::default()`.
    ///
    /// # Suggested values
    ///
    /// η = 1e-3, β₁ = 0.9, β₂ = 0.999, ε = 1e-8 (Kingma and Ba); ε up to 1 for some vision models
    /// (TensorFlow's docs).
    ///
    /// # References
    ///
    /// - Kingma, Ba, *Adam: a method for stochastic optimization*, 2015, <https://arxiv.org/abs/1412.6980>
    /// - Reddi, Kale, Kumar, *On the convergence of Adam and beyond*, 2018,
    ///   <https://openreview.net/forum?id=ryQu7f-RZ> (AMSGrad)
    #[derive(Config, Debug)]
    pub struct AdamConfig for Adam, decay: Burn, clipping: grad_clipping {
        /// β₁ in `[0, 1)`: the share of the old mean gradient. Default: 0.9.
        #[config(default = 0.9)]
        pub beta_1: f64,
        /// β₂ in `[0, 1)`: the share of the old mean square. Default: 0.999.
        #[config(default = 0.999)]
        pub beta_2: f64,
        /// ε > 0. Default: 1e-5, as in Burn.
        #[config(default = 1e-5)]
        pub epsilon: f64,
        /// What ε is added to. Default: [`AdamEpsilon::ToCorrectedRoot`], as in Burn.
        #[config(default = "AdamEpsilon::ToCorrectedRoot")]
        pub epsilon_form: AdamEpsilon,
        /// Whether to divide by the largest mean square so far. Default: no.
        #[config(default = false)]
        pub amsgrad: bool,
        /// The mean square of which the maximum is taken. Default: [`AmsGradForm::MaxThenCorrect`], as in Burn.
        #[config(default = "AmsGradForm::MaxThenCorrect")]
        pub amsgrad_form: AmsGradForm,
    }
}

impl AdamConfig {
    /// PyTorch's defaults: ε = 1e-8.
    pub fn torch() -> Self {
        Self::new().with_epsilon(1e-8)
    }

    /// Keras's defaults: ε = 1e-7, added to the root without bias correction.
    pub fn keras() -> Self {
        Self::new()
            .with_epsilon(1e-7)
            .with_epsilon_form(AdamEpsilon::ToPlainRoot)
    }

    /// optax's defaults: ε = 1e-8; with `amsgrad`, optax's `amsgrad`.
    pub fn optax() -> Self {
        Self::torch().with_amsgrad_form(AmsGradForm::CorrectThenMax)
    }

    fn rule(&self) -> Result<AdamRule, ConfigError> {
        AdamRule::new(
            (self.beta_1, self.beta_2),
            (self.epsilon, self.epsilon_form),
            self.amsgrad.then_some(self.amsgrad_form),
        )
    }
}

/// The Adam optimizer. Made by [`AdamConfig::build`].
pub type Adam = RuleOptimizer<AdamRule>;

/// The state of [`Adam`] and [`AdamW`](crate::AdamW) for one parameter, in the layout of Burn's own record:
/// `momentum.time`, `momentum.moment_1`, `momentum.moment_2` and, for AMSGrad, `momentum.max_moment_2`
/// (`momentum.max_corrected_moment_2` with [`AmsGradForm::CorrectThenMax`]).
pub type AdamState = RuleState<AdamRule>;

const MOMENT_1: StateField = StateField::required("momentum.moment_1");
const MOMENT_2: StateField = StateField::required("momentum.moment_2");
const MAX_MOMENT_2: StateField = StateField::optional("momentum.max_moment_2");
const MAX_CORRECTED: StateField = StateField::optional("momentum.max_corrected_moment_2");

/// The rule of [`Adam`] and [`AdamW`](crate::AdamW).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamRule {
    betas: (f64, f64),
    epsilon: f64,
    epsilon_form: AdamEpsilon,
    amsgrad: Option<AmsGradForm>,
}

impl AdamRule {
    pub(crate) fn new(
        (beta_1, beta_2): (f64, f64),
        (epsilon, epsilon_form): (f64, AdamEpsilon),
        amsgrad: Option<AmsGradForm>,
    ) -> Result<Self, ConfigError> {
        if (epsilon_form, amsgrad) == (AdamEpsilon::ToPlainRoot, Some(AmsGradForm::CorrectThenMax))
        {
            let requirement = "be `ToCorrectedRoot` with `AmsGradForm::CorrectThenMax`, whose root is of corrected means";
            return Err(ConfigError::new("epsilon_form", requirement, epsilon_form));
        }
        Ok(Self {
            betas: (
                ConfigError::decay_rate("beta_1", beta_1)?,
                ConfigError::decay_rate("beta_2", beta_2)?,
            ),
            epsilon: ConfigError::positive("epsilon", epsilon)?,
            epsilon_form,
            amsgrad,
        })
    }
}

impl Rule for AdamRule {
    const STATE: &'static [StateField] = &[MOMENT_1, MOMENT_2, MAX_MOMENT_2, MAX_CORRECTED];
    const STEP_COUNT: Option<&'static str> = Some("momentum.time");

    fn step(&self, pending: PendingStep) -> TakenStep {
        let step = TimedAdam {
            lr: pending.lr,
            betas: self.betas,
            epsilon: self.epsilon,
            plain_epsilon: self.epsilon_form == AdamEpsilon::ToPlainRoot,
            decay: pending.decay,
        };
        // A run that only now turns to AMSGrad has seen no maximum: it starts with this step's.
        match self.amsgrad {
            None => pending.take_timed(step, [MOMENT_1, MOMENT_2]),
            Some(AmsGradForm::MaxThenCorrect) => {
                pending.take_timed(TimedAmsGrad(step), [MOMENT_1, MOMENT_2, MAX_MOMENT_2])
            }
            Some(AmsGradForm::CorrectThenMax) => {
                let fields = [MOMENT_1, MOMENT_2, MAX_CORRECTED];
                pending.take_timed(TimedCorrectedAmsGrad(step), fields)
            }
        }
    }
}
