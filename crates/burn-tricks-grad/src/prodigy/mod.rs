//! Prodigy: Adam that finds its own learning rate.

pub(crate) mod adam;
mod estimate;

use crate::gradient_order::GradientOrder;
use crate::prodigy::adam::ProdigyAdam;
use crate::transform::GradientTransform;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, StateError, params};
use estimate::{Estimate, Settings, SharedEstimate, gathered};
use std::fmt::Debug;

/// Configuration of [`Prodigy`] and its optimizer: Adam that finds its own learning rate.
///
/// A good learning rate is about the distance D from the initial weights to the minimum, divided by a measure
/// of the summed gradients. Prodigy estimates D from below during training: the estimate d grows until the
/// steps no longer lead away from the initial weights.
///
/// ```text
/// r ← β₃ r + (d / d₀) η d ⟨g, w₀ − w⟩            over all parameters
/// s ← β₃ s + (d / d₀) η d g
/// d' = max(d, c r / ‖s‖₁)
/// m ← β₁ m + (1 − β₁) d g        v ← β₂ v + (1 − β₂) d² g²
/// w ← w − η d (m / (√v + d' ε) + λ w)            then d ← d'
/// ```
///
/// η is the learning rate of the step: 1, or a schedule that begins at 1.
///
/// The estimate needs all gradients of a step, but a Burn optimizer sees one at a time. So there are two parts,
/// which share the estimate: [`Prodigy`], a transform that reads the gradients and returns them unchanged, and
/// [`ProdigyAdam`], the optimizer.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::{GradientTransform, ProdigyConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).init(&device);
/// let mut prodigy = ProdigyConfig::new().init(&model)?;
/// let mut optim = prodigy.optimizer();
///
/// for _ in 0..3 {
///     let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     let grads = prodigy.apply(&model, grads);
///     model = optim.step(1.0, model, grads);
/// }
/// assert!(prodigy.distance().is_some()); // d, a tensor: reading it waits for the device
/// # let _ = model.num_params();
/// # Ok(())
/// # }
/// ```
///
/// The authors' settings for diffusion models, without decay of normalisation layers and biases:
///
/// ```
/// # use burn::module::ParamGroup;
/// # use burn::nn::LinearConfig;
/// # use burn::tensor::Device;
/// use burn_tricks_grad::ProdigyConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let model = LinearConfig::new(4, 2).init(&Device::flex().autodiff());
/// # let spared = ParamGroup::from_path("bias");
/// let prodigy = ProdigyConfig::new()
///     .with_weight_decay(0.01)
///     .with_bias_correction(true)
///     .with_safeguard_warmup(true)
///     .init(&model)?;
/// let without_decay = prodigy.build().with_weight_decay(0.0)?;
/// let optim = prodigy.optimizer().with_group(spared, without_decay, None);
/// # let _ = optim;
/// # Ok(())
/// # }
/// ```
///
/// # In a `Learner`
///
/// Use `model.with_tricks((clip, prodigy.clone()))`, with `prodigy.optimizer()` as the optimizer and a learning
/// rate of 1, or a schedule that begins at 1. Clones share the estimate.
///
/// # Order
///
/// It must be the last transform, since the optimizer must see the gradients that the estimate saw. All parameters must
/// have the same learning rate, or the step panics. The authors' program refuses different learning rates, too, except
/// for 0: parameters with a learning rate of 0 do not count in the estimate. Here, remove the gradients of such
/// parameters with a [`Freeze`](crate::Freeze) before this transform.
///
/// Do not use it with [`NonFinite::SkipStep`](crate::NonFinite::SkipStep): marked gradients make the estimate NaN. A
/// [`StepGuard`](crate::StepGuard) in front of it skips such a step before the estimate sees it.
///
/// The optimizer panics in a step whose gradients [`Prodigy`] has not seen, instead of continuing with the
/// estimate of the step before.
///
/// # Saving
///
/// Burn's record of the optimizer holds m and v. The state of the transform ([`Prodigy::state`]) holds the
/// estimate, the initial weights and s; a `Session` saves it by itself.
///
/// # Cost
///
/// Four tensors of the size of each parameter, in `f32` (in `f64` for `f64` weights): m, v, s and the initial
/// weights. On the CPU backend there are two passes: the estimate reads gradient, weight, initial weight and s, and
/// writes s; the step moves as many bytes as Adam's. On other backends both are tensor operations. No value is read from
/// the device.
///
/// # Several devices
///
/// Under Burn's `ddp` the first step panics, since the workers would share one estimate, and each would add the same
/// gradients to it. `multi` works.
///
/// # Differences
///
/// The results are those of the authors' `prodigyopt` 1.1.2 with decoupled decay (its `decouple=True`). Its
/// options `slice_p`, which estimates from every p-th number, and `fsdp_in_use` do not exist here. If every
/// gradient is zero from the first step on, the authors' program does not count these steps; here they count,
/// and change nothing.
///
/// # Precision
///
/// While d is small, w₀ − w is a difference of nearly equal numbers. In `f32`, with weights of size 1 and d₀ = 1e-6,
/// the first estimates have three correct digits, here as in the authors' program: on the network of this library's
/// tests the estimate d differs from that of a run in `f64` by at most 1.1e-3 of its value here and by 2.0e-3 in the
/// authors' program; in `f64` both programs agree to 1e-10. A step of an `f16` or `bf16` weight of size 1 vanishes in
/// rounding below 5e-4 or 4e-3, so that with the default d₀ such a model neither moves nor finds a larger d: train
/// `f32` weights. `MasterWeights` of `burn-tricks-optim` around the optimizer does not help: the estimate sees the
/// rounded weights of the model, which stay at w₀ until a master weight has crossed half the distance to the next
/// number, so that d stays at d₀.
///
/// # Suggested values
///
/// The defaults, and η = 1 with a cosine decay to 0. With a warm-up, set `safeguard_warmup`. A larger or
/// smaller c (`distance_factor`) makes the estimate larger or smaller.
///
/// # References
///
/// - Mishchenko, Defazio, *Prodigy: an expeditiously adaptive parameter-free learner*, 2024,
///   <https://arxiv.org/abs/2306.06101>
/// - <https://github.com/konstmish/prodigy>
#[derive(Config, Debug, PartialEq)]
pub struct ProdigyConfig {
    /// β₁, the decay of the mean of the gradients, in [0, 1). Default: 0.9.
    #[config(default = 0.9)]
    pub beta_1: f64,
    /// β₂, the decay of the mean of their squares, in [0, 1). Default: 0.999.
    #[config(default = 0.999)]
    pub beta_2: f64,
    /// β₃, the decay of the sums in the estimate, in [0, 1). Default: none, which is √β₂.
    pub beta_3: Option<f64>,
    /// ε > 0, added to the root, times d. Default: 1e-8.
    #[config(default = 1e-8)]
    pub epsilon: f64,
    /// λ ≥ 0, the decoupled weight decay, which each step multiplies by η d. Default: 0.
    #[config(default = 0.0)]
    pub weight_decay: f64,
    /// Whether the bias of m and v in the first steps is corrected, as in Adam. Default: no.
    #[config(default = false)]
    pub bias_correction: bool,
    /// Whether s leaves η out, so that a warm-up does not make the estimate too large. Default: no.
    #[config(default = false)]
    pub safeguard_warmup: bool,
    /// d₀ > 0, the initial estimate, which must be smaller than the true distance. Default: 1e-6.
    #[config(default = 1e-6)]
    pub first_distance: f64,
    /// c > 0, a factor of the estimate. Default: 1.
    #[config(default = 1.0)]
    pub distance_factor: f64,
    /// The largest factor by which d may grow in a step, at least 1. Default: no bound.
    pub growth_rate: Option<f64>,
}

impl ProdigyConfig {
    /// The transform for `model`, from which [`Prodigy::optimizer`] makes the optimizer.
    ///
    /// # Errors
    ///
    /// If β₁, β₂ or β₃ does not lie in [0, 1), ε, d₀ or c is not finite and positive, λ is negative or not
    /// finite, or the growth rate is not a finite number of at least 1.
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

/// Estimates Prodigy's learning rate from the gradients of each step. Made by [`ProdigyConfig::init`]; clones share
/// the estimate.
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
    /// The optimizer that takes the steps. Give it the gradients that this transform has seen, and one learning
    /// rate for all parameters.
    pub fn optimizer(&self) -> ModuleOptimizer {
        ModuleOptimizer::from(self.build())
    }

    /// The optimizer of one parameter, for Burn's parameter groups.
    pub fn build(&self) -> ProdigyAdam {
        ProdigyAdam::new(self.estimate.clone(), self.config.weight_decay)
    }

    /// d, the estimate of the distance, as a tensor of one element; `None` before the first step. Reading it
    /// waits for the device.
    pub fn distance(&self) -> Option<Tensor<1>> {
        self.estimate.lock().distance()
    }

    /// The state that a resumed run needs: the estimate, the initial weights and s. Waits for the device.
    pub fn state(&self) -> Vec<u8> {
        self.estimate.lock().to_bytes()
    }

    /// Continues from a state that [`state`](Self::state) returned, for a model with the same paths. The
    /// optimizers made from this transform and its clones continue from it too.
    ///
    /// # Errors
    ///
    /// If it is not the state of a `Prodigy`, or that of a model with other parameters.
    pub fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.estimate.lock().load_bytes(state)
    }
}

impl GradientTransform for Prodigy {
    /// Returns the gradients unchanged; the optimizer's step updates the estimate with them.
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        if !grads.is_empty() {
            self.estimate.lock().observe(gathered(model, &grads));
        }
        grads
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        order.add_memory::<Self>(false);
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
