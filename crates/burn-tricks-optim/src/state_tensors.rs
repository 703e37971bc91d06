//! The tensors of one parameter's state, by their names in a record.

use crate::state_tensor::StateTensor;
use burn::optim::{StateSink, StateSource};
use burn::tensor::Device;
use burn_tricks_kernels::AnyTensor;

/// A tensor of a state, named by its path in a record, relative to the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateField {
    path: &'static str,
    required: bool,
}

impl StateField {
    /// A tensor that every state has.
    pub const fn required(path: &'static str) -> Self {
        Self {
            path,
            required: true,
        }
    }

    /// A tensor that exists only with some settings.
    pub const fn optional(path: &'static str) -> Self {
        Self {
            path,
            required: false,
        }
    }
}

/// Tensors of one parameter.
#[derive(Debug, Clone)]
pub(crate) struct StateTensors(Vec<(StateField, StateTensor)>);

impl StateTensors {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    pub(crate) fn get(&self, field: StateField) -> Option<&StateTensor> {
        let mut all = self.0.iter();
        all.find_map(|(there, tensor)| (*there == field).then_some(tensor))
    }

    /// Takes the tensor out, onto the device of `weight`, in the type in which a state for `weight` is kept.
    ///
    /// # Panics
    ///
    /// If it does not have the shape of `weight`.
    pub(crate) fn take(&mut self, field: StateField, weight: &AnyTensor) -> Option<AnyTensor> {
        Some(self.remove(field)?.fitted_to(weight, field.path))
    }

    /// Like [`take`](Self::take), in the type of `weight` itself.
    ///
    /// # Panics
    ///
    /// If it does not have the shape of `weight`.
    pub(crate) fn take_as_weight(
        &mut self,
        field: StateField,
        weight: &AnyTensor,
    ) -> Option<AnyTensor> {
        let tensor = self.remove(field)?.kept_for(weight, field.path);
        Some(tensor.cast(weight.dtype().into()))
    }

    fn remove(&mut self, field: StateField) -> Option<StateTensor> {
        let at = self.0.iter().position(|(there, _)| *there == field)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Replaces the tensor of a field, if it has one.
    pub(crate) fn put(&mut self, field: StateField, tensor: AnyTensor) {
        self.remove(field);
        self.0.push((field, tensor.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tensors of a parameter of `rank` dimensions, on this device.
    pub(crate) fn moved_to(self, device: &Device, rank: usize) -> Self {
        if self.0.iter().all(|(_, tensor)| tensor.is_on(device)) {
            return self;
        }
        let all = self.0.into_iter();
        let moved = all.map(|(field, tensor)| (field, tensor.moved_to(device, rank)));
        Self(moved.collect())
    }

    pub(crate) fn write(&self, prefix: &str, out: &mut StateSink) {
        for (field, tensor) in &self.0 {
            tensor.write(prefix, field.path, out);
        }
    }

    /// `None` if a required tensor is missing.
    pub(crate) fn read(
        fields: &[StateField],
        prefix: &str,
        source: &mut StateSource,
    ) -> Option<Self> {
        let mut tensors = Vec::with_capacity(fields.len());
        for field in fields {
            match StateTensor::read(prefix, field.path, source) {
                Some(tensor) => tensors.push((*field, tensor)),
                None if field.required => return None,
                None => {}
            }
        }
        Some(Self(tensors))
    }
}
