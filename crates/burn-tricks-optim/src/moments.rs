//! What Adam and AdamW share: two moments, AMSGrad's maximum, and how they are recorded.

use crate::held::Held;
use burn::optim::{RecordState, StateSink, StateSource, join_path};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::ConfigError;
use burn_tricks_kernels::{Skip, StepCount, TimedAdam, TimedAmsGrad, TimedStep, WeightDecayTerm};

/// The state of [`Adam`](crate::Adam) and [`AdamW`](crate::AdamW) for one parameter, in the layout of
/// Burn's own record: `momentum.time`, `momentum.moment_1`, `momentum.moment_2` and, for AMSGrad,
/// `momentum.max_moment_2`.
#[derive(Debug, Clone)]
pub struct AdamState<const D: usize> {
    time: StepCount,
    moment_1: Held<D>,
    moment_2: Held<D>,
    max_moment_2: Option<Held<D>>,
}

impl<const D: usize> AdamState<D> {
    pub(crate) fn moved_to(self, device: &Device) -> Self {
        Self {
            time: self.time.moved_to(device),
            moment_1: self.moment_1.moved_to(device),
            moment_2: self.moment_2.moved_to(device),
            max_moment_2: self.max_moment_2.map(|max| max.moved_to(device)),
        }
    }
}

impl<const D: usize> RecordState for AdamState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        let prefix = join_path(prefix, "momentum");
        out.push_scalar(&prefix, "time", self.time.read().into());
        self.moment_1.write(&prefix, "moment_1", out);
        self.moment_2.write(&prefix, "moment_2", out);
        if let Some(max) = &self.max_moment_2 {
            max.write(&prefix, "max_moment_2", out);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _default: &Device) -> Option<Self> {
        let prefix = join_path(prefix, "momentum");
        Some(Self {
            time: StepCount::new(u64::try_from(source.take_scalar(&prefix, "time")?).ok()?),
            moment_1: Held::read(&prefix, "moment_1", source)?,
            moment_2: Held::read(&prefix, "moment_2", source)?,
            max_moment_2: Held::read(&prefix, "max_moment_2", source),
        })
    }
}

/// The numbers of Adam that do not change from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    amsgrad: bool,
}

impl Moments {
    pub(crate) fn new(
        beta_1: f64,
        beta_2: f64,
        epsilon: f64,
        amsgrad: bool,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            beta_1: ConfigError::decay_rate("beta_1", beta_1)?,
            beta_2: ConfigError::decay_rate("beta_2", beta_2)?,
            epsilon: ConfigError::positive("epsilon", epsilon)?,
            amsgrad,
        })
    }

    /// `skip` is not known to hold.
    pub(crate) fn step<const D: usize>(
        self,
        lr: f64,
        decay: WeightDecayTerm,
        skip: &Skip,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let time = state.as_ref().map(|state| state.time.clone());
        let time = time.unwrap_or(StepCount::new(0)).begun();
        let step = TimedAdam {
            lr,
            betas: (self.beta_1, self.beta_2),
            epsilon: self.epsilon,
            decay,
        };
        let moments = state.map(|state| {
            let (m, v) = (
                state.moment_1.beside(&weight, "moment_1"),
                state.moment_2.beside(&weight, "moment_2"),
            );
            let max = state
                .max_moment_2
                .map(|max| max.beside(&weight, "max_moment_2"));
            (m, v, max)
        });
        let (weight, m, v, max) = if self.amsgrad {
            // A run that only now turns to AMSGrad has seen no maximum: it starts with this step's.
            let moments = moments.map(|(m, v, max)| {
                let max = max.unwrap_or_else(|| v.zeros_like());
                [m, v, max]
            });
            let step = TimedAmsGrad(step);
            let (weight, [m, v, max]) = step.apply_unless(skip, &time, weight, grad, moments);
            (weight, m, v, Some(max))
        } else {
            let moments = moments.map(|(m, v, _)| [m, v]);
            let (weight, [m, v]) = step.apply_unless(skip, &time, weight, grad, moments);
            (weight, m, v, None)
        };
        let state = AdamState {
            time: time.ended(skip),
            moment_1: m.into(),
            moment_2: v.into(),
            max_moment_2: max.map(Held::from),
        };
        (weight, Some(state))
    }
}
