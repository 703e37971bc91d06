//! AdaGrad.

use crate::{Decay, Real, Step};
use burn::tensor::Tensor;

/// AdaGrad. State: `s`.
///
/// ```text
/// s ← s + g²
/// w ← w − η g / (√s + ε)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaGradStep {
    /// η, with PyTorch's `lr_decay` already in it.
    pub lr: f64,
    /// ε
    pub epsilon: f64,
    /// What `s` is before the first step.
    pub initial: f64,
    /// Weight decay.
    pub decay: Decay,
}

impl Step<1> for AdaGradStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [sum]: [T; 1]) -> (T, [T; 1]) {
        let grad = self.decay.of_grad(grad, weight);
        let sum = sum + grad * grad;
        let update = grad / (sum.sqrt() + self.epsilon) * self.lr;
        (self.decay.of_weight(weight, grad) - update, [sum])
    }

    fn twin<const D: usize>(
        self,
        weight: Tensor<D>,
        grad: Tensor<D>,
        [sum]: [Tensor<D>; 1],
    ) -> (Tensor<D>, [Tensor<D>; 1]) {
        let grad = self.decay.of_grads(grad, &weight);
        let weight = self.decay.of_weights(weight, &grad);
        let sum = sum + grad.clone().square();
        let update = grad / (sum.clone().sqrt() + self.epsilon) * self.lr;
        (weight - update, [sum])
    }

    fn initial(self) -> [f64; 1] {
        [self.initial]
    }
}
