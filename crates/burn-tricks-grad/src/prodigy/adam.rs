//! The optimizer of one parameter, whose step size depends on the estimate.

use super::estimate::{SharedEstimate, StepNumbers};
use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use burn_tricks_core::{ConfigError, accumulation_dtype};
use burn_tricks_kernels::{ProdigyNumbers, ProdigyStep};
use std::fmt::Debug;

/// Prodigy's step of one parameter. Made by [`Prodigy::build`](super::Prodigy::build); it shares the estimate
/// with that [`Prodigy`](super::Prodigy).
///
/// A step panics if [`Prodigy`](super::Prodigy) has not seen its gradients, if its learning rate differs from
/// that of the parameters stepped before it, or if the state is that of a parameter of another shape.
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
pub struct ProdigyAdamState<const D: usize> {
    /// m, the moving mean of the gradients times d.
    exp_avg: Moment<D>,
    /// v, the moving mean of their squares.
    exp_avg_sq: Moment<D>,
    /// The number of the last step.
    steps: u64,
}

/// A tensor on its device or, after a record is loaded, data on the host: Burn loads a record to `Device::default()`, which
/// in a program with several backends may be a GPU that does not exist, or that has no `f64`.
#[derive(Debug, Clone)]
enum Moment<const D: usize> {
    Device(Tensor<D>),
    Host(TensorData),
}

impl<const D: usize> Moment<D> {
    fn on(self, device: &Device) -> Tensor<D> {
        match self {
            Self::Device(tensor) => tensor.to_device(device),
            Self::Host(data) => {
                let dtype = data.dtype();
                Tensor::from_data(data, (device, dtype))
            }
        }
    }

    fn shape(&self) -> Vec<usize> {
        match self {
            Self::Device(tensor) => tensor.dims().to_vec(),
            Self::Host(data) => data.shape().to_vec(),
        }
    }

    fn data(&self) -> TensorData {
        match self {
            #[allow(clippy::disallowed_methods)] // where a record is written, off the step path
            Self::Device(tensor) => tensor.to_data(),
            Self::Host(data) => data.clone(),
        }
    }

    /// Data of a record that was loaded from a file are read from it when they are first used: now, while the file is
    /// there. `None` if they are not of rank `D`.
    fn loaded(data: &TensorData) -> Option<Self> {
        let (shape, dtype) = (data.shape(), data.dtype());
        let bytes = Bytes::from_bytes_vec(data.as_bytes().to_vec());
        let here = TensorData::from_bytes(bytes, shape, dtype);
        (here.shape().len() == D).then_some(Self::Host(here))
    }
}

impl Optimizer for ProdigyAdam {
    type State<const D: usize> = ProdigyAdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let mut estimate = self.estimate.lock();
        if lr == 0.0 {
            estimate.pass();
            return (tensor, state);
        }
        let step = estimate.step(lr).expect(UNSEEN);
        let settings = estimate.settings;
        drop(estimate);
        check(&step, lr, state.as_ref(), &tensor);

        let dtype = accumulation_dtype(tensor.dtype());
        let numbers = ProdigyNumbers {
            distance: step.distance,
            rate: step.rate,
            epsilon: step.epsilon,
        };
        let rule = ProdigyStep {
            betas: (settings.beta_1, settings.beta_2),
            weight_decay: self.weight_decay,
        };
        let device = tensor.device();
        let here = |moment: Moment<D>| moment.on(&device).cast(dtype);
        let state = state.map(|state| [state.exp_avg, state.exp_avg_sq].map(here));
        let (weight, [m, v]) = rule.apply(&numbers, tensor, grad, state);
        let state = ProdigyAdamState {
            exp_avg: Moment::Device(m),
            exp_avg_sq: Moment::Device(v),
            steps: step.taken,
        };
        (weight, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        ProdigyAdamState {
            exp_avg: Moment::Device(state.exp_avg.on(device)),
            exp_avg_sq: Moment::Device(state.exp_avg_sq.on(device)),
            steps: state.steps,
        }
    }
}

const UNSEEN: &str = "Prodigy has not seen the gradients of this step: call `prodigy.apply(&model, grads)` before \
                      `optim.step`, and load the states of both";

fn check<const D: usize>(
    step: &StepNumbers,
    lr: f64,
    state: Option<&ProdigyAdamState<D>>,
    weight: &Tensor<D>,
) {
    let of_step = step.lr;
    assert!(
        lr == of_step,
        "Prodigy needs one learning rate for all parameters, and has got {of_step} and {lr} in one step"
    );
    let Some(state) = state else { return };
    assert!(state.steps < step.taken, "{UNSEEN}");
    let (of_state, shape) = (state.exp_avg.shape(), weight.dims().to_vec());
    assert!(
        of_state == shape,
        "the state of a parameter of shape {of_state:?} met one of {shape:?}"
    );
}

impl<const D: usize> RecordState for ProdigyAdamState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "exp_avg", self.exp_avg.data());
        out.push_tensor(prefix, "exp_avg_sq", self.exp_avg_sq.data());
        out.push_scalar(prefix, "steps", self.steps.into());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, _default: &Device) -> Option<Self> {
        let steps = u64::try_from(src.take_scalar(prefix, "steps")?).ok()?;
        let mut moment = |leaf| Moment::loaded(&src.take_tensor(prefix, leaf)?);
        Some(Self {
            exp_avg: moment("exp_avg")?,
            exp_avg_sq: moment("exp_avg_sq")?,
            steps,
        })
    }
}
