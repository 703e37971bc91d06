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
pub struct RuleState<R> {
    steps: StepCount,
    tensors: StateTensors,
    rule: PhantomData<fn() -> R>,
}

impl<R> RuleState<R> {
    pub(crate) fn new(steps: StepCount, tensors: StateTensors) -> Self {
        Self {
            steps,
            tensors,
            rule: PhantomData,
        }
    }

    pub(crate) fn get(&self, field: StateField) -> Option<&StateTensor> {
        self.tensors.get(field)
    }

    pub(crate) fn into_parts(self) -> (StepCount, StateTensors) {
        (self.steps, self.tensors)
    }

    /// The state of a parameter of `rank` dimensions, on this device.
    pub(crate) fn moved_to(self, device: &Device, rank: usize) -> Self {
        let tensors = self.tensors.moved_to(device, rank);
        Self::new(self.steps.moved_to(device), tensors)
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

// These two are not compiled for every rule.

fn write(
    steps: &StepCount,
    tensors: &StateTensors,
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

fn read(
    step_count: Option<&str>,
    fields: &[StateField],
    prefix: &str,
    source: &mut StateSource,
) -> Option<(StepCount, StateTensors)> {
    let steps = match step_count {
        Some(path) => u64::try_from(source.take_scalar(prefix, path)?).ok()?,
        None => 1, // there were some
    };
    Some((
        StepCount::new(steps),
        StateTensors::read(fields, prefix, source)?,
    ))
}

impl<R> Default for RuleState<R> {
    fn default() -> Self {
        Self::new(StepCount::new(0), StateTensors::new())
    }
}

impl<R> Clone for RuleState<R> {
    fn clone(&self) -> Self {
        Self::new(self.steps.clone(), self.tensors.clone())
    }
}
