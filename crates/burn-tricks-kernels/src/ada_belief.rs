//! AdaBelief: Adam that divides by the gradient's deviation from its mean.

use crate::adam::{AdamStep, TimedAdam, new_weight};
use crate::any_tensor::AnyTensor;
use crate::lerp::{towards, towards_twin};
use crate::real::Real;
use crate::step::{Step, TimedStep};
use crate::step_count::StepCount;

/// AdaBelief. State: `m`, `s`.
///
/// ```text
/// m ← β₁ m + (1 − β₁) g
/// s ← β₂ s + (1 − β₂) (g − m)² + ε'
/// w ← w − η m̂ / (√ŝ + ε)           m̂ = m / (1 − β₁ᵗ),  ŝ = s / (1 − β₂ᵗ)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaBeliefStep {
    adam: AdamStep,
    betas: (f64, f64),
    /// ε', added to `s` at each step.
    epsilon_inside: f64,
}

impl AdaBeliefStep {
    fn moments_twin(self, grad: AnyTensor, m: AnyTensor, s: AnyTensor) -> (AnyTensor, AnyTensor) {
        let m = towards_twin(m, grad.clone(), 1.0 - self.betas.0);
        let surprise = (grad - m.clone()).square();
        let s = towards_twin(s, surprise, 1.0 - self.betas.1) + self.epsilon_inside;
        (m, s)
    }
}

impl Step<2> for AdaBeliefStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [m, s]: [T; 2]) -> (T, [T; 2]) {
        let grad = self.adam.decay.of_grad(grad, weight);
        let m = towards(m, grad, 1.0 - self.betas.0);
        let surprise = grad - m;
        let s = towards(s, surprise * surprise, 1.0 - self.betas.1) + self.epsilon_inside;
        (self.adam.weight(weight, m, s), [m, s])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, s]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let grad = self.adam.decay.of_grads(grad, &weight);
        let (m, s) = self.moments_twin(grad, m, s);
        (self.adam.weight_twin(weight, &m, s.clone()), [m, s])
    }
}

/// [`AdaBeliefStep`] at any time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedAdaBelief {
    /// η, β₁, β₂, ε and the decay.
    pub adam: TimedAdam,
    /// ε', added to `s` at each step.
    pub epsilon_inside: f64,
}

impl TimedStep<2> for TimedAdaBelief {
    type At = AdaBeliefStep;

    fn at(self, time: u64) -> AdaBeliefStep {
        AdaBeliefStep {
            adam: self.adam.at(time),
            betas: self.adam.betas,
            epsilon_inside: self.epsilon_inside,
        }
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, s]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let adam = self.adam;
        let grad = adam.decay.of_grads(grad, &weight);
        let (m, s) = self.at(1).moments_twin(grad, m, s);
        let weight = new_weight(weight, &m, s.clone(), &adam.numbers(time), adam.decay);
        (weight, [m, s])
    }
}
