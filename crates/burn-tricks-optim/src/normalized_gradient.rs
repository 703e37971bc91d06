//! The normalised-gradient family.

use crate::normalized_gradient_settings::{Epsilon, Memory, MomentumMemory};
use crate::normalized_gradient_state::NormalizedGradientState;
use crate::plan_steps::{Outcome, PlanSteps};
use crate::skipped_steps;
use crate::weight_decay::{CheckedWeightDecay, WeightDecayMode};
use burn::optim::{DynState, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, NormScope, WeightDecayScope};
use burn_tricks_kernels::{AnyTensor, Multiple, Skip, StepCount};

/// Configuration of [`NormalizedGradient`], the normalised-gradient family: one optimizer with two settings, the
/// scope and the memory of a norm. The default is sign SGD: a norm for each element, without memory.
///
/// (`NormalizeGradConfig` of `burn-tricks-grad` is a gradient transform, not an optimizer: it divides all gradients by the norm
/// of the whole model's gradient, which an optimizer, called for one tensor at a time, does not know.)
///
/// Every optimizer here divides the gradient by a norm. The members of the family differ in *which numbers* go
/// into the norm and in *how long the norm remembers* earlier gradients:
///
/// | norm over | [`Memory::None`] | [`Memory::Sum`] | [`Memory::Decay`] |
/// | --- | --- | --- | --- |
/// | each element ([`NormScope::Element`]) | sign SGD | AdaGrad | RMSProp |
/// | each tensor ([`NormScope::Tensor`]) | normalised gradient descent, layer by layer | AdaGrad-Norm | layer-wise RMSProp |
/// | the whole model | normalised gradient descent: `burn_tricks_grad::NormalizeGrad` before plain SGD | | |
///
/// With [`MomentumMemory::OfGradient`] and bias correction, the norm of each element with a decaying memory
/// (RMSProp in the table) gives Adam.
///
/// ```text
/// g ← g + λ w                                     coupled weight decay
/// v ← ‖g‖²  |  v + ‖g‖²  |  β v + (1 − β) ‖g‖²     none | sum | decay; ‖·‖ per element or tensor
/// m ← g  |  β₁ m + (1 − β₁) g                     no momentum | momentum of the gradient
/// m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − βᵗ)            with bias correction
/// u ← m̂ / (√v̂ + ε)                                0 where the divisor is 0
/// u ← μ u' + u                                    momentum of the update, u' the last one
/// w ← w − η λ w − η u                             λ: decoupled weight decay
/// ```
///
/// Without memory, the divisor is the norm of the divided tensor itself, so that `u` has unit norm. With
/// momentum this tensor is the mean gradient `m` (Cutkosky and Mehta; signum for elements).
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, ModuleOptimizer};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_optim::{NormalizedGradientConfig, NormScope};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let mut optim: ModuleOptimizer = NormalizedGradientConfig::new()
///     .with_scope(NormScope::Tensor)
///     .init()?;
///
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let model = optim.step(0.01, model, grads);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// AdaGrad with a decaying memory, and decoupled decay:
///
/// ```
/// use burn_tricks_optim::{Epsilon, Memory, MomentumMemory, NormalizedGradientConfig, WeightDecayMode};
///
/// let optim = NormalizedGradientConfig::new()
///     .with_memory(Memory::Decay { beta: 0.99 })
///     .with_bias_correction(true)
///     .with_momentum(MomentumMemory::OfUpdate { mu: 0.9 })
///     .with_epsilon(Epsilon::OutsideRoot(1e-8))
///     .with_weight_decay(1e-2)
///     .with_weight_decay_mode(WeightDecayMode::Decoupled)
///     .build()?; // the `Optimizer` of one parameter tensor, for `ModuleOptimizer::with_group`
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// It is the optimizer, so it comes after all transforms of the gradients. Clipping or another rescaling of the
/// whole gradient has no effect on members without memory, since they divide by the norm.
///
/// With `skip_marked` it skips a step whose gradients a transform has marked: [`skipped_steps`].
///
/// # Cost
///
/// One tensor of the parameter's size for the memory of [`NormScope::Element`] (one number for
/// [`NormScope::Tensor`]), one more with momentum, none without memory and momentum. On the CPU backend, decoupled weight
/// decay with [`NormScope::Tensor`] takes one more pass, and another tensor of the parameter's size during the step.
///
/// # Differences
///
/// - A zero divisor gives a zero update, even with ε = 0; other libraries give NaN or need an ε.
/// - The memory of `f16` and `bf16` parameters is kept in `f32`: in `f16` a gradient of 256 overflows
///   when squared, and a sum in `bf16` stops growing.
/// - With [`Memory::Decay`], a norm above 1.8e19, whose square overflows in `f32`, makes v infinite, and at the next step v and
///   the weight NaN. In PyTorch's and Burn's RMSProp and Adam v stays infinite.
/// - ε stands outside the root in PyTorch's and Burn's AdaGrad, RMSProp and Adam, inside in optax's
///   and Keras's AdaGrad and RMSProp: [`Epsilon`]. PyTorch uses 1e-10 (AdaGrad) and 1e-8, Burn 1e-5, Keras 1e-7, optax
///   1e-7 (AdaGrad) and 1e-8. Here it is 0 by default.
/// - PyTorch's AdaGrad starts its sum at `initial_accumulator_value`, Keras and optax at 0.1; Burn has no such setting.
///   Here [`initial_accumulator`](NormalizedGradientConfig::initial_accumulator) sets it.
/// - PyTorch's `lr_decay` is a learning-rate schedule; here, use a schedule for it.
///
/// # Suggested values
///
/// [`NormScope::Tensor`] without memory: η is the norm of each tensor's step, 1e-3 to 1e-1 with a decaying schedule.
/// Sign SGD (the default): every number moves by η, so the step of a tensor of n numbers has the norm `η √n`: 1e-4 to
/// 1e-3, as for Adam. AdaGrad: η = 0.01 (PyTorch's default). RMSProp: β = 0.9 (Hinton), η = 1e-3. Adam: β₁ = 0.9, β =
/// 0.999, η = 1e-3 (Kingma and Ba).
///
/// # References
///
/// - Duchi, Hazan, Singer, *Adaptive subgradient methods*, JMLR 2011 (AdaGrad)
/// - Ward, Wu, Bottou, *AdaGrad stepsizes*, 2019, <https://arxiv.org/abs/1806.01811> (AdaGrad-Norm)
/// - Bernstein et al., *signSGD*, 2018, <https://arxiv.org/abs/1802.04434>
/// - Cutkosky, Mehta, *Momentum improves normalized SGD*, 2020, <https://arxiv.org/abs/2002.03305>
/// - Kingma, Ba, *Adam*, 2015, <https://arxiv.org/abs/1412.6980>
#[derive(Config, Debug, PartialEq)]
pub struct NormalizedGradientConfig {
    /// Over which numbers the norm is taken. Default: [`NormScope::Element`].
    #[config(default = "NormScope::Element")]
    pub scope: NormScope,
    /// How long the norm remembers earlier gradients. Default: [`Memory::None`].
    #[config(default = "Memory::None")]
    pub memory: Memory,
    /// What the momentum averages or accumulates. Default: [`MomentumMemory::None`].
    #[config(default = "MomentumMemory::None")]
    pub momentum: MomentumMemory,
    /// Whether decaying means, which start at zero, are divided by `1 − βᵗ`. Default: no.
    #[config(default = false)]
    pub bias_correction: bool,
    /// Where ε stands, and how large it is. Default: 0.
    #[config(default = "Epsilon::OutsideRoot(0.0)")]
    pub epsilon: Epsilon,
    /// The squared norm that the memory starts from. Default: 0. It needs a memory, and is an error together
    /// with bias correction, which assumes that the memory starts at zero.
    #[config(default = 0.0)]
    pub initial_accumulator: f64,
    /// λ ≥ 0, the factor of the weight decay. Default: 0, no decay.
    #[config(default = 0.0)]
    pub weight_decay: f64,
    /// Where the decay enters a step. Default: [`WeightDecayMode::Coupled`].
    #[config(default = "WeightDecayMode::Coupled")]
    pub weight_decay_mode: WeightDecayMode,
    /// Which weights decay. Default: [`WeightDecayScope::Every`].
    #[config(default = "WeightDecayScope::Every")]
    pub weight_decay_scope: WeightDecayScope,
    /// Whether a gradient that is marked as non-finite skips the step: weights, state and step count stay as
    /// they are. Otherwise such a gradient makes the weights NaN. It belongs to `NonFinite::SkipStep` of
    /// `burn-tricks-grad`; see [`skipped_steps`]. Default: no.
    #[config(default = false)]
    pub skip_marked: bool,
}

impl NormalizedGradientConfig {
    /// AdaGrad with PyTorch's ε = 1e-10.
    pub fn adagrad() -> Self {
        Self::new()
            .with_memory(Memory::Sum)
            .with_epsilon(Epsilon::OutsideRoot(1e-10))
    }

    /// AdaGrad-Norm: one accumulated norm per parameter tensor.
    pub fn adagrad_norm() -> Self {
        Self::new()
            .with_scope(NormScope::Tensor)
            .with_memory(Memory::Sum)
    }

    /// RMSProp with PyTorch's ε = 1e-8, outside of the root; its default for `beta` is 0.99, that of Hinton, Keras and optax
    /// 0.9. Keras has `with_epsilon(Epsilon::InsideRoot(1e-7))`, optax `with_epsilon(Epsilon::InsideRoot(1e-8))`.
    pub fn rms_prop(beta: f64) -> Self {
        Self::new()
            .with_memory(Memory::Decay { beta })
            .with_epsilon(Epsilon::OutsideRoot(1e-8))
    }

    /// Adam with the paper's β₁ = 0.9, β₂ = 0.999 and ε = 1e-8.
    pub fn adam() -> Self {
        Self::rms_prop(0.999)
            .with_momentum(MomentumMemory::OfGradient { beta: 0.9 })
            .with_bias_correction(true)
    }

    /// Normalised gradient descent, layer by layer: `w ← w − η g/‖g‖` with the norm over each tensor. For the
    /// norm over the whole model put `burn_tricks_grad::NormalizeGrad` in front of plain SGD.
    pub fn per_tensor() -> Self {
        Self::new().with_scope(NormScope::Tensor)
    }

    /// The optimizer of one parameter, for wrappers and `ModuleOptimizer::with_group`.
    ///
    /// # Errors
    ///
    /// If the scope is [`NormScope::Model`]; if a decay rate lies outside `[0, 1)`; if ε, a weight decay or the
    /// initial accumulator is negative or not finite; if an initial accumulator is given without a memory or
    /// together with bias correction; or if bias correction is on and there is no decaying mean.
    pub fn build(&self) -> Result<NormalizedGradient, ConfigError> {
        if self.scope == NormScope::Model {
            return Err(ConfigError::new(
                "scope",
                "be `Tensor` or `Element`, since an optimizer sees one parameter at a time (over the whole \
                 model, divide with `NormalizeGradConfig` before the step)",
                self.scope,
            ));
        }
        let memory_decays = if let Memory::Decay { beta } = self.memory {
            ConfigError::decay_rate("memory.beta", beta)?;
            true
        } else {
            false
        };
        let momentum_decays = match self.momentum {
            MomentumMemory::None => false,
            MomentumMemory::OfGradient { beta } => {
                ConfigError::decay_rate("momentum.beta", beta)?;
                true
            }
            MomentumMemory::OfUpdate { mu } => {
                ConfigError::decay_rate("momentum.mu", mu)?;
                false
            }
        };
        if self.bias_correction && !(memory_decays || momentum_decays) {
            return Err(ConfigError::new(
                "bias_correction",
                "be off unless the memory decays or the momentum is of the gradient",
                (self.bias_correction, self.memory, self.momentum),
            ));
        }
        let (Epsilon::OutsideRoot(epsilon) | Epsilon::InsideRoot(epsilon)) = self.epsilon;
        ConfigError::non_negative("epsilon", epsilon)?;
        let decay = CheckedWeightDecay::new(
            self.weight_decay,
            self.weight_decay_mode,
            self.weight_decay_scope,
        )?;
        ConfigError::non_negative("initial_accumulator", self.initial_accumulator)?;
        if self.initial_accumulator > 0.0
            && (self.memory == Memory::None || (self.bias_correction && memory_decays))
        {
            return Err(ConfigError::new(
                "initial_accumulator",
                "be 0 without a memory, and where bias correction takes the memory to start at 0",
                self.initial_accumulator,
            ));
        }
        Ok(NormalizedGradient {
            config: self.clone(),
            decay,
        })
    }

    /// The optimizer of a whole module.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build).
    #[inline] // Burn's code for each rank is compiled only in programs that use this optimizer.
    pub fn init(&self) -> Result<ModuleOptimizer, ConfigError> {
        Ok(ModuleOptimizer::from(self.build()?))
    }
}

/// The normalised-gradient optimizer. Made by [`NormalizedGradientConfig::build`].
#[derive(Debug, Clone, PartialEq)]
pub struct NormalizedGradient {
    pub(crate) config: NormalizedGradientConfig,
    pub(crate) decay: CheckedWeightDecay,
}

impl Optimizer for NormalizedGradient {
    type State<const D: usize> = NormalizedGradientState;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<NormalizedGradientState>,
    ) -> (Tensor<D>, Option<NormalizedGradientState>) {
        let (weight, state) = self.step_any(lr, weight.into(), grad.into(), state);
        (weight.into_tensor(), state)
    }

    fn to_device<const D: usize>(
        state: NormalizedGradientState,
        device: &Device,
    ) -> NormalizedGradientState {
        state.moved_to(device, D)
    }
}

impl PlanSteps for NormalizedGradient {
    fn plan(
        &self,
        lr: LearningRate,
        weight: AnyTensor,
        grad: Multiple,
        state: Option<DynState>,
    ) -> Outcome {
        let grad = grad.multiplied();
        let skip = skipped_steps::look_any(self.config.skip_marked, &grad);
        if self.config.scope == NormScope::Tensor
            && let Some(step) = self.plan_of_tensor(lr, &skip, &weight, &grad)
        {
            return Outcome::Planned(step, Box::new(|_| None));
        }
        let rank = weight.rank();
        let state = state.map(DynState::downcast::<NormalizedGradientState>);
        let (weight, state) = self.step_any(lr, weight, grad, state);
        Outcome::Taken(weight, state.map(|state| DynState::create(state, rank)))
    }

    /// The norm of the gradient is read first.
    fn multiplies(&self) -> bool {
        false
    }
}

impl NormalizedGradient {
    /// Whether the run can continue from this state, which other settings may have left. The bias correction would take
    /// a mean square that starts now for that of all the steps so far: the steps would be too long.
    fn continues(&self, state: &NormalizedGradientState) -> bool {
        let decays = matches!(self.config.memory, Memory::Decay { .. });
        state.accumulator.is_some() || !(decays && self.config.bias_correction)
    }

    fn step_any(
        &self,
        lr: LearningRate,
        weight: AnyTensor,
        grad: AnyTensor,
        state: Option<NormalizedGradientState>,
    ) -> (AnyTensor, Option<NormalizedGradientState>) {
        // No number here, and no norm.
        if weight.is_empty() {
            return (weight, state);
        }
        let skip = skipped_steps::look_any(self.config.skip_marked, &grad);
        if let Skip::Known(true) = skip {
            return (weight, state);
        }
        let state = state.filter(|state| self.continues(state));
        let state = state.unwrap_or(NormalizedGradientState {
            time: StepCount::new(0),
            accumulator: None,
            momentum: None,
        });
        match self.config.scope {
            NormScope::Element => self.step_of_elements(lr, &skip, weight, grad, state),
            // `Model` is refused by `build`.
            NormScope::Tensor | NormScope::Model => {
                self.step_of_tensor(lr, &skip, weight, grad, state)
            }
        }
    }
}
