//! Adam and AdamW, with and without AMSGrad.

use crate::any_tensor::AnyTensor;
use crate::lerp::{towards, towards_twin};
use crate::number::Number;
use crate::real::Real;
use crate::step::{Step, TimedStep};
use crate::step_count::{StepCount, bias_correction};
use crate::weight_decay_term::WeightDecayTerm;

/// Adam. State: `m`, `v`.
///
/// ```text
/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// w ← w − η m̂ / (√v̂ + ε)           m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
/// ```
///
/// With `c₂ = √(1 − β₂ᵗ)` the last line equals `w − (η c₂ / (1 − β₁ᵗ)) · m / (√v + ε c₂)`, which needs two
/// numbers per step for the bias correction instead of two divisions per weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    beta_1: f64,
    beta_2: f64,
    /// η c₂ / (1 − β₁ᵗ)
    rate: f64,
    /// ε c₂
    epsilon: f64,
    pub(crate) decay: WeightDecayTerm,
}

impl AdamStep {
    /// The numbers of step `time`, which counts from 1.
    pub fn new(
        lr: f64,
        (beta_1, beta_2): (f64, f64),
        epsilon: f64,
        decay: WeightDecayTerm,
        time: u64,
    ) -> Self {
        let root = bias_correction(beta_2, time).sqrt();
        Self {
            beta_1,
            beta_2,
            rate: lr * root / bias_correction(beta_1, time),
            epsilon: epsilon * root,
            decay,
        }
    }

    /// The same step, with this ε added to `√v` instead of `√v̂`: Kingma and Ba's "ε̂", and Keras's ε.
    pub fn with_plain_epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// `m` and `v`.
    #[inline(always)]
    pub(crate) fn moments<T: Real>(self, grad: T, m: T, v: T) -> (T, T) {
        (
            towards(m, grad, 1.0 - self.beta_1),
            towards(v, grad * grad, 1.0 - self.beta_2),
        )
    }

    #[inline(always)]
    pub(crate) fn weight<T: Real>(self, weight: T, m: T, v: T) -> T {
        let update = m * self.rate / (v.sqrt() + self.epsilon);
        weight - self.decay.of_update(update, weight, m)
    }

    pub(crate) fn moments_twin(
        self,
        grad: AnyTensor,
        m: AnyTensor,
        v: AnyTensor,
    ) -> (AnyTensor, AnyTensor) {
        (
            towards_twin(m, grad.clone(), 1.0 - self.beta_1),
            towards_twin(v, grad.square(), 1.0 - self.beta_2),
        )
    }

    pub(crate) fn weight_twin(self, weight: AnyTensor, m: &AnyTensor, v: AnyTensor) -> AnyTensor {
        let numbers = (Number::Known(self.rate), Number::Known(self.epsilon));
        new_weight(weight, m, v, &numbers, self.decay)
    }
}

impl Step<2> for AdamStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let grad = self.decay.of_grad(grad, weight);
        let (m, v) = self.moments(grad, m, v);
        (self.weight(weight, m, v), [m, v])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, v]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let grad = self.decay.of_grads(grad, &weight);
        let (m, v) = self.moments_twin(grad, m, v);
        (self.weight_twin(weight, &m, v.clone()), [m, v])
    }
}

/// AMSGrad: Adam that divides by the largest `v` so far. State: `m`, `v`, `max v`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AmsGradStep(pub AdamStep);

impl Step<3> for AmsGradStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [m, v, max]: [T; 3]) -> (T, [T; 3]) {
        let grad = self.0.decay.of_grad(grad, weight);
        let (m, v) = self.0.moments(grad, m, v);
        let max = max.max(v);
        (self.0.weight(weight, m, max), [m, v, max])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, v, max]: [AnyTensor; 3],
    ) -> (AnyTensor, [AnyTensor; 3]) {
        let grad = self.0.decay.of_grads(grad, &weight);
        let (m, v) = self.0.moments_twin(grad, m, v);
        let max = max.max_pair(v.clone());
        (self.0.weight_twin(weight, &m, max.clone()), [m, v, max])
    }
}

/// AMSGrad as in optax: Adam that divides by the largest *corrected* `v̂` so far. State: `m`, `v`, `max v̂`.
///
/// ```text
/// w ← w − η m̂ / (√max v̂ + ε)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorrectedAmsGradStep {
    /// With the rate `η / (1 − β₁ᵗ)` and ε itself.
    adam: AdamStep,
    /// `1 / (1 − β₂ᵗ)`
    correction: f64,
}

impl CorrectedAmsGradStep {
    /// The numbers of step `time`, which counts from 1.
    pub fn new(
        lr: f64,
        (beta_1, beta_2): (f64, f64),
        epsilon: f64,
        decay: WeightDecayTerm,
        time: u64,
    ) -> Self {
        Self {
            adam: AdamStep {
                beta_1,
                beta_2,
                rate: lr / bias_correction(beta_1, time),
                epsilon,
                decay,
            },
            correction: bias_correction(beta_2, time).recip(),
        }
    }
}

impl Step<3> for CorrectedAmsGradStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [m, v, max]: [T; 3]) -> (T, [T; 3]) {
        let grad = self.adam.decay.of_grad(grad, weight);
        let (m, v) = self.adam.moments(grad, m, v);
        let max = max.max(v * self.correction);
        (self.adam.weight(weight, m, max), [m, v, max])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, v, max]: [AnyTensor; 3],
    ) -> (AnyTensor, [AnyTensor; 3]) {
        let grad = self.adam.decay.of_grads(grad, &weight);
        let (m, v) = self.adam.moments_twin(grad, m, v);
        let max = max.max_pair(v.clone() * self.correction);
        (self.adam.weight_twin(weight, &m, max.clone()), [m, v, max])
    }
}

/// The new weight, with `rate` and `epsilon` as in [`AdamStep`].
pub(crate) fn new_weight(
    weight: AnyTensor,
    m: &AnyTensor,
    v: AnyTensor,
    (rate, epsilon): &(Number, Number),
    decay: WeightDecayTerm,
) -> AnyTensor {
    let update = rate.times(m.clone()) / epsilon.plus(v.sqrt());
    let update = decay.of_updates(update, &weight, m);
    weight - update
}

/// [`AdamStep`] for any number of steps taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedAdam {
    /// η
    pub lr: f64,
    /// β₁ and β₂
    pub betas: (f64, f64),
    /// ε
    pub epsilon: f64,
    /// Whether ε is added to `√v` instead of `√v̂`.
    pub plain_epsilon: bool,
    /// Weight decay.
    pub decay: WeightDecayTerm,
}

impl TimedAdam {
    /// `η c₂ / (1 − β₁ᵗ)` and `ε c₂`.
    pub(crate) fn numbers(self, time: &StepCount) -> (Number, Number) {
        let (beta_1, beta_2) = self.betas;
        match (time.bias_correction(beta_1), time.bias_correction(beta_2)) {
            (Number::OnDevice(c_1), Number::OnDevice(c_2)) => {
                let root = c_2.sqrt();
                let epsilon = if self.plain_epsilon {
                    Number::Known(self.epsilon)
                } else {
                    Number::OnDevice(root.clone() * self.epsilon)
                };
                (Number::OnDevice(root * self.lr / c_1), epsilon)
            }
            _ => {
                let step = self.at(time.read());
                (Number::Known(step.rate), Number::Known(step.epsilon))
            }
        }
    }
}

impl TimedStep<2> for TimedAdam {
    type At = AdamStep;

    fn at(self, time: u64) -> AdamStep {
        let step = AdamStep::new(self.lr, self.betas, self.epsilon, self.decay, time);
        if self.plain_epsilon {
            step.with_plain_epsilon(self.epsilon)
        } else {
            step
        }
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, v]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let grad = self.decay.of_grads(grad, &weight);
        let (m, v) = self.at(1).moments_twin(grad, m, v);
        let weight = new_weight(weight, &m, v.clone(), &self.numbers(time), self.decay);
        (weight, [m, v])
    }
}

/// [`AmsGradStep`] for any number of steps taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedAmsGrad(pub TimedAdam);

impl TimedStep<3> for TimedAmsGrad {
    type At = AmsGradStep;

    fn at(self, time: u64) -> AmsGradStep {
        AmsGradStep(self.0.at(time))
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, v, max]: [AnyTensor; 3],
    ) -> (AnyTensor, [AnyTensor; 3]) {
        let Self(adam) = self;
        let grad = adam.decay.of_grads(grad, &weight);
        let (m, v) = adam.at(1).moments_twin(grad, m, v);
        let max = max.max_pair(v.clone());
        let weight = new_weight(weight, &m, max.clone(), &adam.numbers(time), adam.decay);
        (weight, [m, v, max])
    }
}

/// [`CorrectedAmsGradStep`] for any number of steps taken. `plain_epsilon` has no effect: ε is added to the root of
/// the maximum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedCorrectedAmsGrad(pub TimedAdam);

impl TimedStep<3> for TimedCorrectedAmsGrad {
    type At = CorrectedAmsGradStep;

    fn at(self, time: u64) -> CorrectedAmsGradStep {
        let TimedAdam {
            lr,
            betas,
            epsilon,
            decay,
            ..
        } = self.0;
        CorrectedAmsGradStep::new(lr, betas, epsilon, decay, time)
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, v, max]: [AnyTensor; 3],
    ) -> (AnyTensor, [AnyTensor; 3]) {
        let Self(adam) = self;
        let (beta_1, beta_2) = adam.betas;
        let rate = match time.bias_correction(beta_1) {
            Number::Known(c_1) => Number::Known(adam.lr / c_1),
            Number::OnDevice(c_1) => Number::OnDevice(c_1.recip() * adam.lr),
        };
        let grad = adam.decay.of_grads(grad, &weight);
        let (m, v) = self.at(1).adam.moments_twin(grad, m, v);
        let corrected = time.bias_correction(beta_2).under(v.clone());
        let max = max.max_pair(corrected);
        let numbers = (rate, Number::Known(adam.epsilon));
        let weight = new_weight(weight, &m, max.clone(), &numbers, adam.decay);
        (weight, [m, v, max])
    }
}
