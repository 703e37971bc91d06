//! AdaDelta.

use crate::any_tensor::AnyTensor;
use crate::lerp::{towards, towards_twin};
use crate::real::Real;
use crate::step::Step;
use crate::weight_decay_term::WeightDecayTerm;

/// AdaDelta. State: `s`, `a`.
///
/// ```text
/// s ← ρ s + (1 − ρ) g²
/// d ← √(a + ε) / √(s + ε) g
/// a ← ρ a + (1 − ρ) d²
/// w ← w − η d
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaDeltaStep {
    /// η
    pub lr: f64,
    /// ρ
    pub rho: f64,
    /// ε
    pub epsilon: f64,
    /// Weight decay.
    pub decay: WeightDecayTerm,
}

impl Step<2> for AdaDeltaStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [s, a]: [T; 2]) -> (T, [T; 2]) {
        let grad = self.decay.of_grad(grad, weight);
        let s = towards(s, grad * grad, 1.0 - self.rho);
        let delta = (a + self.epsilon).sqrt() / (s + self.epsilon).sqrt() * grad;
        let a = towards(a, delta * delta, 1.0 - self.rho);
        let update = self.decay.of_update(delta * self.lr, weight, delta);
        (weight - update, [s, a])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [s, a]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let grad = self.decay.of_grads(grad, &weight);
        let s = towards_twin(s, grad.clone().square(), 1.0 - self.rho);
        let delta = (a.clone() + self.epsilon).sqrt() / (s.clone() + self.epsilon).sqrt() * grad;
        let a = towards_twin(a, delta.clone().square(), 1.0 - self.rho);
        let update = delta.clone() * self.lr;
        let update = self.decay.of_updates(update, &weight, &delta);
        (weight - update, [s, a])
    }
}
