//! A step of one parameter that is about to be taken, and what becomes of it.

use crate::state_tensors::{StateField, StateTensors};
use burn_tricks_core::accumulation_dtype;
use burn_tricks_kernels::{
    AnyTensor, Multiple, PlannedStep, Skip, Step, StepCount, TensorNumber, TimedStep,
    WeightDecayTerm, take_together,
};

/// The new weight, and the new state; or the plan of a step that a GPU takes together with those of other weights.
#[derive(Debug)]
pub struct TakenStep {
    pub(crate) steps: StepCount,
    pub(crate) done: Done,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // there is one at a time
pub(crate) enum Done {
    Taken(AnyTensor, StateTensors),
    /// The step, and the names of its state tensors.
    Planned(PlannedStep, Vec<StateField>),
}

/// A step of one parameter that is about to be taken.
#[derive(Debug)]
pub struct PendingStep {
    /// η of this step.
    pub lr: f64,
    /// The weight decay of this parameter in this step; for decoupled decay, it includes the factor η.
    pub decay: WeightDecayTerm,
    pub(crate) weight: AnyTensor,
    pub(crate) grad: Multiple,
    pub(crate) state: StateTensors,
    pub(crate) steps: StepCount,
    pub(crate) skip: Skip,
    /// Whether it is planned, if that is possible, instead of taken.
    pub(crate) together: bool,
}

impl PendingStep {
    /// Whether the state of the earlier steps has this tensor.
    pub fn has_state(&self, field: StateField) -> bool {
        self.state.get(field).is_some()
    }

    /// The weight before the step.
    pub fn weight(&self) -> &AnyTensor {
        &self.weight
    }

    /// This step with another gradient, computed from the weight and the gradient.
    #[must_use]
    pub fn with_grad(mut self, change: impl FnOnce(&AnyTensor, AnyTensor) -> AnyTensor) -> Self {
        self.grad = change(&self.weight, self.grad.multiplied()).into();
        self
    }

    /// Counts this step as the first.
    #[must_use]
    pub fn restart_count(mut self) -> Self {
        self.steps = StepCount::new(0).begun();
        self
    }

    /// Takes the step; `fields` are the tensors of its state, in order. A tensor that the state does not have,
    /// because the settings have changed, starts as at the first step; tensors that the step does not need are
    /// dropped.
    ///
    /// # Panics
    ///
    /// If the state is that of a parameter of another shape.
    pub fn take<const S: usize>(self, step: impl Step<S>, fields: [StateField; S]) -> TakenStep {
        let (parts, old) = self.with_old(&fields, &|number| step.initial()[number]);
        if parts.together
            && let Some(plan) =
                (parts.grad).plan(|grad| step.plan(&parts.weight, grad, old.as_deref()))
        {
            return planned(parts.steps, &parts.skip, &fields, plan);
        }
        let grad = parts.grad.multiplied();
        let new = step.apply_unless(&parts.skip, parts.weight, grad, old);
        taken(parts.steps, &parts.skip, &fields, new)
    }

    /// Like [`take`](Self::take), for a step whose numbers depend on the number of steps taken.
    ///
    /// # Panics
    ///
    /// Those of [`take`](Self::take).
    pub fn take_timed<const S: usize>(
        self,
        step: impl TimedStep<S>,
        fields: [StateField; S],
    ) -> TakenStep {
        let (parts, old) = self.with_old(&fields, &|number| step.at(1).initial()[number]);
        let (steps, weight) = (&parts.steps, &parts.weight);
        if parts.together
            && let Some(plan) =
                (parts.grad).plan(|grad| step.plan(steps, weight, grad, old.as_deref()))
        {
            return planned(parts.steps, &parts.skip, &fields, plan);
        }
        let grad = parts.grad.multiplied();
        let new = step.apply_unless(&parts.skip, steps, parts.weight, grad, old);
        taken(parts.steps, &parts.skip, &fields, new)
    }

    /// Takes or plans a step whose gradient is changed by a number of the whole tensor.
    ///
    /// # Errors
    ///
    /// With the step as it is, if a GPU has no kernel for it.
    pub(crate) fn take_on_gpu<const S: usize, const R: usize>(
        self,
        change: impl TensorNumber<2, R>,
        step: impl Step<S>,
        fields: [StateField; S],
    ) -> Result<TakenStep, Box<Self>> {
        if !matches!(self.skip, Skip::Known(false)) || !self.weight.is_on_gpu() {
            return Err(Box::new(self));
        }
        let state = self.state.clone();
        let old = old_tensors(
            state,
            &fields,
            &|number| step.initial()[number],
            &self.weight,
        );
        let plan = (self.grad).plan(|grad| step.plan(&self.weight, grad, old.as_deref()));
        drop(old);
        let Some(plan) = plan.and_then(|plan| plan.with_gradient(change)) else {
            return Err(Box::new(self));
        };
        let Self {
            steps,
            skip,
            together,
            weight,
            grad,
            state,
            ..
        } = self;
        // A buffer that somebody else holds is not changed in place.
        drop((weight, grad, state));
        if together {
            return Ok(planned(steps, &skip, &fields, plan));
        }
        let new = take_together(vec![plan]).swap_remove(0);
        Ok(taken(steps, &skip, &fields, new))
    }

    /// The step without its state, and the tensors of that.
    fn with_old(
        mut self,
        fields: &[StateField],
        initial: &dyn Fn(usize) -> f64,
    ) -> (Self, Option<Vec<AnyTensor>>) {
        let state = std::mem::replace(&mut self.state, StateTensors::new());
        let old = old_tensors(state, fields, initial, &self.weight);
        (self, old)
    }
}

/// A step that is planned.
fn planned(steps: StepCount, skip: &Skip, fields: &[StateField], plan: PlannedStep) -> TakenStep {
    TakenStep {
        steps: steps.ended(skip),
        done: Done::Planned(plan, fields.to_vec()),
    }
}

/// A step that is done.
fn taken(
    steps: StepCount,
    skip: &Skip,
    fields: &[StateField],
    (weight, new): (AnyTensor, Vec<AnyTensor>),
) -> TakenStep {
    TakenStep {
        steps: steps.ended(skip),
        done: Done::Taken(weight, state_of(fields, new)),
    }
}

/// The state of these names.
pub(crate) fn state_of(
    fields: &[StateField],
    tensors: impl IntoIterator<Item = AnyTensor>,
) -> StateTensors {
    let mut state = StateTensors::with_capacity(fields.len());
    for (field, tensor) in fields.iter().zip(tensors) {
        state.put(*field, tensor);
    }
    state
}

/// The tensors of the earlier steps, if there are any; what is missing then gets its initial value.
fn old_tensors(
    mut state: StateTensors,
    fields: &[StateField],
    initial: &dyn Fn(usize) -> f64,
    weight: &AnyTensor,
) -> Option<Vec<AnyTensor>> {
    if !fields.iter().any(|field| state.get(*field).is_some()) {
        return None;
    }
    let old = fields.iter().enumerate().map(|(number, field)| {
        let kept = state.take(*field, weight);
        kept.unwrap_or_else(|| full_wide(initial(number), weight))
    });
    Some(old.collect())
}

/// A tensor of this value, in the type in which a state is kept.
pub(crate) fn full_wide(value: f64, weight: &AnyTensor) -> AnyTensor {
    let dtype = accumulation_dtype(weight.dtype());
    AnyTensor::full(weight.shape(), value, &weight.device(), dtype)
}
