//! A rule and a wrapper that a user writes: the laws hold for them without more.

use crate::devices::devices;
use crate::laws_optimizers::optimizer;
use burn::optim::Optimizer;
use burn::tensor::Tensor;
use burn_tricks::kernels::{AnyTensor, Real, Step, WeightDecayTerm};
use burn_tricks::optim::TakenStep;
use burn_tricks::optim::{
    PendingStep, Rule, RuleOptimizer, StateField, WeightDecayMode, WeightDecayScope, Wrap,
    WrappedStep, Wrapper,
};

/// An optimizer of one's own, as the page of [`Rule`] has it.
#[derive(Debug, Clone, Copy)]
struct LargestStep {
    lr: f64,
    decay: WeightDecayTerm,
}

impl Step<1> for LargestStep {
    #[inline(always)]
    fn element<T: Real>(self, weight: T, grad: T, [largest]: [T; 1]) -> (T, [T; 1]) {
        let grad = self.decay.of_grad(grad, weight);
        let largest = largest.max(grad.abs());
        let update = grad / (largest + 1.0) * self.lr;
        let update = self.decay.of_update(update, weight, grad);
        (weight - update, [largest])
    }

    fn twin(
        self,
        weight: AnyTensor,
        grad: AnyTensor,
        [largest]: [AnyTensor; 1],
    ) -> (AnyTensor, [AnyTensor; 1]) {
        let grad = self.decay.of_grads(grad, &weight);
        let largest = largest.max_pair(grad.clone().abs());
        let update = grad.clone() / (largest.clone() + 1.0) * self.lr;
        let update = self.decay.of_updates(update, &weight, &grad);
        (weight - update, [largest])
    }
}

const LARGEST: StateField = StateField::required("largest");

#[derive(Debug, Clone)]
struct LargestRule;

impl Rule for LargestRule {
    const STATE: &'static [StateField] = &[LARGEST];

    fn step(&self, pending: PendingStep) -> TakenStep {
        let (lr, decay) = (pending.lr, pending.decay);
        pending.take(LargestStep { lr, decay }, [LARGEST])
    }
}

/// A wrapper of one's own, as the page of [`Wrap`] has it, with a number that it remembers.
#[derive(Debug, Clone)]
struct Slower;

impl Wrap for Slower {
    const SCALARS: &'static [&'static str] = &["steps_so_far"];

    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        step.scalars()[0] += 1.0;
        step.lr /= step.scalars()[0].sqrt();
        step.inner(weight, grad)
    }
}

#[test]
fn an_optimizer_and_a_wrapper_of_ones_own_keep_the_laws() {
    for on in &devices() {
        let own = || {
            let optim = RuleOptimizer::new(LargestRule).with_skip_marked(true);
            optim.with_weight_decay(1e-2, WeightDecayMode::Decoupled, WeightDecayScope::Matrices)
        };
        optimizer("a rule", 0.2, own, on);
        optimizer(
            "a wrapped rule",
            0.5,
            || Ok(Wrapper::new(Slower, own()?)),
            on,
        );
    }
}
