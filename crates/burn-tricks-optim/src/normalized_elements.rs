//! The normalised-gradient step where each element has a norm of its own.

use crate::normalized_gradient::NormalizedGradient;
use crate::normalized_gradient_settings::{Epsilon, Memory, MomentumMemory};
use crate::normalized_gradient_state::NormalizedGradientState;
use crate::pending_step::full_wide;
use crate::state_tensor::StateTensor;
use burn_tricks_kernels::{
    AnyTensor, Mean, NormMemory, NormalizedStep, Skip, Step, TimedNormalized, TimedStep,
    UpdateMemory,
};

impl NormalizedGradient {
    /// A step with one norm for each element, in one pass.
    pub(crate) fn step_of_elements(
        &self,
        lr: f64,
        skip: &Skip,
        weight: AnyTensor,
        grad: AnyTensor,
        state: NormalizedGradientState,
    ) -> (AnyTensor, Option<NormalizedGradientState>) {
        let config = &self.config;
        let time = state.time.begun();
        let (epsilon_inside, epsilon_outside) = match config.epsilon {
            Epsilon::InsideRoot(epsilon) => (epsilon, 0.0),
            Epsilon::OutsideRoot(epsilon) => (0.0, epsilon),
        };
        let step = NormalizedStep {
            epsilon_inside,
            epsilon_outside,
            ..NormalizedStep::new(lr, self.decay.at(lr, weight.rank()))
        };
        let initial = config.initial_accumulator;
        let norm = match config.memory {
            Memory::None => None,
            Memory::Sum => Some(NormMemory::Sum { initial }),
            Memory::Decay { beta } => Some(NormMemory::Decay {
                mean: self.mean(beta),
                initial,
            }),
        };
        let update = match config.momentum {
            MomentumMemory::None => None,
            MomentumMemory::OfGradient { beta } => Some(UpdateMemory::OfGradient(self.mean(beta))),
            MomentumMemory::OfUpdate { mu } => Some(UpdateMemory::OfUpdate(mu)),
        };
        let accumulator = state
            .accumulator
            .map(|held| held.fitted_to(&weight, "accumulator"));
        let momentum = state
            .momentum
            .map(|held| held.fitted_to(&weight, "momentum"));
        // A state that is new, because the settings have changed, starts as at the first step; the other stays.
        let begun = |value| full_wide(value, &weight);
        let is_first = accumulator.is_none() && momentum.is_none();
        let norms = norm.map(|_| accumulator.unwrap_or_else(|| begun(initial)));
        let updates = update.map(|_| momentum.unwrap_or_else(|| begun(0.0)));
        let old: Vec<_> = norms.into_iter().chain(updates).collect();
        let old = (!is_first).then_some(old);
        let (weight, new) = match (norm, update) {
            (None, None) => return (step.apply_unless(skip, weight, grad, None).0, None),
            (Some(norm), None) => {
                let step = TimedNormalized(step.with_norm(norm));
                step.apply_unless(skip, &time, weight, grad, old)
            }
            (None, Some(update)) => {
                let step = TimedNormalized(step.with_update(update));
                step.apply_unless(skip, &time, weight, grad, old)
            }
            (Some(norm), Some(update)) => {
                let step = TimedNormalized(step.with_norm(norm).with_update(update));
                step.apply_unless(skip, &time, weight, grad, old)
            }
        };
        let mut new = new.into_iter().map(StateTensor::from);
        let state = NormalizedGradientState {
            time: time.ended(skip),
            accumulator: norm.and_then(|_| new.next()),
            momentum: update.and_then(|_| new.next()),
        };
        (weight, Some(state))
    }

    /// As it is at the first step.
    fn mean(&self, beta: f64) -> Mean {
        Mean::new(beta, self.config.bias_correction, 1)
    }
}
