//! A tensor as it is saved in the state of a transform.

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// A flat tensor on the host, in its own element type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Stored {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Stored {
    /// Waits for the device.
    #[allow(clippy::disallowed_methods)] // where a state is saved, off the step path
    pub(crate) fn of(tensor: Tensor<1>) -> Self {
        let data: TensorData = tensor.into_data();
        match data.dtype() {
            DType::F64 => Self::F64(data.iter().collect()),
            // Halves are summed in `f32`.
            _ => Self::F32(data.iter().collect()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::F64(numbers) => numbers.len(),
        }
    }

    /// A number that is negative, infinite or NaN, if there is one.
    pub(crate) fn first_that_is_no_norm(&self) -> Option<f64> {
        let is_none = |number: &f64| !(number.is_finite() && *number >= 0.0);
        match self {
            Self::F32(numbers) => numbers.iter().copied().map(f64::from).find(is_none),
            Self::F64(numbers) => numbers.iter().copied().find(is_none),
        }
    }

    /// The numbers that are not negative.
    pub(crate) fn without_negative(mut self) -> Self {
        match &mut self {
            Self::F32(numbers) => numbers.retain(|number| *number >= 0.0),
            Self::F64(numbers) => numbers.retain(|number| *number >= 0.0),
        }
        self
    }

    /// Moves the first `count` numbers behind the others.
    pub(crate) fn rotate_left(&mut self, count: usize) {
        match self {
            Self::F32(numbers) => numbers.rotate_left(count),
            Self::F64(numbers) => numbers.rotate_left(count),
        }
    }

    /// The numbers from the smallest to the largest.
    pub(crate) fn sorted(mut self) -> Self {
        match &mut self {
            Self::F32(numbers) => numbers.sort_by(f32::total_cmp),
            Self::F64(numbers) => numbers.sort_by(f64::total_cmp),
        }
        self
    }

    /// The same numbers in `f32` if that is `dtype`; those beyond its range become its largest.
    pub(crate) fn narrowed(self, dtype: DType) -> Self {
        match (self, dtype) {
            (Self::F64(numbers), DType::F32) => {
                let (least, most) = (f64::from(f32::MIN), f64::from(f32::MAX));
                let narrow = numbers.into_iter().map(|x| x.clamp(least, most) as f32);
                Self::F32(narrow.collect())
            }
            (stored, _) => stored,
        }
    }

    /// On the device, in `f32` where the device has no `f64`.
    pub(crate) fn tensor(self, device: &Device) -> Tensor<1> {
        match self {
            Self::F64(numbers) if device.supports_dtype(DType::F64) => {
                Tensor::from_data(numbers.as_slice(), (device, DType::F64))
            }
            Self::F64(numbers) => Tensor::from_data(numbers.as_slice(), (device, DType::F32)),
            Self::F32(numbers) => Tensor::from_data(numbers.as_slice(), (device, DType::F32)),
        }
    }
}
