//! What the normalised-gradient optimizer remembers of one parameter, and how it is recorded.

use burn::optim::{RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor, TensorData};

/// The state of [`NormalizedGradient`](crate::NormalizedGradient) for one parameter.
///
/// Tensors are `f32` for `f16` and `bf16` parameters, else of the parameter's type. Which of them
/// are there depends on the configuration.
#[derive(Debug, Clone)]
pub struct NormalizedGradientState<const D: usize> {
    /// The number of steps taken.
    pub(crate) time: u64,
    /// The squared norms, summed or averaged: the parameter's shape for `Scope::Element`, one
    /// element (`[1, 1, ..]`) for `Scope::Tensor`.
    pub(crate) accumulator: Option<Tensor<D>>,
    /// The mean gradient or the running update.
    pub(crate) momentum: Option<Tensor<D>>,
}

impl<const D: usize> NormalizedGradientState<D> {
    pub(crate) fn moved_to(self, device: &Device) -> Self {
        Self {
            time: self.time,
            accumulator: self.accumulator.map(|tensor| tensor.to_device(device)),
            momentum: self.momentum.map(|tensor| tensor.to_device(device)),
        }
    }
}

/// Written by hand, because Burn's derive reloads tensors in the device's default float type and
/// would so lose the type recorded.
impl<const D: usize> RecordState for NormalizedGradientState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "time", self.time.into());
        let tensors = [
            ("accumulator", &self.accumulator),
            ("momentum", &self.momentum),
        ];
        for (name, tensor) in tensors {
            if let Some(tensor) = tensor {
                #[allow(clippy::disallowed_methods)] // records are written off the step path
                out.push_tensor(prefix, name, tensor.to_data());
            }
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let time = u64::try_from(src.take_scalar(prefix, "time")?).ok()?;
        let restore = |data: TensorData| {
            let dtype = data.dtype();
            Tensor::from_data(data, (device, dtype))
        };
        Some(Self {
            time,
            accumulator: src.take_tensor(prefix, "accumulator").map(restore),
            momentum: src.take_tensor(prefix, "momentum").map(restore),
        })
    }
}
