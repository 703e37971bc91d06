//! The optimizer of one parameter, whose step size depends on the estimate.

use super::estimate::{Refused, SharedEstimate, StepNumbers};
use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor, TensorData};
use burn_tricks_core::{ConfigError, accumulation_dtype};
use burn_tricks_kernels::{AnyTensor, ProdigyNumbers, ProdigyStep};
use std::fmt::Debug;

/// Prodigy's step of one parameter. Made by [`Prodigy::build`](super::Prodigy::build); it shares the estimate
/// with that [`Prodigy`](super::Prodigy).
///
/// A step panics if [`Prodigy`](super::Prodigy) has not seen its gradients, if its learning rate differs from
/// that of the parameters stepped before it, also if one of the two is 0, or if the state is that of a parameter of
/// another shape.
#[derive(Clone)]
pub struct ProdigyAdam {
    estimate: SharedEstimate,
    weight_decay: f64,
}

impl Debug for ProdigyAdam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProdigyAdam")
            .field("weight_decay", &self.weight_decay)
            .finish_non_exhaustive()
    }
}

impl ProdigyAdam {
    pub(super) fn new(estimate: SharedEstimate, weight_decay: f64) -> Self {
        Self {
            estimate,
            weight_decay,
        }
    }

    /// The same optimizer with another weight decay λ.
    ///
    /// # Errors
    ///
    /// If λ is negative or not finite.
    pub fn with_weight_decay(self, weight_decay: f64) -> Result<Self, ConfigError> {
        let weight_decay = ConfigError::non_negative("weight_decay", weight_decay)?;
        Ok(Self {
            weight_decay,
            ..self
        })
    }
}

/// The state of [`ProdigyAdam`] for one parameter.
#[derive(Debug, Clone)]
pub struct ProdigyAdamState {
    /// m, the moving mean of the gradients times d.
    exp_avg: Moment,
    /// v, the moving mean of their squares.
    exp_avg_sq: Moment,
    /// The number of the last step.
    steps: u64,
}

/// A tensor on its device or, after a record is loaded, data on the host: Burn loads a record to `Device::default()`, which
/// in a program with several backends may be a GPU that does not exist, or that has no `f64`.
#[derive(Debug, Clone)]
enum Moment {
    Device(AnyTensor),
    Host(TensorData),
}

impl Moment {
    fn on(self, device: &Device) -> AnyTensor {
        match self {
            Self::Device(tensor) => tensor.to_device(device),
            // A run that began on a device with `f64` goes on where there is none.
            Self::Host(data)
                if data.dtype() == DType::F64 && !device.supports_dtype(DType::F64) =>
            {
                AnyTensor::from_data(data.convert_dtype(DType::F32), device)
            }
            Self::Host(data) => AnyTensor::from_data(data, device),
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Self::Device(tensor) => tensor.shape(),
            Self::Host(data) => data.shape().clone(),
        }
    }

    fn data(&self) -> TensorData {
        match self {
            Self::Device(tensor) => tensor.clone().into_data(),
            Self::Host(data) => data.clone(),
        }
    }

    /// Data of a record that was loaded from a file are read from it when they are first used: now, while the file is
    /// there.
    fn loaded(data: &TensorData) -> Self {
        let bytes = Bytes::from_bytes_vec(data.as_bytes().to_vec());
        Self::Host(TensorData::from_bytes(
            bytes,
            data.shape().clone(),
            data.dtype(),
        ))
    }
}

// Burn compiles a step for each rank: what it does is compiled once.
impl Optimizer for ProdigyAdam {
    type State<const D: usize> = ProdigyAdamState;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<ProdigyAdamState>,
    ) -> (Tensor<D>, Option<ProdigyAdamState>) {
        let (weight, state) = self.step_any(lr, tensor.into(), grad.into(), state);
        (weight.into_tensor(), state)
    }

    fn to_device<const D: usize>(state: ProdigyAdamState, device: &Device) -> ProdigyAdamState {
        state.moved_to(device)
    }
}

impl ProdigyAdam {
    fn step_any(
        &self,
        lr: LearningRate,
        weight: AnyTensor,
        grad: AnyTensor,
        state: Option<ProdigyAdamState>,
    ) -> (AnyTensor, Option<ProdigyAdamState>) {
        if weight.is_empty() {
            return (weight, state); // the estimate does not count it
        }
        let mut estimate = self.estimate.lock();
        let step = estimate.step(lr);
        let settings = estimate.settings;
        drop(estimate);
        let Some(step) = step.unwrap_or_else(|error| panic!("{error}")) else {
            return (weight, state); // at a rate of 0
        };
        check(&step, state.as_ref(), &weight);

        let dtype = accumulation_dtype(weight.dtype());
        let numbers = ProdigyNumbers {
            distance: step.distance,
            rate: step.rate,
            epsilon: step.epsilon,
        };
        let rule = ProdigyStep {
            betas: (settings.beta_1, settings.beta_2),
            weight_decay: self.weight_decay,
        };
        let device = weight.device();
        let here = |moment: Moment| moment.on(&device).cast(dtype);
        let state = state.map(|state| vec![here(state.exp_avg), here(state.exp_avg_sq)]);
        let (weight, state) = rule.apply_any(&numbers, weight, grad, state);
        let [m, v] = <[AnyTensor; 2]>::try_from(state).expect("Prodigy's state is m and v");
        let state = ProdigyAdamState {
            exp_avg: Moment::Device(m),
            exp_avg_sq: Moment::Device(v),
            steps: step.taken,
        };
        (weight, Some(state))
    }
}

impl ProdigyAdamState {
    fn moved_to(self, device: &Device) -> Self {
        Self {
            exp_avg: Moment::Device(self.exp_avg.on(device)),
            exp_avg_sq: Moment::Device(self.exp_avg_sq.on(device)),
            steps: self.steps,
        }
    }
}

fn check(step: &StepNumbers, state: Option<&ProdigyAdamState>, weight: &AnyTensor) {
    let Some(state) = state else { return };
    assert!(state.steps < step.taken, "{}", Refused::Unseen);
    let (of_state, shape) = (state.exp_avg.shape(), weight.shape());
    assert!(
        of_state == shape,
        "the state of a parameter of shape {of_state:?} met one of {shape:?}"
    );
}

impl RecordState for ProdigyAdamState {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "exp_avg", self.exp_avg.data());
        out.push_tensor(prefix, "exp_avg_sq", self.exp_avg_sq.data());
        out.push_scalar(prefix, "steps", self.steps.into());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, _default: &Device) -> Option<Self> {
        let steps = u64::try_from(src.take_scalar(prefix, "steps")?).ok()?;
        let mut moment = |leaf| Some(Moment::loaded(&src.take_tensor(prefix, leaf)?));
        Some(Self {
            exp_avg: moment("exp_avg")?,
            exp_avg_sq: moment("exp_avg_sq")?,
            steps,
        })
    }
}
