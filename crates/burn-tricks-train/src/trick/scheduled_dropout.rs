//! A dropout rate that follows a schedule.

use crate::trick::Trick;
use crate::trick::step_context::StepContext;
use burn::module::Module;
use burn_tricks_core::{ConfigError, StateError, state_from_bytes, state_to_bytes};
use burn_tricks_grad::GradientOrder;
use burn_tricks_schedule::Curve;
use std::fmt::Debug;

/// A dropout rate that follows a schedule, in the `Learner`: a trick that sets the rate of every step.
///
/// ```text
/// p(t) = curve(t)     t: the optimizer steps taken, at most steps − 1; afterwards the rate stays
/// ```
///
/// Any closed-form schedule of learning rates serves as the curve.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_nn::{DropBlock, DropBlockConfig, Dropout, DropoutConfig};
/// use burn_tricks_schedule::{Curve, LinearRampConfig};
/// use burn_tricks_train::ScheduledDropout;
///
/// #[derive(Module, Debug)]
/// struct Net {
///     block: DropBlock,
///     dropout: Dropout,
///     output: Linear,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let device = Device::flex().autodiff();
/// # let model = Net {
/// #     block: DropBlockConfig::new(0.0).init()?,
/// #     dropout: DropoutConfig::new(0.0).init()?,
/// #     output: LinearConfig::new(4, 2).init(&device),
/// # };
/// let steps = 10_000;
/// let rate = LinearRampConfig::new(0.0, 0.1, steps).init()?;
/// let scheduled = ScheduledDropout::init(rate.clone(), steps, |model: &mut Net, rate| {
///     model.block.prob = rate;
///     model.dropout.prob = 2.0 * rate;
/// })?;
/// // `model.with_tricks((scheduled, clip))` does the rest; in a loop, before each step:
/// let mut model = model;
/// model.block.prob = rate.at(5_000);
/// assert!((model.block.prob - 0.05).abs() < 1e-3);
/// # let _ = scheduled.rate(5_000);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Anywhere among the tricks. It sets the rate of the first step when Burn copies the model to its device, at the
/// beginning of the run, and that of the next step after each step. A resumed session continues with the rate of its
/// step. Skipped steps count, as for a schedule. The function decides where it sets the rate, so it can give single
/// layers a multiple of the rate, as with [`DepthSchedule`](burn_tricks_nn::DepthSchedule). The rate of a layer is not
/// part of the model's record: a loaded model has the rate that it was made with.
///
/// # Cost
///
/// A call of the function at each step, and `steps` numbers computed once, at `init`.
///
/// # Differences
///
/// Composer's `GyroDropout` draws a set of masks in advance and goes through them, at a constant rate. Curriculum dropout
/// (Morerio et al.) is an exponential curve from no dropout on; early dropout (Liu et al.) a curve that falls to 0.
///
/// # Suggested values
///
/// From 0 up to the rate (DropBlock, Ghiasi et al.); from a rate down to 0 in the first tenth of the training for a model
/// that underfits (Liu et al.).
///
/// # References
///
/// - Morerio et al., *Curriculum dropout*, 2017, <https://arxiv.org/abs/1703.06229>
/// - Ghiasi, Lin, Le, *DropBlock*, 2018, <https://arxiv.org/abs/1810.12890>
/// - Liu et al., *Dropout reduces underfitting*, 2023, <https://arxiv.org/abs/2303.01500>
pub struct ScheduledDropout<M, C> {
    curve: C,
    steps: usize,
    set: fn(&mut M, f64),
    /// The optimizer steps taken.
    taken: u64,
}

impl<M, C: Clone> Clone for ScheduledDropout<M, C> {
    fn clone(&self) -> Self {
        Self {
            curve: self.curve.clone(),
            ..*self
        }
    }
}

impl<M, C: Debug> Debug for ScheduledDropout<M, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScheduledDropout")
            .field("curve", &self.curve)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl<M, C: Curve> ScheduledDropout<M, C> {
    /// The trick for a run of `steps` optimizer steps, which passes the rate of each step to `set`. `set` is a function,
    /// or a closure that captures nothing.
    ///
    /// # Errors
    ///
    /// If `steps` is 0, or if a rate of these steps does not lie in [0, 1). What `set` makes of a rate cannot be checked
    /// here: a layer whose `prob` was set to a value outside [0, 1) panics in its `forward`, with that value.
    pub fn init(curve: C, steps: usize, set: fn(&mut M, f64)) -> Result<Self, ConfigError> {
        ConfigError::at_least_one("steps", steps)?;
        for step in 0..steps as u64 {
            ConfigError::within("rate", curve.at(step), 0.0..1.0)?;
        }
        Ok(Self {
            curve,
            steps,
            set,
            taken: 0,
        })
    }

    /// The rate after `taken` optimizer steps.
    pub fn rate(&self, taken: u64) -> f64 {
        self.curve.at(taken.min(self.steps as u64 - 1))
    }

    fn apply(&self, mut model: M) -> M {
        (self.set)(&mut model, self.rate(self.taken));
        model
    }
}

impl<M: Module, C: Curve + Debug + Send> Trick<M> for ScheduledDropout<M, C> {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn after(&mut self, model: M, step: &StepContext) -> M {
        self.taken = step.step();
        self.apply(model)
    }

    /// Is called at the beginning of a run, and when Burn copies the model to other devices.
    fn rebuilt(&self, model: M) -> M {
        self.apply(model)
    }

    fn restart(&mut self, _model: &M) {
        self.taken = 0;
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(state_to_bytes(&self.taken))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.taken = state_from_bytes(state)?;
        Ok(())
    }
}
