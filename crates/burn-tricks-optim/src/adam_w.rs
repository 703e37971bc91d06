//! AdamW, in one pass.

use crate::adam::{AdamEpsilon, AdamRule, AmsGradForm};
use crate::optimizer_config::optimizer_config;
use crate::rule::RuleOptimizer;
use crate::weight_decay::{CheckedWeightDecay, WeightDecayMode};
use burn_tricks_core::{Config, ConfigError};

optimizer_config! {
    /// Configuration of [`AdamW`]: Adam with decoupled weight decay. It has Burn's options and defaults, and a few more
    /// options.
    ///
    /// A drop-in replacement for Burn's `AdamWConfig`: the same options, results and record, several times faster
    /// on the CPU.
    ///
    /// ```text
    /// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
    /// w ← w − η λ w − η m̂ / (√v̂ + ε)             m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
    /// ```
    ///
    /// Cautious decay leaves out `η λ w` for weights where `w m < 0`, that is, where the step moves the weight away from
    /// zero.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::AdamWConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = AdamWConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(1e-3, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Usual settings for large language models, without decay of biases and normalisation layers:
    ///
    /// ```
    /// use burn_tricks_optim::{AdamWConfig, WeightDecayScope};
    ///
    /// let optim = AdamWConfig::torch()
    ///     .with_beta_2(0.95)
    ///     .with_weight_decay(0.1)
    ///     .with_weight_decay_scope(WeightDecayScope::Matrices)
    ///     .init()?;
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
    /// The cost of [`Adam`](crate::AdamConfig): the decay needs no extra pass.
    ///
    /// # Differences
    ///
    /// - The decay is `η λ`, as in PyTorch, Burn and optax; in the paper's notation λ is not multiplied by the base
    ///   learning rate. Default λ: 1e-4 in Burn, here and in
    ///   optax, 1e-2 in PyTorch ([`torch`](AdamWConfig::torch)), 4e-3 in Keras ([`keras`](AdamWConfig::keras)).
    /// - Burn and PyTorch multiply the weight by `1 − η λ` and then subtract the step. In `f32` that factor is rounded: at
    ///   η λ = 1e-7 the decay is 19 % too strong, and at 2e-8 there is none. Here the sum of decay and step is subtracted, so that
    ///   the decay is right on average while the weight moves. A weight that does not move (without a gradient) still loses
    ///   nothing where η λ is below 3e-8.
    /// - Cautious decay includes weights whose mean gradient is 0, as in the paper; in Burn only the positive ones of these
    ///   decay.
    /// - The other differences are those of [`Adam`](crate::AdamConfig).
    ///
    /// # Suggested values
    ///
    /// λ = 0.01 to 0.1 (PyTorch's default; GPT-3 and LLaMA), with β₂ = 0.95 for large batches.
    ///
    /// # References
    ///
    /// - Loshchilov, Hutter, *Decoupled weight decay regularization*, 2019,
    ///   <https://arxiv.org/abs/1711.05101>
    /// - Chen et al., *Cautious weight decay*, 2025, <https://arxiv.org/abs/2510.12402>
    #[derive(Config, Debug)]
    pub struct AdamWConfig for AdamW, decay: Own, clipping: grad_clipping {
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
        /// λ ≥ 0, per unit of learning rate. Default: 1e-4, as in Burn.
        #[config(default = 1e-4)]
        pub weight_decay: f64,
        /// Whether decay leaves out weights whose mean gradient has the opposite sign. Default: no.
        #[config(default = false)]
        pub cautious_weight_decay: bool,
        /// Whether to divide by the largest mean square so far. Default: no.
        #[config(default = false)]
        pub amsgrad: bool,
        /// The mean square of which the maximum is taken. Default: [`AmsGradForm::MaxThenCorrect`], as in Burn.
        #[config(default = "AmsGradForm::MaxThenCorrect")]
        pub amsgrad_form: AmsGradForm,
    }
}

impl AdamWConfig {
    /// PyTorch's defaults: ε = 1e-8, λ = 1e-2.
    pub fn torch() -> Self {
        Self::new().with_epsilon(1e-8).with_weight_decay(1e-2)
    }

    /// Keras's defaults: ε = 1e-7, added to the root without bias correction, and λ = 4e-3.
    pub fn keras() -> Self {
        Self::new()
            .with_epsilon(1e-7)
            .with_epsilon_form(AdamEpsilon::ToPlainRoot)
            .with_weight_decay(4e-3)
    }

    /// optax's defaults: ε = 1e-8, λ = 1e-4.
    pub fn optax() -> Self {
        Self::new()
            .with_epsilon(1e-8)
            .with_amsgrad_form(AmsGradForm::CorrectThenMax)
    }

    fn rule(&self) -> Result<AdamRule, ConfigError> {
        AdamRule::new(
            (self.beta_1, self.beta_2),
            (self.epsilon, self.epsilon_form),
            self.amsgrad.then_some(self.amsgrad_form),
        )
    }

    fn decay(&self) -> Result<CheckedWeightDecay, ConfigError> {
        let decay = CheckedWeightDecay::new(
            self.weight_decay,
            WeightDecayMode::Decoupled,
            self.weight_decay_scope,
        )?;
        Ok(decay.cautious(self.cautious_weight_decay))
    }
}

/// The AdamW optimizer: the rule of Adam with decoupled weight decay. Made by [`AdamWConfig::build`].
pub type AdamW = RuleOptimizer<AdamRule>;
