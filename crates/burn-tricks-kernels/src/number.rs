//! A number of a step that may be known only to the device.

use crate::any_tensor::AnyTensor;
use crate::numbers::numbers;
use burn::tensor::{Device, FloatDType, Tensor};

/// A number by which tensors are multiplied or divided. It is known to the host, or is on the device as a
/// tensor of one element, for which the host does not wait.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // one per step, never in a list
pub enum Number {
    /// The host knows it.
    Known(f64),
    /// Only the device knows it.
    OnDevice(Tensor<1>),
}

impl Number {
    /// The number in a tensor of one element. On the CPU backend it is known, since it lies in memory already; nothing
    /// waits for another device.
    pub fn from_tensor(number: &Tensor<1>) -> Self {
        #[cfg(feature = "flex")]
        if let Some(known) = crate::flex::scalar(&number.clone().into_dispatch()) {
            return Self::Known(known);
        }
        Self::OnDevice(number.clone())
    }

    /// The number as a tensor of one element, in `f64` if the device has `f64`.
    pub fn on_device(&self, device: &Device) -> Tensor<1> {
        let wide = if device.supports_dtype(FloatDType::F64) {
            FloatDType::F64
        } else {
            FloatDType::F32
        };
        match self {
            Self::Known(number) => Tensor::full([1], *number, (device, wide.into())),
            Self::OnDevice(number) => number.clone().to_device(device).cast(wide),
        }
    }

    /// The same on another device.
    pub fn moved_to(self, device: &Device) -> Self {
        match self {
            Self::Known(number) => Self::Known(number),
            Self::OnDevice(number) => Self::OnDevice(number.to_device(device)),
        }
    }

    /// The number, to be recorded. This may wait for the device.
    pub fn read(&self) -> f64 {
        match self {
            Self::Known(number) => *number,
            Self::OnDevice(number) => {
                #[allow(clippy::disallowed_methods)] // what this method is for, off the step path
                let number = number.to_data();
                numbers(&number).first().copied().unwrap_or_default()
            }
        }
    }

    /// `x n`
    pub fn times(&self, x: AnyTensor) -> AnyTensor {
        match self {
            Self::Known(number) => x * *number,
            Self::OnDevice(number) => {
                let number = x.fitted(number);
                x * number
            }
        }
    }

    /// `x / n`; `x` itself if `n` is known to be 1.
    pub fn under(&self, x: AnyTensor) -> AnyTensor {
        match self {
            Self::Known(1.0) => x,
            Self::Known(number) => x / *number,
            Self::OnDevice(number) => {
                let number = x.fitted(number);
                x / number
            }
        }
    }

    /// `x + n`
    pub fn plus(&self, x: AnyTensor) -> AnyTensor {
        match self {
            Self::Known(number) => x + *number,
            Self::OnDevice(number) => {
                let number = x.fitted(number);
                x + number
            }
        }
    }
}
