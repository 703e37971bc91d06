//! The state of one parameter: tensors by name, and how many steps were taken.

use crate::state_tensor::StateTensor;
use burn::optim::{StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use burn_tricks_kernels::StepCount;
use std::marker::PhantomData;

/// A tensor of a state: where a record has it, relative to the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateField {
    path: &'static str,
    required: bool,
}

impl StateField {
    /// A tensor without which a record has no state.
    pub const fn required(path: &'static str) -> Self {
        Self {
            path,
            required: true,
        }
    }

    /// A tensor that is there with some settings only.
    pub const fn optional(path: &'static str) -> Self {
        Self {
            path,
            required: false,
        }
    }

    /// The last part of its path.
    fn name(self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }
}

/// The state of a [`RuleOptimizer`](crate::rule::RuleOptimizer) for one parameter: the tensors that its
/// [`Rule`](crate::rule::Rule) remembers, in `f32` for `f16` and `bf16` parameters, else in the parameter's type.
#[derive(Debug)]
pub struct RuleState<R, const D: usize> {
    steps: StepCount,
    tensors: Vec<(StateField, StateTensor<D>)>,
    rule: PhantomData<fn() -> R>,
}

impl<R, const D: usize> RuleState<R, D> {
    pub(crate) fn new<const S: usize>(
        steps: StepCount,
        fields: [StateField; S],
        tensors: [Tensor<D>; S],
    ) -> Self {
        let tensors = tensors.into_iter().map(StateTensor::from);
        Self {
            steps,
            tensors: fields.into_iter().zip(tensors).collect(),
            rule: PhantomData,
        }
    }

    pub(crate) fn steps(&self) -> StepCount {
        self.steps.clone()
    }

    pub(crate) fn has(&self, field: StateField) -> bool {
        self.get(field).is_some()
    }

    pub(crate) fn get(&self, field: StateField) -> Option<&StateTensor<D>> {
        let mut all = self.tensors.iter();
        all.find_map(|(there, tensor)| (*there == field).then_some(tensor))
    }

    /// Takes the tensor out, to where `weight` is.
    pub(crate) fn take(&mut self, field: StateField, weight: &Tensor<D>) -> Option<Tensor<D>> {
        let at = self.tensors.iter().position(|(there, _)| *there == field)?;
        let (_, tensor) = self.tensors.swap_remove(at);
        Some(tensor.beside(weight, field.name()))
    }

    pub(crate) fn moved_to(self, device: &Device) -> Self {
        let tensors = self.tensors.into_iter();
        let moved = tensors.map(|(field, tensor)| (field, tensor.moved_to(device)));
        Self {
            steps: self.steps.moved_to(device),
            tensors: moved.collect(),
            rule: PhantomData,
        }
    }
}

impl<R, const D: usize> RuleState<R, D> {
    /// Writes the tensors, and the number of steps where `step_count` says; `false`, and nothing, if the device
    /// has skipped every step so far: the next is the first.
    pub(crate) fn write(
        &self,
        step_count: Option<&str>,
        prefix: &str,
        out: &mut StateSink,
    ) -> bool {
        let steps = self.steps.read();
        if steps == 0 {
            return false;
        }
        if let Some(path) = step_count {
            out.push_scalar(prefix, path, steps.into());
        }
        for (field, tensor) in &self.tensors {
            tensor.write(prefix, field.path, out);
        }
        true
    }

    /// `None` if something required is missing.
    pub(crate) fn read(
        step_count: Option<&str>,
        fields: &[StateField],
        prefix: &str,
        source: &mut StateSource,
    ) -> Option<Self> {
        let steps = match step_count {
            Some(path) => u64::try_from(source.take_scalar(prefix, path)?).ok()?,
            None => 1, // there were some
        };
        let mut tensors = Vec::new();
        for field in fields {
            match StateTensor::read(prefix, field.path, source) {
                Some(tensor) => tensors.push((*field, tensor)),
                None if field.required => return None,
                None => {}
            }
        }
        Some(Self {
            steps: StepCount::new(steps),
            tensors,
            rule: PhantomData,
        })
    }
}

impl<R, const D: usize> Default for RuleState<R, D> {
    fn default() -> Self {
        Self::new(StepCount::new(0), [], [])
    }
}

impl<R, const D: usize> Clone for RuleState<R, D> {
    fn clone(&self) -> Self {
        Self {
            steps: self.steps.clone(),
            tensors: self.tensors.clone(),
            rule: PhantomData,
        }
    }
}
