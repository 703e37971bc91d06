//! Settings of an optimizer that change from step to step.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource, join_path};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::ConfigError;
use std::fmt::{self, Debug};
use std::sync::Arc;

type Make<O> = dyn Fn(u64) -> Result<O, ConfigError> + Send + Sync;

/// An optimizer whose settings change from step to step: a closure makes it anew for each step.
///
/// Burn schedules only the learning rate. Here a closure makes a new inner optimizer for every step, so any
/// setting can follow a schedule: a momentum that falls while a one-cycle rate rises, a β₂ that warms up, a
/// weight decay that grows (DINO). The state passes from each inner optimizer to the next.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_optim::{OptimizerExt, Scheduled, SgdConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// // The momentum of one-cycle: 0.95 to 0.85 in 100 steps, and back.
/// let mut optim = Scheduled::build(|step| {
///     let share = (step as f64 / 100.0).min(2.0 - step as f64 / 100.0).max(0.0);
///     SgdConfig::torch().with_momentum_factor(0.95 - 0.1 * share).build()
/// })?
/// .init();
///
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let model = optim.step(0.1, model, grads);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// A decay that grows from 0.04 to 0.4 along a cosine, as in DINO:
///
/// ```
/// use burn_tricks_optim::{AdamWConfig, Scheduled};
///
/// let optim = Scheduled::build(|step| {
///     let share = (step as f64 / 10_000.0).min(1.0);
///     let decay = 0.4 - 0.36 * (1.0 + (std::f64::consts::PI * share).cos()) / 2.0;
///     AdamWConfig::torch().with_weight_decay(decay).build()
/// })?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// It is the innermost wrapper: it makes the optimizer around which you put other wrappers. The closure may also return
/// a wrapped optimizer, as long as the type is the same at every step. A lookahead with
/// [`reset_inner`](crate::LookaheadConfig::reset_inner) belongs inside the closure: around a `Scheduled` it would reset
/// the number of the step, and is refused.
/// If the closure ignores the step, `Scheduled` changes nothing.
///
/// # Cost
///
/// One number per parameter. A configuration and an optimizer are made for each parameter and step, which takes
/// a few dozen nanoseconds.
///
/// # Differences
///
/// - optax's `inject_hyperparams` schedules numbers by name; PyTorch's `OneCycleLR` and `CyclicLR` write the
///   momentum into the optimizer. Here only the number of steps is recorded, not the closure: give a resumed
///   run the same closure.
/// - Every parameter counts its own steps. A step that the inner optimizer skips is counted.
/// - An inner optimizer computes its bias correction from the number of steps and from its present settings, as if they
///   had been the same from the first step on. Adam divides v by `1 − β₂ᵗ` with the present β₂, and NAdam computes the
///   product of its momenta from the present β₁ (PyTorch records the product). If β₂ rises as `1 − 1/t`, v is the plain
///   mean of all squared gradients and needs no correction; but at t = 10 it is divided by `1 − 0.9¹⁰ = 0.65`, so the
///   step is 0.81 times as long as without a correction. Around a [`TrustRatio`](crate::TrustRatio) this does not
///   matter, since it sets the length of the step.
///
/// # References
///
/// - Smith, Topin, *Super-convergence*, 2018, <https://arxiv.org/abs/1708.07120> (momentum against the learning rate)
/// - Caron et al., *Emerging properties in self-supervised vision transformers*, 2021,
///   <https://arxiv.org/abs/2104.14294> (decay)
pub struct Scheduled<O> {
    make: Arc<Make<O>>,
}

impl<O: Optimizer> Scheduled<O> {
    /// An optimizer for which `make` makes the inner optimizer of each step, given the number of the step, from
    /// 1.
    ///
    /// # Errors
    ///
    /// Those of `make` for step 1.
    pub fn build(
        make: impl Fn(u64) -> Result<O, ConfigError> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        make(1)?;
        Ok(Self {
            make: Arc::new(make),
        })
    }

    /// The inner optimizer of the step with this number.
    ///
    /// # Errors
    ///
    /// Those of the closure.
    pub fn inner(&self, step: u64) -> Result<O, ConfigError> {
        (self.make)(step)
    }
}

impl<O> Clone for Scheduled<O> {
    fn clone(&self) -> Self {
        Self {
            make: self.make.clone(),
        }
    }
}

impl<O> Debug for Scheduled<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduled").finish_non_exhaustive()
    }
}

/// The state of a [`Scheduled`] optimizer for one parameter: the number of steps as `steps`, and the state of the
/// inner optimizer under `inner`.
#[derive(Debug, Clone)]
pub struct ScheduledState<S> {
    steps: u64,
    inner: Option<S>,
}

impl<O: Optimizer> Optimizer for Scheduled<O> {
    type State<const D: usize> = ScheduledState<O::State<D>>;

    /// # Panics
    ///
    /// If the closure returns an error for this step, with the number of the step and the error.
    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (steps, inner) = state.map_or((0, None), |state| (state.steps, state.inner));
        let steps = steps.saturating_add(1);
        let optim = self.inner(steps).unwrap_or_else(|error| {
            panic!("the closure of a scheduled optimizer made none for step {steps}: {error}")
        });
        let (weight, inner) = optim.step(lr, weight, grad, inner);
        (weight, Some(ScheduledState { steps, inner }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        ScheduledState {
            inner: state.inner.map(|inner| O::to_device(inner, device)),
            ..state
        }
    }
}

impl<S: RecordState> RecordState for ScheduledState<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "steps", self.steps.into());
        if let Some(inner) = &self.inner {
            inner.state_flatten(&join_path(prefix, "inner"), out);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let steps = u64::try_from(source.take_scalar(prefix, "steps")?).ok()?;
        let path = join_path(prefix, "inner");
        let inner = if source.has_under(&path) {
            Some(S::state_unflatten(&path, source, device)?)
        } else {
            None
        };
        Some(Self { steps, inner })
    }
}
