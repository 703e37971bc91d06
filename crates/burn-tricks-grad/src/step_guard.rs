//! Skips a step if a gradient holds an infinity or a NaN.

use crate::finite::is_finite;
use crate::norm::NormKind;
use crate::rescale::{NonFinite, rescale};
use crate::transform::GradientTransform;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn_tricks_core::{
    NormScope, SkipCount, StateError, named_state_from_bytes, named_state_to_bytes,
};

/// By which a recorded state shows whose it is.
const NAME: &str = "StepGuard";

/// Skips a step if a gradient holds an infinity or a NaN, for any optimizer, and counts the skipped steps. Reads
/// the device once per step.
///
/// A skipped step should change nothing: not the weights, not the optimizer's moments, not its step count, not
/// the schedule, not a weight average. There are two ways to skip a step:
///
/// | | [`NonFinite::SkipStep`], [`mark_non_finite`] | [`StepGuard`] |
/// | --- | --- | --- |
/// | optimizers | those of `burn-tricks-optim`, with `skip_marked` | any |
/// | reads the device | never | one number per step |
/// | weights, moments, step count | stay | stay |
/// | schedule, weight average, your counters | advance: the host does not know of the skip | stay: the host knows of the skip |
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler as _;
/// use burn::module::Module;
/// use burn::nn::LinearConfig;
/// use burn::optim::{AdamConfig, GradientsParams};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::StepGuard;
///
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = AdamConfig::new().init(); // Burn's, or any other
/// let mut schedule = 1e-3; // a constant rate
/// let mut guard = StepGuard::new();
///
/// for size in [1.0, f32::INFINITY, 2.0] {
///     let input = Tensor::<2>::full([8, 4], size, &device);
///     let loss = model.forward(input).square().mean();
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     let Some(grads) = guard.admit(&model, grads) else {
///         assert!(guard.skipped_in_a_row() < 10, "the training has diverged");
///         continue; // no step: the schedule keeps its rate, and the average is not updated
///     };
///     model = optim.step(schedule.step(), model, grads);
///     // ema.update(&model);
/// }
/// assert_eq!((guard.taken(), guard.skipped()), (2, 1));
/// ```
///
/// Gradients marked on the device, without clipping, for an optimizer of `burn-tricks-optim` with
/// `skip_marked`:
///
/// ```
/// # use burn::nn::LinearConfig;
/// # use burn::optim::GradientsParams;
/// # use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::mark_non_finite;
///
/// # let device = Device::flex().autodiff();
/// # let model = LinearConfig::new(4, 2).init(&device);
/// # let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// # let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let grads = mark_non_finite(&model, grads);
/// # let _ = grads;
/// ```
///
/// # Order
///
/// Check the gradients after accumulating and unscaling, before any other transform changes them. With gradient
/// accumulation, check the accumulated gradients: the step of the whole window is skipped, and the accumulator
/// starts anew as it does after a step.
///
/// A single micro-batch can be left out by its loss: one that is added with 0 samples does not change the mean. This reads a
/// number from the device for each micro-batch. Check the mean as well, since gradients may not be finite although the loss
/// is:
///
/// ```
/// # use burn::nn::LinearConfig;
/// # use burn::optim::SgdConfig;
/// # use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::{GradAccumulatorConfig, StepGuard};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let device = Device::flex().autodiff();
/// # let mut model = LinearConfig::new(4, 2).init(&device);
/// # let mut optim = SgdConfig::new().init();
/// let mut guard = StepGuard::new();
/// let mut accumulator = GradAccumulatorConfig::new(2).init()?;
/// for size in [1.0, f32::INFINITY] {
///     let loss = model.forward(Tensor::<2>::full([8, 4], size, &device)).square().mean();
///     let is_finite = loss.clone().into_scalar::<f32>().is_finite();
///     let samples = if is_finite { 8 } else { 0 };
///     let Some(grads) = accumulator.add(&model, loss.backward(), samples) else {
///         continue; // the window is not full, or none of its losses was finite
///     };
///     let Some(grads) = guard.admit(&model, grads) else { continue };
///     model = optim.step(0.1, model, grads); // by the first micro-batch alone
/// }
/// assert_eq!((guard.taken(), guard.skipped()), (1, 0));
/// # Ok(())
/// # }
/// ```
///
/// The effects of the forward pass are not undone: a bad batch has already changed the running statistics of
/// batch norms. A recurrent network that carries its hidden state from batch to batch must reset this state when
/// [`admit`](StepGuard::admit) returns `None`; otherwise an infinity in it makes every later step a skipped one.
///
/// As a transform, a guard does not count a step without gradients, which a transform before it has skipped.
///
/// In a `Learner`, a `StepGuard` is a trick: `model.with_tricks((guard, clip, ema))`. In a skipped step,
/// neither the optimizer nor the part of the tricks after the step is called. The `Learner` asks its schedule
/// for a learning rate before the gradients are known: give it `schedule.repeating_skipped(guard.skips())` of
/// `burn-tricks-schedule`, which repeats the last rate after a skipped step.
///
/// Under Burn's `ddp` each worker skips the same steps, since all have the same gradients. The shared count adds up the
/// skips of all workers, so do not give it to a schedule there.
///
/// # Cost
///
/// One read of the gradients, and one number read from the device per step.
///
/// # Differences
///
/// PyTorch's `GradScaler.step` skips only the optimizer's step, and PyTorch's schedulers advance (with a
/// warning only at the first step). optax's `apply_if_finite` lets the bad gradient through after
/// `max_consecutive_errors`; here the program can decide by [`skipped_in_a_row`](StepGuard::skipped_in_a_row).
///
/// # References
///
/// - PyTorch, `torch.amp.GradScaler`; optax, `apply_if_finite`
#[derive(Debug, Clone, Default)]
pub struct StepGuard {
    taken: u64,
    unseen: u64,
    in_a_row: u64,
    skips: SkipCount,
}

impl StepGuard {
    /// A guard whose counts are zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The gradients, if every gradient of `module` is finite. Otherwise `None`: then skip the step. Waits for
    /// the device. Gradients among which there is none of `module` are counted in
    /// [`without_gradients`](Self::without_gradients).
    #[must_use]
    pub fn admit<M: Module>(
        &mut self,
        module: &M,
        grads: GradientsParams,
    ) -> Option<GradientsParams> {
        match is_finite(module, &grads) {
            Some(true) => {
                self.taken += 1;
                self.in_a_row = 0;
                Some(grads)
            }
            Some(false) => {
                self.in_a_row += 1;
                self.skips.add();
                None
            }
            None => {
                self.unseen += 1;
                Some(grads)
            }
        }
    }

    /// How many times [`admit`](Self::admit) was given no gradient of a parameter of its module, for example gradients of
    /// another model. It returns them as they are, and counts a step neither as taken nor as skipped. Each clone counts its
    /// own, and the count is not part of the state.
    pub fn without_gradients(&self) -> u64 {
        self.unseen
    }

    /// How many steps were taken. Each clone counts its own: a clone of a guard that is among the tricks of a `Learner` knows
    /// only of [`skipped`](Self::skipped) steps.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many steps were skipped, by this guard and its clones.
    pub fn skipped(&self) -> u64 {
        self.skips.get()
    }

    /// How many steps were skipped since the last step that was taken. Each clone counts its own; in a `Learner`,
    /// `StopAfterSkips` of `burn-tricks-train` stops the training after a given number of them.
    pub fn skipped_in_a_row(&self) -> u64 {
        self.in_a_row
    }

    /// A handle to the count of skipped steps, for a schedule that other code steps. Clones of this guard share
    /// the count.
    pub fn skips(&self) -> SkipCount {
        self.skips.clone()
    }

    /// The state that a resumed run needs: steps taken, skipped, and skipped in a row.
    pub fn state(&self) -> [u64; 3] {
        [self.taken, self.skipped(), self.in_a_row]
    }

    /// Continues from a state that [`state`](Self::state) returned. Handles from [`skips`](Self::skips) see the
    /// change.
    pub fn load_state(&mut self, [taken, skipped, in_a_row]: [u64; 3]) {
        self.taken = taken;
        self.in_a_row = in_a_row;
        self.skips.set(skipped);
    }
}

/// A skipped step has no gradients.
impl GradientTransform for StepGuard {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        if grads.is_empty() {
            return grads; // skipped before, which is not this guard's to count
        }
        self.admit(model, grads).unwrap_or_default()
    }

    fn restart(&mut self) {
        Self::load_state(self, [0; 3]);
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(named_state_to_bytes(NAME, &Self::state(self)))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        Self::load_state(self, named_state_from_bytes(NAME, state)?);
        Ok(())
    }

    /// None: the counts go on, since a schedule compares them with what it has seen.
    fn roll_back_state(&self) -> Option<Vec<u8>> {
        None
    }
}

/// Makes every number of every gradient of `module` NaN if one of them is not finite, and changes nothing
/// otherwise. This is the mark by which an optimizer of `burn-tricks-optim` with `skip_marked` recognises that
/// it must skip the step. Nothing is read from the device. With [`NonFinite::SkipStep`], clipping and
/// normalising set the mark in their own pass.
#[must_use]
pub fn mark_non_finite<M: Module>(module: &M, grads: GradientsParams) -> GradientsParams {
    let unchanged = &mut |norm: &crate::norm::ScaledNorm| norm.scale.ones_like();
    let (norm, scope) = (NormKind::L2, NormScope::Model);
    rescale(module, grads, norm, scope, NonFinite::SkipStep, unchanged).0
}
