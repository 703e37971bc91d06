//! The optimizer of one parameter, whose step size depends on the estimate.

use super::estimate::{SharedEstimate, StepNumbers};
use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor, TensorData};
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
    exp_avg: Tensor<D>,
    /// v, the moving mean of their squares.
    exp_avg_sq: Tensor<D>,
    /// The number of the last step.
    steps: u64,
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
        let state = state.map(|state| [state.exp_avg.cast(dtype), state.exp_avg_sq.cast(dtype)]);
        let (weight, [m, v]) = rule.apply(&numbers, tensor, grad, state);
        let state = ProdigyAdamState {
            exp_avg: m,
            exp_avg_sq: v,
            steps: step.taken,
        };
        (weight, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        ProdigyAdamState {
            exp_avg: state.exp_avg.to_device(device),
            exp_avg_sq: state.exp_avg_sq.to_device(device),
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
    let (of_state, shape) = (state.exp_avg.dims(), weight.dims());
    assert!(
        of_state == shape,
        "the state of a parameter of shape {of_state:?} met one of {shape:?}"
    );
}

impl<const D: usize> RecordState for ProdigyAdamState<D> {
    #[allow(clippy::disallowed_methods)] // where a record is written, off the step path
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "exp_avg", self.exp_avg.clone().into_data());
        out.push_tensor(prefix, "exp_avg_sq", self.exp_avg_sq.clone().into_data());
        out.push_scalar(prefix, "steps", self.steps.into());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let steps = u64::try_from(src.take_scalar(prefix, "steps")?).ok()?;
        let mut tensor = |leaf| {
            let data: TensorData = src.take_tensor(prefix, leaf)?;
            let dtype = data.dtype();
            (data.shape().len() == D).then(|| Tensor::from_data(data, (device, dtype)))
        };
        Some(Self {
            exp_avg: tensor("exp_avg")?,
            exp_avg_sq: tensor("exp_avg_sq")?,
            steps,
        })
    }
}
