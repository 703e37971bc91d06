//! The state of a rule for one parameter, and its number of steps.

use crate::state_tensor::StateTensor;
use crate::state_tensors::{StateField, StateTensors};
use burn::optim::{StateSink, StateSource};
use burn::tensor::Device;
use burn_tricks_kernels::StepCount;
use std::marker::PhantomData;

/// The state of a [`RuleOptimizer`](crate::rule::RuleOptimizer) for one parameter: the state tensors of its
/// [`Rule`](crate::rule::Rule), in `f32` for `f16` and `bf16` parameters, otherwise in the parameter's type.
#[derive(Debug)]
pub struct RuleState<R, const D: usize> {
    steps: StepCount,
    tensors: StateTensors<D>,
    rule: PhantomData<fn() -> R>,
}

impl<R, const D: usize> RuleState<R, D> {
    pub(crate) fn new(steps: StepCount, tensors: StateTensors<D>) -> Self {
        Self {
            steps,
            tensors,
            rule: PhantomData,
        }
    }

    pub(crate) fn steps(&self) -> StepCount {
        self.steps.clone()
    }

    pub(crate) fn get(&self, field: StateField) -> Option<&StateTensor<D>> {
        self.tensors.get(field)
    }

    pub(crate) fn into_tensors(self) -> StateTensors<D> {
        self.tensors
    }

    pub(crate) fn moved_to(self, device: &Device) -> Self {
        Self::new(self.steps.moved_to(device), self.tensors.moved_to(device))
    }

    /// Writes the tensors, and the number of steps under the name `step_count`. If the device has skipped every
    /// step so far, nothing is written and the result is `false`: the next step is then the first.
    pub(crate) fn write(
        &self,
        step_count: Option<&str>,
        prefix: &str,
        out: &mut StateSink,
    ) -> bool {
        write(&self.steps, &self.tensors, step_count, prefix, out)
    }

    /// `None` if a required tensor is missing.
    pub(crate) fn read(
        step_count: Option<&str>,
        fields: &[StateField],
        prefix: &str,
        source: &mut StateSource,
    ) -> Option<Self> {
        let (steps, tensors) = read(step_count, fields, prefix, source)?;
        Some(Self::new(steps, tensors))
    }
}

// These two are compiled for every rank, but not for every rule.

fn write<const D: usize>(
    steps: &StepCount,
    tensors: &StateTensors<D>,
    step_count: Option<&str>,
    prefix: &str,
    out: &mut StateSink,
) -> bool {
    let steps = steps.read();
    if steps == 0 {
        return false;
    }
    if let Some(path) = step_count {
        out.push_scalar(prefix, path, steps.into());
    }
    tensors.write(prefix, out);
    true
}

fn read<const D: usize>(
    step_count: Option<&str>,
    fields: &[StateField],
    prefix: &str,
    source: &mut StateSource,
) -> Option<(StepCount, StateTensors<D>)> {
    let steps = match step_count {
        Some(path) => u64::try_from(source.take_scalar(prefix, path)?).ok()?,
        None => 1, // there were some
    };
    Some((
        StepCount::new(steps),
        StateTensors::read(fields, prefix, source)?,
    ))
}

impl<R, const D: usize> Default for RuleState<R, D> {
    fn default() -> Self {
        Self::new(StepCount::new(0), StateTensors::new())
    }
}

impl<R, const D: usize> Clone for RuleState<R, D> {
    fn clone(&self) -> Self {
        Self::new(self.steps.clone(), self.tensors.clone())
    }
}
