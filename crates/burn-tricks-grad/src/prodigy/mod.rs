//! Prodigy: Adam that finds its own learning rate.
//!
//! A good rate is about the distance D from the first weights to the minimum, divided by what the gradients add up
//! to. Prodigy estimates D from below while it trains: d grows until the steps no longer lead away from the first
//! weights.
//!
//! ```text
//! r ← β₃ r + (d / d₀) η d ⟨g, w₀ − w⟩            over all parameters
//! s ← β₃ s + (d / d₀) η d g
//! d' = max(d, c r / ‖s‖₁)
//! m ← β₁ m + (1 − β₁) d g        v ← β₂ v + (1 − β₂) d² g²
//! w ← w − η d (m / (√v + d' ε) + λ w)            then d ← d'
//! ```
//!
//! η is the learning rate of the step: 1, or a schedule that begins at 1.
//!
//! The estimate needs every gradient of a step, and a Burn optimizer sees one at a time. So there are two parts, which
//! share the estimate: [`Prodigy`], a transform that looks at the gradients and gives them back as they are, and
//! [`ProdigyAdam`], the optimizer.
//!
//! # Example
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::LinearConfig;
//! use burn::optim::GradientsParams;
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_grad::{GradientTransform, ProdigyConfig};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let mut model = LinearConfig::new(4, 2).init(&device);
//! let mut prodigy = ProdigyConfig::new().init(&model)?;
//! let mut optim = prodigy.optimizer();
//!
//! for _ in 0..3 {
//!     let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
//!     let grads = GradientsParams::from_grads(loss.backward(), &model);
//!     let grads = prodigy.apply(&model, grads);
//!     model = optim.step(1.0, model, grads);
//! }
//! assert!(prodigy.distance().is_some()); // d, a tensor: reading it waits for the device
//! # let _ = model.num_params();
//! # Ok(())
//! # }
//! ```
//!
//! As its authors train diffusion models, and with norms and biases that do not decay:
//!
//! ```
//! # use burn::module::ParamGroup;
//! # use burn::nn::LinearConfig;
//! # use burn::tensor::Device;
//! use burn_tricks_grad::ProdigyConfig;
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! # let model = LinearConfig::new(4, 2).init(&Device::flex().autodiff());
//! # let spared = ParamGroup::from_path("bias");
//! let prodigy = ProdigyConfig::new()
//!     .with_weight_decay(0.01)
//!     .with_bias_correction(true)
//!     .with_safeguard_warmup(true)
//!     .init(&model)?;
//! let without_decay = prodigy.build().with_weight_decay(0.0)?;
//! let optim = prodigy.optimizer().with_group(spared, without_decay, None);
//! # let _ = optim;
//! # Ok(())
//! # }
//! ```
//!
//! # In a `Learner`
//!
//! `model.with_tricks((clip, prodigy.clone()))`, with `prodigy.optimizer()` as the optimizer and 1, or a schedule from
//! 1, as the rate. Clones share the estimate.
//!
//! # Order
//!
//! The last transform: the optimizer must see the gradients that the estimate saw. Every parameter must have the same
//! rate, or the step panics, as the authors' program refuses it.
//!
//! The optimizer panics in a step whose gradients [`Prodigy`] has not seen, instead of going on with the estimate of
//! the step before.
//!
//! # Saving
//!
//! Burn's record of the optimizer has m and v. The state of the transform ([`Prodigy::state`]) has the
//! estimate, the first weights and s; a `Session` saves it by itself.
//!
//! # Cost
//!
//! Four tensors of each parameter's size: m, v, s and the first weights. Two passes: the estimate reads gradient,
//! weight, first weight and s, and writes s; the step is Adam's. In `f32` (of `f64` weights `f64`). No value is read
//! from the device.
//!
//! # Differences
//!
//! These are the numbers of the authors' `prodigyopt` 1.1.2, with decoupled decay (its `decouple=True`). Its `slice_p`,
//! which estimates from every p-th number, and the option `fsdp_in_use` are not here. Where every gradient is zero from
//! the first step on, the program does not count the steps; here they count, and change nothing.
//!
//! # Suggested values
//!
//! The defaults, η = 1 with a cosine to 0. With a warm-up, `safeguard_warmup`. A larger or smaller c
//! (`distance_factor`) makes the estimate larger or smaller.
//!
//! # References
//!
//! - Mishchenko, Defazio, *Prodigy: an expeditiously adaptive parameter-free learner*, 2024,
//!   <https://arxiv.org/abs/2306.06101>
//! - <https://github.com/konstmish/prodigy>

mod adam;
mod estimate;

pub use adam::{ProdigyAdam, ProdigyAdamState};

use crate::transform::GradientTransform;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, StateError, params};
use estimate::{Estimate, Settings, SharedEstimate, gathered};
use std::fmt::Debug;

/// Configuration of [`Prodigy`] and its optimizer.
#[derive(Config, Debug, PartialEq)]
pub struct ProdigyConfig {
    /// β₁ of the gradients, in [0, 1). Default: 0.9.
    #[config(default = 0.9)]
    pub beta_1: f64,
    /// β₂ of their squares, in [0, 1). Default: 0.999.
    #[config(default = 0.999)]
    pub beta_2: f64,
    /// β₃ of the estimate, in [0, 1). Default: none, which is √β₂.
    pub beta_3: Option<f64>,
    /// ε > 0, times d beside the root. Default: 1e-8.
    #[config(default = 1e-8)]
    pub epsilon: f64,
    /// λ ≥ 0, the decoupled decay, times η d in each step. Default: 0.
    #[config(default = 0.0)]
    pub weight_decay: f64,
    /// Whether the rate is corrected for the first steps of m and v, as Adam's is. Default: no.
    #[config(default = false)]
    pub bias_correction: bool,
    /// Whether s leaves η out, so that a warm-up does not make the estimate too large. Default: no.
    #[config(default = false)]
    pub safeguard_warmup: bool,
    /// d₀ > 0, the first estimate, smaller than any that could be right. Default: 1e-6.
    #[config(default = 1e-6)]
    pub first_distance: f64,
    /// c > 0, by which the estimate is multiplied. Default: 1.
    #[config(default = 1.0)]
    pub distance_factor: f64,
    /// By how much d may grow in a step, at least 1. Default: none, which is no bound.
    pub growth_rate: Option<f64>,
}

impl ProdigyConfig {
    /// The transform for `model`, from which [`Prodigy::optimizer`] makes the optimizer.
    ///
    /// # Errors
    ///
    /// If β₁, β₂ or β₃ does not lie in [0, 1), ε, d₀ or c is not finite and positive, λ negative or not finite, or the
    /// growth rate not a finite number of at least 1.
    pub fn init<M: Module>(&self, model: &M) -> Result<Prodigy, ConfigError> {
        ConfigError::decay_rate("beta_1", self.beta_1)?;
        ConfigError::decay_rate("beta_2", self.beta_2)?;
        let beta_3 = self.beta_3.unwrap_or_else(|| self.beta_2.sqrt());
        ConfigError::decay_rate("beta_3", beta_3)?;
        ConfigError::positive("epsilon", self.epsilon)?;
        ConfigError::non_negative("weight_decay", self.weight_decay)?;
        ConfigError::positive("first_distance", self.first_distance)?;
        ConfigError::positive("distance_factor", self.distance_factor)?;
        if let Some(rate) = self.growth_rate
            && !(rate >= 1.0 && rate.is_finite())
        {
            let requirement = "be a finite number of at least 1, or none";
            return Err(ConfigError::new("growth_rate", requirement, rate));
        }
        let settings = Settings {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            beta_3,
            epsilon: self.epsilon,
            bias_correction: self.bias_correction,
            safeguard_warmup: self.safeguard_warmup,
            first_distance: self.first_distance,
            distance_factor: self.distance_factor,
            growth_rate: self.growth_rate,
        };
        let sizes = params(model).into_iter();
        let sizes = sizes.map(|param| (param.path, param.shape.iter().product()));
        let device = model.devices().first().cloned().unwrap_or_default();
        let estimate = Estimate::new(settings, sizes.collect(), device.without_autodiff());
        Ok(Prodigy {
            config: self.clone(),
            estimate: SharedEstimate::new(estimate),
        })
    }
}

/// Estimates Prodigy's rate from the gradients of each step. Made by [`ProdigyConfig::init`]; clones share the estimate.
#[derive(Clone)]
pub struct Prodigy {
    config: ProdigyConfig,
    estimate: SharedEstimate,
}

impl Debug for Prodigy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prodigy")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Prodigy {
    /// The optimizer that takes the steps. Give it the gradients that this has seen, and one rate for all parameters.
    pub fn optimizer(&self) -> ModuleOptimizer {
        ModuleOptimizer::from(self.build())
    }

    /// The optimizer of one parameter, for Burn's parameter groups.
    pub fn build(&self) -> ProdigyAdam {
        ProdigyAdam::new(self.estimate.clone(), self.config.weight_decay)
    }

    /// d, the estimate of the distance, as a tensor of one element; none before the first step. Reading it waits for
    /// the device.
    pub fn distance(&self) -> Option<Tensor<1>> {
        self.estimate.lock().distance()
    }

    /// What a resumed run needs: the estimate, the first weights and s. Waits for the device.
    pub fn state(&self) -> Vec<u8> {
        self.estimate.lock().to_bytes()
    }

    /// Continues from what [`state`](Self::state) gave, for a model with the same paths. The optimizers made from this
    /// and its clones see it.
    ///
    /// # Errors
    ///
    /// If it is no state of a `Prodigy`, or that of a model with other parameters.
    pub fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.estimate.lock().load_bytes(state)
    }
}

impl GradientTransform for Prodigy {
    /// The gradients as they are, which the estimate is made of when the optimizer steps.
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        if !grads.is_empty() {
            self.estimate.lock().observe(gathered(model, &grads));
        }
        grads
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{:?}", self.config)]
    }

    fn restart(&mut self) {
        self.estimate.lock().restart();
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(Self::state(self))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        Self::load_state(self, state)
    }
}
