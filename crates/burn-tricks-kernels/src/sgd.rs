//! Stochastic gradient descent, plain and with two kinds of momentum.

use crate::any_tensor::AnyTensor;
use crate::real::Real;
use crate::step::{Step, TimedStep};
use crate::step_count::StepCount;
use crate::weight_decay_term::WeightDecayTerm;

/// Plain SGD.
///
/// ```text
/// w ← w − η g
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// η
    pub lr: f64,
    /// Weight decay.
    pub decay: WeightDecayTerm,
}

impl Step<0> for SgdStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, _state: [T; 0]) -> (T, [T; 0]) {
        let grad = self.decay.of_grad(grad, weight);
        let update = self.decay.of_update(grad * self.lr, weight, grad);
        (weight - update, [])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        _state: [AnyTensor; 0],
    ) -> (AnyTensor, [AnyTensor; 0]) {
        let grad = self.decay.of_grads(grad, &weight);
        let update = grad.clone() * self.lr;
        let update = self.decay.of_updates(update, &weight, &grad);
        (weight - update, [])
    }
}

/// SGD with a running sum of gradients, as in PyTorch and Burn. State: `v`.
///
/// ```text
/// v ← g at the first step, then μ v + (1 − τ) g
/// w ← w − η v            or, with Nesterov's look ahead, w − η (g + μ v)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MomentumStep {
    /// η
    pub lr: f64,
    /// μ
    pub momentum: f64,
    /// τ
    pub dampening: f64,
    /// Whether to use Nesterov's look-ahead.
    pub nesterov: bool,
    /// Whether this is the first step, which is not dampened.
    pub first: bool,
    /// Weight decay.
    pub decay: WeightDecayTerm,
}

impl MomentumStep {
    /// The shares of the old sum and of the gradient in the new sum.
    #[inline(always)]
    fn shares(self) -> (f64, f64) {
        if self.first {
            (0.0, 1.0)
        } else {
            (self.momentum, 1.0 - self.dampening)
        }
    }
}

impl Step<1> for MomentumStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [velocity]: [T; 1]) -> (T, [T; 1]) {
        let (old, new) = self.shares();
        let grad = self.decay.of_grad(grad, weight);
        let velocity = grad * new + velocity * old;
        let update = if self.nesterov {
            velocity * self.momentum + grad
        } else {
            velocity
        };
        let update = self.decay.of_update(update * self.lr, weight, velocity);
        (weight - update, [velocity])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [velocity]: [AnyTensor; 1],
    ) -> (AnyTensor, [AnyTensor; 1]) {
        let (old, new) = self.shares();
        let grad = self.decay.of_grads(grad, &weight);
        let velocity = grad.clone() * new + velocity * old;
        let update = if self.nesterov {
            velocity.clone() * self.momentum + grad
        } else {
            velocity.clone()
        };
        let update = update * self.lr;
        let update = self.decay.of_updates(update, &weight, &velocity);
        (weight - update, [velocity])
    }
}

/// [`MomentumStep`] for a run that may have skipped its first steps: `first` follows from the number of steps
/// taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedMomentum(pub MomentumStep);

impl TimedStep<1> for TimedMomentum {
    type At = MomentumStep;

    fn at(self, time: u64) -> MomentumStep {
        MomentumStep {
            first: time <= 1,
            ..self.0
        }
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        state: [AnyTensor; 1],
    ) -> (AnyTensor, [AnyTensor; 1]) {
        let first = self.at(1).twin(weight.clone(), grad.clone(), state.clone());
        let later = self.at(2).twin(weight, grad, state);
        let ([v_1], [v]) = (first.1, later.1);
        let is_first = time.is_first();
        (
            is_first.choose_any(first.0, later.0),
            [is_first.choose_any(v_1, v)],
        )
    }
}

/// SGD with a running sum of *updates*, as in Keras. State: `v`.
///
/// ```text
/// v ← γ v − η g
/// w ← w + v
/// ```
///
/// At a constant η it equals [`MomentumStep`] without dampening. When η changes, the updates in `v` keep the
/// learning rates of their own steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateMomentumStep {
    /// η
    pub lr: f64,
    /// γ
    pub momentum: f64,
    /// Whether to look ahead: `w ← w + γ v − η g`, Keras's Nesterov.
    pub nesterov: bool,
    /// Weight decay.
    pub decay: WeightDecayTerm,
}

impl Step<1> for UpdateMomentumStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [update]: [T; 1]) -> (T, [T; 1]) {
        let grad = self.decay.of_grad(grad, weight) * self.lr;
        let update = update * self.momentum - grad;
        let step = if self.nesterov {
            update * self.momentum - grad
        } else {
            update
        };
        let step = self.decay.of_update(-step, weight, -update);
        (weight - step, [update])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [update]: [AnyTensor; 1],
    ) -> (AnyTensor, [AnyTensor; 1]) {
        let grad = self.decay.of_grads(grad, &weight) * self.lr;
        let update = update * self.momentum - grad.clone();
        let step = if self.nesterov {
            update.clone() * self.momentum - grad
        } else {
            update.clone()
        };
        let weight = match self.decay {
            WeightDecayTerm::None | WeightDecayTerm::Coupled(_) => weight + step,
            decay => {
                let step = decay.of_updates(-step, &weight, &-update.clone());
                weight - step
            }
        };
        (weight, [update])
    }
}
