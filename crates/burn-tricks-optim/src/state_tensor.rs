//! A tensor of an optimizer's state that is not put on the wrong device when a record is loaded.

use burn::optim::{StateSink, StateSource};
use burn::tensor::{Bytes, DType, Device, Shape, TensorData};
use burn_tricks_core::accumulation_dtype;
use burn_tricks_kernels::{AnyTensor, numbers};

/// A tensor on its device or, after a record is loaded, data on the host.
///
/// Burn loads an optimizer's record to `Device::default()`, which in a program with several backends may be a
/// GPU that the run does not use, or that does not exist. The data therefore stays on the host until
/// `Optimizer::to_device` names the parameter's own device, before its next step.
#[derive(Debug, Clone)]
pub(crate) enum StateTensor {
    Device(AnyTensor),
    Host(TensorData),
}

/// The text of the error, without a path, which `Optimizer::step` does not know.
const ANOTHERS: &str = "it is the state of another parameter or model (`ModuleOptimizerExt::try_load_record` \
                        finds this when a record is loaded, and names the parameter)";

/// Of a squared norm, which is a number for each element or for the whole tensor: the shape is right with either scope.
const OTHER_SCOPE: &str = "it was recorded with another `scope` of `NormalizedGradientConfig`, which a record does not \
                           hold";

impl StateTensor {
    /// The tensor of a parameter of `rank` dimensions, on this device.
    pub(crate) fn moved_to(self, device: &Device, rank: usize) -> Self {
        Self::Device(self.on(device, rank))
    }

    /// Whether it is a tensor on this device.
    pub(crate) fn is_on(&self, device: &Device) -> bool {
        matches!(self, Self::Device(tensor) if tensor.is_on(device))
    }

    fn on(self, device: &Device, rank: usize) -> AnyTensor {
        match self {
            Self::Device(tensor) => tensor.to_device(device),
            Self::Host(data) => {
                let shape = data.shape();
                assert_eq!(
                    shape.rank(),
                    rank,
                    "the optimizer's state was recorded with the shape {shape:?}, and its parameter has \
                     {rank} dimensions: {ANOTHERS}"
                );
                // A run that began on a device with `f64` goes on where there is none.
                if data.dtype() == DType::F64 && !device.supports_dtype(DType::F64) {
                    return AnyTensor::from_data(data.convert_dtype(DType::F32), device);
                }
                AnyTensor::from_data(data, device)
            }
        }
    }

    /// The tensor, on the device of `weight`, in the type in which a state for `weight` is kept. `field` is its
    /// path in the record, or the last part of it.
    ///
    /// # Panics
    ///
    /// If it does not have the shape of `weight`.
    pub(crate) fn fitted_to(self, weight: &AnyTensor, field: &str) -> AnyTensor {
        self.kept_for(weight, field)
            .cast(accumulation_dtype(weight.dtype()))
    }

    /// Like [`fitted_to`](Self::fitted_to), in the type in which it was kept.
    pub(crate) fn kept_for(self, weight: &AnyTensor, field: &str) -> AnyTensor {
        let tensor = self.on_device_of(weight);
        if !tensor.has_shape_of(weight) {
            refuse(&tensor, &weight.shape(), weight, field);
        }
        tensor
    }

    /// Like [`fitted_to`](Self::fitted_to), for a tensor of one element.
    pub(crate) fn one_fitted_to(self, weight: &AnyTensor, field: &str) -> AnyTensor {
        let tensor = self.on_device_of(weight);
        let expected: Shape = vec![1; weight.rank()].into();
        if tensor.shape() != expected {
            refuse(&tensor, &expected, weight, field);
        }
        tensor.cast(accumulation_dtype(weight.dtype()))
    }

    fn on_device_of(self, weight: &AnyTensor) -> AnyTensor {
        match self {
            Self::Device(tensor) => tensor,
            host => host.on(&weight.device(), weight.rank()),
        }
    }

    /// `self − other²`, for records: data on the host stays there.
    pub(crate) fn minus_square_of(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Device(a), Self::Device(b)) => Self::Device(a.clone() - b.clone().square()),
            (a, b) => {
                let (a, b) = (a.data(), b.data());
                let pairs = numbers(&a).into_iter().zip(numbers(&b));
                let numbers: Vec<f64> = pairs.map(|(a, b)| a - b * b).collect();
                Self::Host(TensorData::new(numbers, a.shape()).convert_dtype(a.dtype()))
            }
        }
    }

    fn data(&self) -> TensorData {
        match self {
            Self::Device(tensor) => tensor.clone().into_data(),
            Self::Host(data) => data.clone(),
        }
    }

    pub(crate) fn write(&self, prefix: &str, name: &str, out: &mut StateSink) {
        out.push_tensor(prefix, name, self.data());
    }

    pub(crate) fn read(prefix: &str, name: &str, source: &mut StateSource) -> Option<Self> {
        let data = source.take_tensor(prefix, name)?;
        // Data of a record that was loaded from a file are read from it when they are first used. By
        // then the file may be gone, or hold the next checkpoint: now.
        let bytes = Bytes::from_bytes_vec(data.as_bytes().to_vec());
        Some(Self::Host(TensorData::from_bytes(
            bytes,
            data.shape(),
            data.dtype(),
        )))
    }
}

fn refuse(tensor: &AnyTensor, expected: &Shape, weight: &AnyTensor, field: &str) -> ! {
    let (got, shape) = (tensor.shape(), weight.shape());
    let name = field.rsplit('.').next().unwrap_or(field);
    let of_other_scope = got == shape || got == vec![1; weight.rank()].into();
    let reason = if name == "accumulator" && of_other_scope {
        OTHER_SCOPE
    } else {
        ANOTHERS
    };
    panic!(
        "the optimizer's state does not fit its parameter: `{name}` has the shape {got:?} and must have \
         {expected:?} for a parameter of {shape:?}: {reason}"
    );
}

impl From<AnyTensor> for StateTensor {
    fn from(tensor: AnyTensor) -> Self {
        Self::Device(tensor)
    }
}
