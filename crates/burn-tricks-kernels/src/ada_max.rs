//! Adamax: Adam that divides by the largest recent gradient instead of the root mean square.

use crate::any_tensor::AnyTensor;
use crate::lerp::{towards, towards_twin};
use crate::real::Real;
use crate::step::{Step, TimedStep};
use crate::step_count::{StepCount, bias_correction};
use crate::weight_decay_term::WeightDecayTerm;

/// Adamax. State: `m`, `u`.
///
/// ```text
/// m ← β₁ m + (1 − β₁) g
/// u ← max(β₂ u, |g| + ε)             or  max(β₂ u, |g|)
/// w ← w − η / (1 − β₁ᵗ) m / u        or  … m / (u + ε)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamaxStep {
    /// η / (1 − β₁ᵗ)
    pub rate: f64,
    /// β₁ and β₂
    pub betas: (f64, f64),
    /// ε in the maximum.
    pub epsilon_inside: f64,
    /// ε added to the maximum.
    pub epsilon_outside: f64,
    /// Weight decay.
    pub decay: WeightDecayTerm,
}

impl AdamaxStep {
    fn moments_twin(self, grad: AnyTensor, m: AnyTensor, u: AnyTensor) -> (AnyTensor, AnyTensor) {
        let size = grad.clone().abs() + self.epsilon_inside;
        let m = towards_twin(m, grad, 1.0 - self.betas.0);
        (m, size.max_pair(u * self.betas.1))
    }
}

impl Step<2> for AdamaxStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [m, u]: [T; 2]) -> (T, [T; 2]) {
        let grad = self.decay.of_grad(grad, weight);
        let m = towards(m, grad, 1.0 - self.betas.0);
        let u = (grad.abs() + self.epsilon_inside).max(u * self.betas.1);
        let update = m * self.rate / (u + self.epsilon_outside);
        let update = self.decay.of_update(update, weight, m);
        (weight - update, [m, u])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, u]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let grad = self.decay.of_grads(grad, &weight);
        let (m, u) = self.moments_twin(grad, m, u);
        let update = m.clone() * self.rate / (u.clone() + self.epsilon_outside);
        let update = self.decay.of_updates(update, &weight, &m);
        (weight - update, [m, u])
    }
}

/// [`AdamaxStep`] for any number of steps taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedAdamax {
    /// The step, with η as its learning rate.
    pub step: AdamaxStep,
}

impl TimedStep<2> for TimedAdamax {
    type At = AdamaxStep;

    fn at(self, time: u64) -> AdamaxStep {
        let step = self.step;
        AdamaxStep {
            rate: step.rate / bias_correction(step.betas.0, time),
            ..step
        }
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, u]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let step = self.step;
        let grad = step.decay.of_grads(grad, &weight);
        let (m, u) = step.moments_twin(grad, m, u);
        let update = m.clone() * step.rate / (u.clone() + step.epsilon_outside);
        let update = time.bias_correction(step.betas.0).under(update);
        let update = step.decay.of_updates(update, &weight, &m);
        (weight - update, [m, u])
    }
}
