//! RMSProp: plain, centred, with momentum, or both.

use crate::any_tensor::AnyTensor;
use crate::lerp::{towards, towards_twin};
use crate::real::Real;
use crate::step::Step;
use crate::weight_decay_term::WeightDecayTerm;

/// RMSProp. State: `v`, then `ḡ` if centred, then `b` with momentum; the const parameters say which.
///
/// ```text
/// v ← α v + (1 − α) g²
/// ḡ ← α ḡ + (1 − α) g              if centred
/// u ← g / (√(v − ḡ²) + ε)          ḡ = 0 if not centred
/// b ← μ b + u                      with momentum, and b instead of u below
/// w ← w − η u
/// ```
///
/// If the gradient hardly changes, rounding can make `v − ḡ²` negative. It then counts as 0, and the step is
/// `η g/ε`, so that a centred step needs an ε that is not too small; in PyTorch and Burn the result is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsPropStep<const CENTERED: bool, const MOMENTUM: bool> {
    /// η
    pub lr: f64,
    /// α
    pub alpha: f64,
    /// ε
    pub epsilon: f64,
    /// μ
    pub momentum: f64,
    /// Weight decay.
    pub decay: WeightDecayTerm,
}

impl<const CENTERED: bool, const MOMENTUM: bool> RmsPropStep<CENTERED, MOMENTUM> {
    /// `α old + (1 − α) new`
    #[inline(always)]
    fn mean<T: Real>(self, old: T, new: T) -> T {
        towards(old, new, 1.0 - self.alpha)
    }

    #[inline(always)]
    fn update<T: Real>(self, grad: T, variance: T) -> T {
        grad / (variance.sqrt() + self.epsilon)
    }

    #[inline(always)]
    fn weight<T: Real>(self, weight: T, grad: T, update: T) -> T {
        weight - self.decay.of_update(update * self.lr, weight, grad)
    }

    fn means(self, old: AnyTensor, new: AnyTensor) -> AnyTensor {
        towards_twin(old, new, 1.0 - self.alpha)
    }

    fn updates(self, grad: AnyTensor, variance: AnyTensor) -> AnyTensor {
        grad / (variance.sqrt() + self.epsilon)
    }

    fn weights(self, weight: AnyTensor, grad: &AnyTensor, update: AnyTensor) -> AnyTensor {
        let update = self.decay.of_updates(update * self.lr, &weight, grad);
        weight - update
    }
}

/// `v − ḡ²`, and 0 where rounding makes it negative.
#[inline(always)]
fn variance<T: Real>(v: T, mean: T) -> T {
    let variance = v - mean * mean;
    variance.if_negative(variance.of(0.0), variance)
}

fn variances(v: &AnyTensor, mean: &AnyTensor) -> AnyTensor {
    let variance = v.clone() - mean.clone().square();
    let negative = variance.clone().lower_elem(0.0);
    variance.mask_fill(negative, 0.0)
}

impl Step<1> for RmsPropStep<false, false> {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [v]: [T; 1]) -> (T, [T; 1]) {
        let grad = self.decay.of_grad(grad, weight);
        let v = self.mean(v, grad * grad);
        let update = self.update(grad, v);
        (self.weight(weight, grad, update), [v])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [v]: [AnyTensor; 1],
    ) -> (AnyTensor, [AnyTensor; 1]) {
        let grad = self.decay.of_grads(grad, &weight);
        let v = self.means(v, grad.clone().square());
        let update = self.updates(grad.clone(), v.clone());
        (self.weights(weight, &grad, update), [v])
    }
}

impl Step<2> for RmsPropStep<false, true> {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [v, last]: [T; 2]) -> (T, [T; 2]) {
        let grad = self.decay.of_grad(grad, weight);
        let v = self.mean(v, grad * grad);
        let update = last * self.momentum + self.update(grad, v);
        (self.weight(weight, grad, update), [v, update])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [v, last]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let grad = self.decay.of_grads(grad, &weight);
        let v = self.means(v, grad.clone().square());
        let update = last * self.momentum + self.updates(grad.clone(), v.clone());
        (self.weights(weight, &grad, update.clone()), [v, update])
    }
}

impl Step<2> for RmsPropStep<true, false> {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [v, mean]: [T; 2]) -> (T, [T; 2]) {
        let grad = self.decay.of_grad(grad, weight);
        let v = self.mean(v, grad * grad);
        let mean = self.mean(mean, grad);
        let update = self.update(grad, variance(v, mean));
        (self.weight(weight, grad, update), [v, mean])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [v, mean]: [AnyTensor; 2],
    ) -> (AnyTensor, [AnyTensor; 2]) {
        let grad = self.decay.of_grads(grad, &weight);
        let v = self.means(v, grad.clone().square());
        let mean = self.means(mean, grad.clone());
        let update = self.updates(grad.clone(), variances(&v, &mean));
        (self.weights(weight, &grad, update), [v, mean])
    }
}

impl Step<3> for RmsPropStep<true, true> {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [v, mean, last]: [T; 3]) -> (T, [T; 3]) {
        let grad = self.decay.of_grad(grad, weight);
        let v = self.mean(v, grad * grad);
        let mean = self.mean(mean, grad);
        let update = last * self.momentum + self.update(grad, variance(v, mean));
        (self.weight(weight, grad, update), [v, mean, update])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [v, mean, last]: [AnyTensor; 3],
    ) -> (AnyTensor, [AnyTensor; 3]) {
        let grad = self.decay.of_grads(grad, &weight);
        let v = self.means(v, grad.clone().square());
        let mean = self.means(mean, grad.clone());
        let update = last * self.momentum + self.updates(grad.clone(), variances(&v, &mean));
        (
            self.weights(weight, &grad, update.clone()),
            [v, mean, update],
        )
    }
}
