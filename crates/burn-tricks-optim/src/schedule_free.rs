//! Schedule-free learning.

use crate::skipped_steps;
use crate::state_tensors::StateField;
use crate::wrapper::{Wrap, WrappedStep, Wrapper};
use crate::wrapper_order;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::{Device, FloatDType, Tensor};
use burn_tricks_core::{Config, ConfigError, WeightDecayScope, accumulation_dtype};
use burn_tricks_kernels::{Number, Skip, blend, lerp};

/// Configuration of [`ScheduleFree`]: a constant learning rate and an average of the weights, instead of a falling
/// schedule. A separate average must be configured with the same numbers.
///
/// The inner optimizer steps the weights `z`. The gradient is taken at `y`, which lies between `z` and its
/// average `x`; the model is evaluated with `x` (Defazio et al., 2024). The length of the run need not be
/// known.
///
/// ```text
/// z' ← inner(z, g(y)) − η λ y
/// c ← tʳ ηₘᵖ / Σ tʳ ηₘᵖ                      ηₘ the largest rate so far
/// x ← (1 − c) x + c z'
/// y ← β x + (1 − β) z'
/// ```
///
/// The model in training has the weights `y`. In a loop, [`evaluation_model`](Self::evaluation_model) makes the model
/// with the weights `x`, from the model in training and the optimizer's state, when you want to validate or save it. In
/// a `Learner`, which does not give access to its optimizer at a validation, `x` is a separate object:
/// `ScheduleFreeAverage` of `burn-tricks-average`, which gets the learning rate of each step. It can be used in a loop
/// too. Weights are not swapped, and there is no mode to switch.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_optim::{OptimizerExt as _, ScheduleFreeConfig, SgdConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let free = ScheduleFreeConfig::new().build(SgdConfig::torch().build()?)?; // as `.schedule_free(0.9)?`
/// let mut optim = free.init();
///
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let model = optim.step(1.0, model, grads);
/// let to_validate = ScheduleFreeConfig::evaluation_model(&model, optim.to_record())?;
/// # let _ = (model, to_validate);
/// # Ok(())
/// # }
/// ```
///
/// Schedule-free AdamW is Adam without its first moment, with the decay of this wrapper:
///
/// ```
/// use burn_tricks_optim::{AdamConfig, ScheduleFreeConfig};
///
/// let adam = AdamConfig::torch().with_beta_1(0.0).build()?;
/// let optim = ScheduleFreeConfig::new().with_weight_decay(0.01).build(adam)?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Put it around an optimizer without momentum, since β takes the place of momentum: with both, or with a `Lookahead`
/// inside, the weights of the model to evaluate are less accurate, and nothing refuses that. Put it inside of
/// [`MasterWeightsConfig`](crate::MasterWeightsConfig) for `f16` and `bf16` weights. With
/// [`MasterWeightsForm::Kahan`](crate::MasterWeightsForm::Kahan), `y` has 16 bits of precision and `z` is in `f32`:
/// this takes two bytes per weight less than an `f32` copy, and `bf16` weights stay as close to those of a run in
/// `f64`. Use a constant learning rate after a warm-up (`WarmupConfig` of `burn-tricks-schedule`); the best rate is
/// higher than with a falling schedule. The statistics of batch norms are those of `y`: recalibrate them
/// (`RecalibrationConfig`) for `x`. With β = 0 the steps are those of the inner optimizer.
///
/// Put all other wrappers inside, so that they act on `z`, and let nothing else change the weights of the model. A
/// [`Lookahead`](crate::Lookahead), a decoupled decay, a trust ratio, cautious steps or a second schedule-free wrapper
/// around it, or a constraint such as `MaxNorm` after the step, would move `y` and leave `z` where it is. Since
/// `x = (y − (1 − β) z) / β`, they would change the average at the beginning of the next step by 1/β of the change of the
/// weights, and a separate `ScheduleFreeAverage` would no longer be that average. So these wrappers are refused around it; it
/// is recognised by its type, so not inside a type of your own. For decay there is
/// [`weight_decay`](ScheduleFreeConfig::weight_decay).
///
/// # Cost
///
/// One tensor of the parameter's size, in `f32` for half precision, and three passes besides the inner step, each of
/// which reads two tensors and writes one: 36 bytes per `f32` weight, where a step of Adam moves 28. Weight decay takes
/// one pass more. With `skip_marked`, on other backends than the CPU's, a step takes about seven more operations on
/// each tensor and a dozen on single numbers, and making a record reads three numbers of each parameter from the
/// device. In a loop there is no further cost, since the weights to evaluate are made of the state; the separate
/// average takes another copy of the weights and another pass. Since the inner optimizer has no momentum, the memory is
/// as large as with momentum, or as with momentum and an average.
///
/// # Differences
///
/// - In the authors' code, the optimizer must be switched to `x` before each validation and back afterwards; a
///   program that forgets this validates or saves the wrong weights. Here `x` is a model of its own.
/// - Their warm-up is part of the optimizer; here it is a schedule, and the weights in the average follow it in
///   the same way.
/// - The weight decay λ uses `y`, as in their code. It is subtracted from the rounded `z`: in `f32` a decay of η λ below 3e-8
///   is lost.
/// - β may change during a run, in a [`Scheduled`](crate::Scheduled) or when a run is resumed: `x` and `z` stay, and `y` is
///   made with the new β from then on, also if the device skips that step. After a step with β = 0, whose `y` is `z`, the
///   average begins anew at `z`. A separate average has one β: with a β that changes use
///   [`evaluation_model`](Self::evaluation_model).
/// - Every parameter counts its own steps, and records `lr_max`, `weight_sum`, `taken` and `beta`.
/// - With `skip_marked`, on a device without `f64`, `weight_sum` is a sum in `f32`, whose rounding errors grow with the number
///   of steps: at a rate of 1e-3 and p = 2 it is about 5 % off after a million steps, and with it the share `c` of a step.
/// - A step that is skipped by `skip_marked` changes neither weights nor these numbers, and
///   [`evaluation_model`](Self::evaluation_model) makes the same weights as before it. There is one exception: after a first
///   step of which only the device knows that it was skipped, `x` is made of a `z` that equals `y`, and may differ from the
///   weights of the model by a rounding. A separate average does not know of the skip and takes the weights once more; from
///   then on it is not exactly the `x` of the optimizer. With a `StepGuard` of `burn-tricks-grad` both leave the step out.
///
/// # Suggested values
///
/// SGD: β = 0.9, η of 10 to 50 times that of SGD with a schedule. AdamW: β = 0.9 (0.95 to 0.98 for long runs), η of 1 to
/// 10 times AdamW's, β₂ = 0.999, a warm-up of 5 % (the authors).
///
/// # References
///
/// - Defazio et al., *The road less scheduled*, 2024, <https://arxiv.org/abs/2405.15682>
/// - `schedulefree` 1.4.1
#[derive(Config, Debug)]
pub struct ScheduleFreeConfig {
    /// β in `[0, 1)`: the share of the average in `y`, where the gradient is taken. Default: 0.9.
    #[config(default = 0.9)]
    pub beta: f64,
    /// r ≥ 0: in the average, a step is weighted by the power r of its number. Default: 0.
    #[config(default = 0.0)]
    pub step_power: f64,
    /// p ≥ 0: in the average, a step is weighted by the power p of the largest learning rate so far. Default: 2.
    #[config(default = 2.0)]
    pub rate_power: f64,
    /// λ ≥ 0, the weight decay per unit of learning rate. Default: 0.
    #[config(default = 0.0)]
    pub weight_decay: f64,
    /// Which weights decay. Default: [`WeightDecayScope::Every`].
    #[config(default = "WeightDecayScope::Every")]
    pub weight_decay_scope: WeightDecayScope,
    /// Whether a gradient that is marked as non-finite skips the step. Set it if it is set in the inner
    /// optimizer: see [`skipped_steps`]. Default: no.
    #[config(default = false)]
    pub skip_marked: bool,
}

impl ScheduleFreeConfig {
    /// The schedule-free form of `inner`, for other wrappers and `ModuleOptimizer::with_group`.
    ///
    /// # Errors
    ///
    /// If β lies outside `[0, 1)`, another number is negative or not finite, or `inner` is schedule-free or has master
    /// weights: see [Order](Self#order).
    pub fn build<O: Optimizer>(&self, inner: O) -> Result<ScheduleFree<O>, ConfigError> {
        wrapper_order::check::<O>(wrapper_order::SCHEDULE_FREE)?;
        let wrap = ScheduleFreeWrap {
            beta: ConfigError::decay_rate("beta", self.beta)?,
            step_power: ConfigError::non_negative("step_power", self.step_power)?,
            rate_power: ConfigError::non_negative("rate_power", self.rate_power)?,
            weight_decay: ConfigError::non_negative("weight_decay", self.weight_decay)?,
            scope: self.weight_decay_scope,
            skip_marked: self.skip_marked,
        };
        Ok(Wrapper::new(wrap, inner))
    }

    /// The optimizer of a whole module.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build).
    pub fn init<O: Optimizer>(&self, inner: O) -> Result<ModuleOptimizer, ConfigError> {
        Ok(ModuleOptimizer::from(self.build(inner)?))
    }
}

/// An optimizer whose gradients are taken between its weights and their average. Made by
/// [`ScheduleFreeConfig::build`] and [`OptimizerExt::schedule_free`](crate::OptimizerExt::schedule_free). A
/// record holds the inner optimizer's weights as `z`.
pub type ScheduleFree<O> = Wrapper<ScheduleFreeWrap, O>;

/// The [`Wrap`] of [`ScheduleFree`].
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleFreeWrap {
    beta: f64,
    step_power: f64,
    rate_power: f64,
    weight_decay: f64,
    scope: WeightDecayScope,
    skip_marked: bool,
}

const Z: StateField = StateField::optional("z");
/// The β that the weights y were made with.
pub(crate) const BETA: &str = "beta";
/// By which a record shows that an optimizer is schedule-free.
pub(crate) const NUMBERS: [&str; 3] = ["lr_max", "weight_sum", "taken"];

impl ScheduleFreeWrap {
    /// `c`, after a step with learning rate `lr`. If only the device knows whether the step is skipped, only the device
    /// knows the numbers from then on.
    fn share(&self, lr: f64, skip: &Skip, numbers: &mut [Number], device: &Device) -> Number {
        match (skip, numbers) {
            (
                Skip::Known(_),
                [
                    Number::Known(lr_max),
                    Number::Known(sum),
                    Number::Known(taken),
                ],
            ) => {
                *taken += 1.0;
                *lr_max = lr_max.max(lr);
                let weight = taken.powf(self.step_power) * lr_max.powf(self.rate_power);
                *sum += weight;
                Number::Known(if *sum > 0.0 { weight / *sum } else { 0.0 })
            }
            (skip, [lr_max, sum, taken]) => {
                let old = [lr_max, sum, taken].map(|number| (number.on_device(device), number));
                let [(lr_max, _), (sum, _), (taken, _)] = &old;
                let taken = taken.clone() + 1.0;
                let lr_max = lr_max.clone().clamp_min(lr);
                let weight = power(&taken, self.step_power) * power(&lr_max, self.rate_power);
                let sum = sum.clone() + weight.clone();
                let share =
                    (weight / sum.clone()).mask_fill(sum.clone().lower_equal_elem(0.0), 0.0);
                for ((old, number), new) in old.into_iter().zip([lr_max, sum, taken]) {
                    *number = Number::OnDevice(skip.choose(old, new));
                }
                Number::OnDevice(share)
            }
            _ => unreachable!("a wrapper has as many numbers as it names"),
        }
    }

    fn decayed<const D: usize>(&self, z: Tensor<D>, y: Tensor<D>, lr: f64) -> Tensor<D> {
        if self.weight_decay == 0.0 || !self.scope.includes(D) {
            return z;
        }
        blend(z, 1.0, y, -lr * self.weight_decay)
    }
}

/// `xᵖ`, where possible without a power, which some devices do not have in `f64`.
fn power(x: &Tensor<1>, exponent: f64) -> Tensor<1> {
    match exponent {
        0.0 => x.ones_like(),
        1.0 => x.clone(),
        2.0 => x.clone().square(),
        exponent => {
            let narrow = x.clone().cast(FloatDType::F32);
            narrow.powf_scalar(exponent).cast(x.dtype())
        }
    }
}

impl Wrap for ScheduleFreeWrap {
    const STATE: &'static [StateField] = &[Z];
    const SCALARS: &'static [&'static str] = &[BETA];
    const NUMBERS: &'static [&'static str] = &NUMBERS;

    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let skip = skipped_steps::look(self.skip_marked, &grad);
        let old_z = step.take(Z, &weight);
        if let Skip::Known(true) = skip {
            if let Some(z) = old_z {
                step.put(Z, z);
            }
            return weight;
        }
        let old_beta = std::mem::replace(&mut step.scalars()[0], self.beta);
        let (dtype, wide) = (weight.dtype(), accumulation_dtype(weight.dtype()));
        let y = weight.clone().cast(wide);
        let z = old_z.unwrap_or_else(|| y.clone());
        let lr = step.lr;
        let moved = step.inner(z.clone(), grad.cast(wide));
        let moved = skip.choose(z.clone(), self.decayed(moved, y.clone(), lr));
        // As the present β makes it of the same x and z: y − z = β (x − z). If the old β was 0, y is z.
        let (y, weight) = if old_beta == self.beta || old_beta == 0.0 {
            (y, weight)
        } else {
            let ratio = self.beta / old_beta;
            let y = blend(y, ratio, z.clone(), 1.0 - ratio);
            (y.clone(), y.cast(dtype))
        };
        let share = self.share(lr, &skip, step.numbers(), &weight.device());
        if self.beta == 0.0 {
            step.put(Z, moved.clone());
            return moved.cast(dtype);
        }
        // y' = β x' + (1 − β) z', with x = (y − (1 − β) z) / β put in.
        let way = blend(moved.clone(), 1.0, z.clone(), -1.0);
        let next = match share {
            Number::Known(share) => {
                let kept = self.beta * (1.0 - share);
                blend(lerp(y, z, share), 1.0, way, 1.0 - kept)
            }
            // (1 − c) y + c z + (1 − β + β c) way
            share => {
                let rest = z - y.clone() + way.clone() * self.beta;
                y + way * (1.0 - self.beta) + share.times(rest.into()).into_tensor()
            }
        };
        step.put(Z, moved);
        skip.choose(weight, next.cast(dtype))
    }
}
