//! AdaBelief: Adam that divides by the gradient's deviation from its mean.

use crate::adam::{AdamStep, TimedAdam, new_weight};
use crate::any_tensor::AnyTensor;
use crate::lerp::{towards, towards_twin};
use crate::r_adam::{RAdamStep, TimedRAdam};
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
///
/// Rectified, the weight is that of [`RAdamStep`], with `s` for its `v` and ε added to `√s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaBeliefStep {
    adam: AdamStep,
    betas: (f64, f64),
    /// ε', added to `s` at each step.
    epsilon_inside: f64,
    rectified: Option<RAdamStep>,
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
        let weight = match self.rectified {
            None => self.adam.weight(weight, m, s),
            Some(step) => step.weight(weight, m, s),
        };
        (weight, [m, s])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [m, s]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let grad = self.adam.decay.of_grads(grad, &weight);
        let (m, s) = self.moments_twin(grad, m, s);
        let weight = match self.rectified {
            None => self.adam.weight_twin(weight, &m, s.clone()),
            Some(step) => step.weight_twin(weight, &m, s.clone()),
        };
        (weight, [m, s])
    }
}

/// [`AdaBeliefStep`] at any time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedAdaBelief {
    /// η, β₁, β₂, ε and the decay.
    pub adam: TimedAdam,
    /// ε', added to `s` at each step.
    pub epsilon_inside: f64,
    /// Whether the first steps are those of RAdam.
    pub rectify: bool,
}

impl TimedAdaBelief {
    fn rectified(self) -> TimedRAdam {
        TimedRAdam {
            adam: self.adam,
            epsilon_beside_corrected: false,
        }
    }
}

impl TimedStep<2> for TimedAdaBelief {
    type At = AdaBeliefStep;

    fn at(self, time: u64) -> AdaBeliefStep {
        AdaBeliefStep {
            adam: self.adam.at(time),
            betas: self.adam.betas,
            epsilon_inside: self.epsilon_inside,
            rectified: self.rectify.then(|| self.rectified().at(time)),
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
        let weight = if self.rectify {
            self.rectified().weight_twin_at(time, weight, &m, s.clone())
        } else {
            new_weight(weight, &m, s.clone(), &adam.numbers(time), adam.decay)
        };
        (weight, [m, s])
    }
}
