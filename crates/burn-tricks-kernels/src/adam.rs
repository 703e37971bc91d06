//! Adam and AdamW, with and without AMSGrad.

use crate::{Decay, Real, Step};
use burn::tensor::Tensor;

/// Adam. State: `m`, `v`.
///
/// ```text
/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// w ← w − η m̂ / (√v̂ + ε)           m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
/// ```
///
/// With `c₂ = √(1 − β₂ᵗ)` the last line is `w − (η c₂ / (1 − β₁ᵗ)) · m / (√v + ε c₂)`, where the
/// corrections are two numbers per step instead of two divisions per weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    beta_1: f64,
    beta_2: f64,
    /// η c₂ / (1 − β₁ᵗ)
    rate: f64,
    /// ε c₂
    epsilon: f64,
    decay: Decay,
}

impl AdamStep {
    /// The numbers of step `time`, which counts from 1.
    pub fn new(
        lr: f64,
        (beta_1, beta_2): (f64, f64),
        epsilon: f64,
        decay: Decay,
        time: u64,
    ) -> Self {
        let time = time as f64;
        let root = (1.0 - beta_2.powf(time)).sqrt();
        Self {
            beta_1,
            beta_2,
            rate: lr * root / (1.0 - beta_1.powf(time)),
            epsilon: epsilon * root,
            decay,
        }
    }

    /// `m` and `v`.
    #[inline(always)]
    fn moments<T: Real>(self, grad: T, m: T, v: T) -> (T, T) {
        (
            m * self.beta_1 + grad * (1.0 - self.beta_1),
            v * self.beta_2 + grad * grad * (1.0 - self.beta_2),
        )
    }

    #[inline(always)]
    fn weight<T: Real>(self, weight: T, m: T, v: T) -> T {
        let update = m * self.rate / (v.sqrt() + self.epsilon);
        self.decay.of_weight(weight, m) - update
    }

    fn moments_twin<const D: usize>(
        self,
        grad: Tensor<D>,
        m: Tensor<D>,
        v: Tensor<D>,
    ) -> (Tensor<D>, Tensor<D>) {
        (
            m * self.beta_1 + grad.clone() * (1.0 - self.beta_1),
            v * self.beta_2 + grad.square() * (1.0 - self.beta_2),
        )
    }

    fn weight_twin<const D: usize>(
        self,
        weight: Tensor<D>,
        m: &Tensor<D>,
        v: Tensor<D>,
    ) -> Tensor<D> {
        let update = m.clone() * self.rate / (v.sqrt() + self.epsilon);
        self.decay.of_weights(weight, m) - update
    }
}

impl Step<2> for AdamStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [m, v]: [T; 2]) -> (T, [T; 2]) {
        let grad = self.decay.of_grad(grad, weight);
        let (m, v) = self.moments(grad, m, v);
        (self.weight(weight, m, v), [m, v])
    }

    fn twin<const D: usize>(
        self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        [m, v]: [Tensor<D>; 2],
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
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

    fn twin<const D: usize>(
        self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        [m, v, max]: [Tensor<D>; 3],
    ) -> (Tensor<D>, [Tensor<D>; 3]) {
        let grad = self.0.decay.of_grads(grad, &weight);
        let (m, v) = self.0.moments_twin(grad, m, v);
        let max = max.max_pair(v.clone());
        (self.0.weight_twin(weight, &m, max.clone()), [m, v, max])
    }
}
