//! LARS.

use crate::optimizer_config::optimizer_config;
use crate::pending_step::{PendingStep, TakenStep};
use crate::rule::{Rule, RuleOptimizer};
use crate::sgd::MomentumForm;
use crate::state_tensors::StateField;
use crate::trust_ratio::{trust_ratio, trust_ratio_of};
use burn_tricks_core::{Config, ConfigError};
use burn_tricks_kernels::{
    AnyTensor, MomentumStep, Number, Real, Rescaled, SgdStep, SquareSum, Step, TensorList,
    TensorNumber, TimedMomentum, TimedStep as _, UpdateMomentumStep, WeightDecayTerm, scale,
};
use serde::{Deserialize, Serialize};

/// The number by which LARS divides the norm of the weights, where g is the gradient and λ w its coupled decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LarsDivisor {
    /// `‖g + λ w‖`, as in optax.
    NormOfSum,
    /// `‖g‖ + λ ‖w‖`, as in the paper and in timm. It is at least as large.
    SumOfNorms,
}

optimizer_config! {
    /// Configuration of [`Lars`]: momentum of gradients that are rescaled layer by layer. The defaults are optax's;
    /// its decay is coupled. Other numbers: [`timm`](LarsConfig::timm), [`paper`](LarsConfig::paper).
    ///
    /// The gradient of each tensor is rescaled so that its norm is a fraction of the norm of the weights, and the
    /// momentum accumulates the rescaled gradients (You et al., 2017). LARS serves for training with large batches.
    ///
    /// ```text
    /// r ← κ ‖w‖ / (‖g + λ w‖ + ε)                LarsDivisor::NormOfSum; 1 where a norm is 0
    /// r ← κ ‖w‖ / (‖g‖ + λ ‖w‖ + ε)              LarsDivisor::SumOfNorms; 1 where ‖w‖ or ‖g‖ is 0
    /// g ← g + λ w
    /// v ← μ v − η r g,   w ← w + v               MomentumForm::OfUpdate
    /// v ← μ v + r g,     w ← w − η v             MomentumForm::OfGradient
    /// ```
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::{GradientsParams, ModuleOptimizer};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::LarsConfig;
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim: ModuleOptimizer = LarsConfig::new().init()?;
    ///
    /// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    /// let grads = GradientsParams::from_grads(loss.backward(), &model);
    /// let model = optim.step(10.0, model, grads);
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Biases and normalisation layers stepped as in plain momentum SGD, with the weight decay of the paper:
    ///
    /// ```
    /// use burn_tricks_optim::{LarsConfig, WeightDecayScope};
    ///
    /// let optim = LarsConfig::new()
    ///     .with_vectors(false)
    ///     .with_weight_decay(5e-4)
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
    /// [`skipped_steps`](crate::skipped_steps). Clipping by norm before it has no effect on the tensors that it
    /// rescales.
    ///
    /// # Cost
    ///
    /// One tensor of the parameter's size, none without momentum. Compared with SGD there are two more reads for the
    /// norms, and with coupled decay one more pass; for half precision with coupled decay, and on backends without
    /// kernels, there is another pass for the scaling. On a GPU the decay and the scaling are part of the two kernels
    /// that compute the norms and take the step. The ratio stays on the device.
    ///
    /// # Differences
    ///
    /// - As in optax and the paper, each rescaled gradient keeps the η of its own step by default; timm applies the
    ///   present η to all: [`MomentumForm::OfGradient`].
    /// - By default, coupled decay is part of the gradient whose norm is taken, as in optax; in the paper and in timm
    ///   the two norms are added: [`LarsDivisor`].
    /// - Where λ is 0, timm rescales nothing unless `always_adapt` is set; here the gradient is always rescaled. timm's
    ///   `trust_clip` and `dampening` do not exist here.
    /// - r stays below 4.3e37 (2.3e307 for `f64` weights), since an infinite r would make NaN of a gradient's zeros. So a
    ///   gradient with a norm below about κ ‖w‖ / 4.3e37 makes a shorter step than the formula says.
    /// - Decoupled decay is neither part of the divisor nor rescaled.
    /// - The rescaled gradient of `f16` and `bf16` weights is rounded to their type.
    /// - For a trust ratio around any optimizer, for example LAMB, see [`TrustRatioConfig`](crate::TrustRatioConfig).
    ///
    /// # Suggested values
    ///
    /// μ = 0.9, λ = 5e-4, κ = 0.001 and η of 1 to 30 with a warm-up (the paper).
    ///
    /// # References
    ///
    /// - You, Gitman, Ginsburg, *Large batch training of convolutional networks*, 2017,
    ///   <https://arxiv.org/abs/1708.03888>
    #[derive(Config, Debug)]
    pub struct LarsConfig for Lars, decay: Coupled, clipping: grad_clipping {
        /// κ > 0: the norm of a rescaled gradient as a fraction of the tensor's norm. Default: 0.001.
        #[config(default = 0.001)]
        pub coefficient: f64,
        /// ε ≥ 0, added to the norm of the gradient. Default: 0.
        #[config(default = 0.0)]
        pub epsilon: f64,
        /// μ in `[0, 1)`, the momentum; with 0 there is none. Default: 0.9.
        #[config(default = 0.9)]
        pub momentum: f64,
        /// What the momentum accumulates. Default: [`MomentumForm::OfUpdate`], as in the paper and optax.
        #[config(default = "MomentumForm::OfUpdate")]
        pub momentum_form: MomentumForm,
        /// The divisor of the norm of the weights. Default: [`LarsDivisor::NormOfSum`], as in optax.
        #[config(default = "LarsDivisor::NormOfSum")]
        pub divisor: LarsDivisor,
        /// Whether to use Nesterov's momentum. Default: no.
        #[config(default = false)]
        pub nesterov: bool,
        /// Whether vectors (biases, the gains and offsets of normalisation layers) are rescaled too. Default: yes, as
        /// in optax.
        #[config(default = true)]
        pub vectors: bool,
    }
}

impl LarsConfig {
    /// timm's `Lars` with its defaults: [`LarsDivisor::SumOfNorms`], [`MomentumForm::OfGradient`] and ε = 1e-8, without
    /// momentum. With λ > 0, or `always_adapt` set in timm, the numbers are timm's.
    pub fn timm() -> Self {
        Self::new()
            .with_divisor(LarsDivisor::SumOfNorms)
            .with_momentum_form(MomentumForm::OfGradient)
            .with_momentum(0.0)
            .with_epsilon(1e-8)
    }

    /// The rule and the numbers of You et al.: [`LarsDivisor::SumOfNorms`] and λ = 5e-4.
    pub fn paper() -> Self {
        Self::new()
            .with_divisor(LarsDivisor::SumOfNorms)
            .with_weight_decay(5e-4)
    }

    fn rule(&self) -> Result<LarsRule, ConfigError> {
        Ok(LarsRule {
            coefficient: ConfigError::positive("coefficient", self.coefficient)?,
            epsilon: ConfigError::non_negative("epsilon", self.epsilon)?,
            momentum: ConfigError::decay_rate("momentum", self.momentum)?,
            form: self.momentum_form,
            divisor: self.divisor,
            nesterov: self.nesterov,
            vectors: self.vectors,
        })
    }
}

/// The LARS optimizer. Made by [`LarsConfig::build`]. A record holds `update`, or `velocity` for
/// [`MomentumForm::OfGradient`].
pub type Lars = RuleOptimizer<LarsRule>;

const VELOCITY: StateField = StateField::optional("velocity");
const UPDATE: StateField = StateField::optional("update");

/// The rule of [`Lars`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LarsRule {
    coefficient: f64,
    epsilon: f64,
    momentum: f64,
    form: MomentumForm,
    divisor: LarsDivisor,
    nesterov: bool,
    vectors: bool,
}

impl LarsRule {
    fn rescales(&self, pending: &PendingStep) -> bool {
        let weight = pending.weight();
        (weight.rank() >= 2 || self.vectors) && !weight.is_empty()
    }

    /// The step with a gradient that includes the coupled decay, and the ratio by which it is still to be multiplied.
    fn rescaled(&self, mut pending: PendingStep) -> (PendingStep, f64) {
        let mut left = 1.0;
        if !self.rescales(&pending) {
            return (pending, left);
        }
        let decay = pending.decay;
        let mut factor = 0.0;
        if let WeightDecayTerm::Coupled(lambda) = decay {
            factor = lambda;
            pending.decay = WeightDecayTerm::None;
        }
        let pending = pending.with_grad(|weight, grad| {
            let dtype = grad.dtype();
            let wide = burn_tricks_core::accumulation_dtype(dtype);
            let weight = weight.clone().cast(wide);
            let grad = grad.cast(wide);
            let ratio = |grad: &AnyTensor, decay| {
                trust_ratio(
                    &weight,
                    grad,
                    decay,
                    self.epsilon,
                    self.coefficient,
                    f64::INFINITY,
                )
            };
            let (grad, ratio) = match self.divisor {
                LarsDivisor::NormOfSum => {
                    let grad = decay.of_grads(grad, &weight);
                    let ratio = ratio(&grad, 0.0);
                    (grad, ratio)
                }
                LarsDivisor::SumOfNorms => {
                    let ratio = ratio(&grad, factor);
                    (decay.of_grads(grad, &weight), ratio)
                }
            };
            // A number that the host knows goes into the step, which then needs no pass before it.
            // A sum with the decay is not rounded to half precision before it is rescaled, where it could overflow.
            let is_rounded = factor != 0.0 && grad.dtype() != dtype;
            if !is_rounded && let Number::Known(ratio) = Number::from_tensor(&ratio) {
                left = ratio;
                return grad.cast(dtype.into());
            }
            let scaled = scale(TensorList::from(grad), &ratio).pop_any();
            scaled.expect("a list of one").cast(dtype.into())
        });
        (pending, left)
    }
}

/// The gradient of a step, rescaled, for a GPU: what [`LarsRule::rescaled`] does, with two norms in one read of both tensors.
#[derive(Debug, Clone, Copy)]
struct RescaledGradient {
    coefficient: f64,
    epsilon: f64,
    /// The coupled decay.
    decay: WeightDecayTerm,
    divisor: LarsDivisor,
}

impl TensorNumber<2, 2> for RescaledGradient {
    fn terms<T: Real>(self, [weight, grad]: [T; 2]) -> [T; 2] {
        match self.divisor {
            LarsDivisor::NormOfSum => [weight, self.decay.of_grad(grad, weight)],
            LarsDivisor::SumOfNorms => [weight, grad],
        }
    }

    fn number<T: Real>(self, [weight, grad]: [SquareSum<T>; 2], _count: T) -> T {
        let decay = match (self.divisor, self.decay) {
            (LarsDivisor::SumOfNorms, WeightDecayTerm::Coupled(lambda)) => lambda,
            _ => 0.0,
        };
        trust_ratio_of(
            weight.root,
            grad.root,
            decay,
            self.epsilon,
            self.coefficient,
            f64::INFINITY,
        )
    }

    fn element<T: Real>(self, [weight, grad]: [T; 2], ratio: T) -> T {
        self.decay.of_grad(grad, weight) * ratio
    }
}

impl LarsRule {
    /// The rescaled step on a GPU.
    fn take_on_gpu<const S: usize>(
        &self,
        pending: PendingStep,
        step: impl Step<S>,
        fields: [StateField; S],
    ) -> Result<TakenStep, Box<PendingStep>> {
        if !self.rescales(&pending) {
            return Err(Box::new(pending));
        }
        let change = RescaledGradient {
            coefficient: self.coefficient,
            epsilon: self.epsilon,
            decay: pending.decay,
            divisor: self.divisor,
        };
        pending.take_on_gpu(change, step, fields)
    }
}

impl Rule for LarsRule {
    const STATE: &'static [StateField] = &[VELOCITY, UPDATE];

    fn step(&self, pending: PendingStep) -> TakenStep {
        let lr = pending.lr;
        let decay = match pending.decay {
            // It is part of the gradient that is rescaled.
            WeightDecayTerm::Coupled(_) if self.rescales(&pending) => WeightDecayTerm::None,
            decay => decay,
        };
        let Self {
            momentum, nesterov, ..
        } = *self;
        if momentum == 0.0 {
            let step = SgdStep { lr, decay };
            return self
                .take_on_gpu(pending, step, [])
                .unwrap_or_else(|pending| {
                    let (pending, factor) = self.rescaled(*pending);
                    pending.take(Rescaled { step, factor }, [])
                });
        }
        match self.form {
            MomentumForm::OfGradient => {
                let step = TimedMomentum(MomentumStep {
                    lr,
                    momentum,
                    dampening: 0.0,
                    nesterov,
                    first: false,
                    decay,
                });
                let on_gpu = match pending.steps.known() {
                    Some(time) => self.take_on_gpu(pending, step.at(time), [VELOCITY]),
                    None => Err(Box::new(pending)),
                };
                on_gpu.unwrap_or_else(|pending| {
                    let (pending, factor) = self.rescaled(*pending);
                    pending.take_timed(Rescaled { step, factor }, [VELOCITY])
                })
            }
            MomentumForm::OfUpdate => {
                let step = UpdateMomentumStep {
                    lr,
                    momentum,
                    nesterov,
                    decay,
                };
                let on_gpu = self.take_on_gpu(pending, step, [UPDATE]);
                on_gpu.unwrap_or_else(|pending| {
                    let (pending, factor) = self.rescaled(*pending);
                    pending.take(Rescaled { step, factor }, [UPDATE])
                })
            }
        }
    }
}
