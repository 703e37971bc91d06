//! AdaGrad.

use crate::any_tensor::AnyTensor;
use crate::number::Number;
use crate::real::Real;
use crate::step::{Step, TimedStep};
use crate::step_count::StepCount;
use crate::weight_decay_term::WeightDecayTerm;

/// AdaGrad. State: `s`.
///
/// ```text
/// s ← s + g²
/// w ← w − η g / (√(s + ε') + ε)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaGradStep {
    /// η, with PyTorch's `lr_decay` already in it.
    pub lr: f64,
    /// ε, added to the root.
    pub epsilon: f64,
    /// ε', added under the root; 0 for none.
    pub epsilon_inside: f64,
    /// The value of `s` before the first step.
    pub initial: f64,
    /// Weight decay.
    pub decay: WeightDecayTerm,
}

impl AdaGradStep {
    /// `√(s + ε') + ε`
    fn divisor(self, sum: AnyTensor) -> AnyTensor {
        // An operation less where there is nothing under the root.
        let under = match self.epsilon_inside {
            0.0 => sum,
            inside => sum + inside,
        };
        under.sqrt() + self.epsilon
    }
}

impl Step<1> for AdaGradStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [sum]: [T; 1]) -> (T, [T; 1]) {
        let grad = self.decay.of_grad(grad, weight);
        let sum = sum + grad * grad;
        let divisor = (sum + self.epsilon_inside).sqrt() + self.epsilon;
        let update = grad / divisor * self.lr;
        let update = self.decay.of_update(update, weight, grad);
        (weight - update, [sum])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [sum]: [AnyTensor; 1],
    ) -> (AnyTensor, [AnyTensor; 1]) {
        let grad = self.decay.of_grads(grad, &weight);
        let sum = sum + grad.clone().square();
        let update = grad.clone() / self.divisor(sum.clone()) * self.lr;
        let update = self.decay.of_updates(update, &weight, &grad);
        (weight - update, [sum])
    }

    fn initial(self) -> [f64; 1] {
        [self.initial]
    }
}

/// [`AdaGradStep`] with a falling learning rate, `η / (1 + (t − 1) δ)`; decoupled decay falls with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedAdaGrad {
    /// The step with its first learning rates.
    pub first: AdaGradStep,
    /// δ
    pub lr_decay: f64,
}

impl TimedStep<1> for TimedAdaGrad {
    type At = AdaGradStep;

    fn at(self, time: u64) -> AdaGradStep {
        let slowdown = 1.0 + (time - 1) as f64 * self.lr_decay;
        AdaGradStep {
            lr: self.first.lr / slowdown,
            decay: match self.first.decay {
                WeightDecayTerm::Decoupled(rate) => WeightDecayTerm::Decoupled(rate / slowdown),
                WeightDecayTerm::Cautious(rate) => WeightDecayTerm::Cautious(rate / slowdown),
                decay => decay,
            },
            ..self.first
        }
    }

    fn twin_at(
        self,
        time: &StepCount,
        weight: AnyTensor,
        grad: AnyTensor,
        [sum]: [AnyTensor; 1],
    ) -> (AnyTensor, [AnyTensor; 1]) {
        let slowdown: Number = time.slowdown(self.lr_decay);
        let AdaGradStep { lr, decay, .. } = self.first;
        let grad = decay.of_grads(grad, &weight);
        let sum = sum + grad.clone().square();
        let update = grad.clone() / self.first.divisor(sum.clone()) * lr;
        let update = decay.of_updates(update, &weight, &grad);
        (weight - slowdown.under(update), [sum])
    }
}
