//! The state of the normalised-gradient optimizer for one parameter, and its record.

use crate::state_tensor::StateTensor;
use burn::optim::{RecordState, StateSink, StateSource};
use burn::tensor::Device;
use burn_tricks_kernels::StepCount;

/// The state of [`NormalizedGradient`](crate::NormalizedGradient) for one parameter.
///
/// Tensors are `f32` for `f16` and `bf16` parameters, otherwise of the parameter's type. Which tensors exist
/// depends on the configuration.
#[derive(Debug, Clone)]
pub struct NormalizedGradientState {
    /// The number of steps taken.
    pub(crate) time: StepCount,
    /// The squared norms, summed or averaged: the parameter's shape for `NormScope::Element`, one
    /// element (`[1, 1, ..]`) for `NormScope::Tensor`.
    pub(crate) accumulator: Option<StateTensor>,
    /// The mean gradient or the running update.
    pub(crate) momentum: Option<StateTensor>,
}

impl NormalizedGradientState {
    /// The state of a parameter of `rank` dimensions, on this device.
    pub(crate) fn moved_to(self, device: &Device, rank: usize) -> Self {
        Self {
            time: self.time.moved_to(device),
            accumulator: self.accumulator.map(|held| held.moved_to(device, rank)),
            momentum: self.momentum.map(|held| held.moved_to(device, rank)),
        }
    }
}

impl RecordState for NormalizedGradientState {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "time", self.time.read().into());
        if let Some(accumulator) = &self.accumulator {
            accumulator.write(prefix, "accumulator", out);
        }
        if let Some(momentum) = &self.momentum {
            momentum.write(prefix, "momentum", out);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _default: &Device) -> Option<Self> {
        Some(Self {
            time: StepCount::new(u64::try_from(source.take_scalar(prefix, "time")?).ok()?),
            accumulator: StateTensor::read(prefix, "accumulator", source),
            momentum: StateTensor::read(prefix, "momentum", source),
        })
    }
}
