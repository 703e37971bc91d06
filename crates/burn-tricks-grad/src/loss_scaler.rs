//! Dynamic loss scaling.

use crate::finite::list_is_finite;
use crate::gradient_list::take;
use crate::gradient_order::GradientOrder;
use crate::rescale::{scale_gradients, scaled};
use crate::transform::GradientTransform;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use burn_tricks_core::{
    Config, ConfigError, SkipCount, StateError, named_state_from_bytes, named_state_to_bytes,
};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// By which a recorded state shows whose it is.
const NAME: &str = "LossScaler";

/// Configuration of [`LossScaler`], dynamic loss scaling: training in `f16` without losing small gradients.
///
/// ```text
/// backward of s · loss        s: the scale, 2¹⁶ at first
/// all gradients finite:       g ← g / s, the step is taken; after n such steps in a row s ← 2 s
/// else:                       the step is skipped, s ← s / 2
/// ```
///
/// In `f16` a number below 6e-8 is 0 and one above 65,504 infinite. Multiplied by s, the gradients of
/// activations stay inside this range during the backward pass. `bf16` and `f32` do not need loss scaling.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{DType, Device, FloatDType, Tensor};
/// use burn_tricks_core::{cast_copy, copy_statistics};
/// use burn_tricks_grad::LossScalerConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).with_bias(false).init(&device); // weights in `f32`
/// let mut optim = SgdConfig::new().init();
/// let mut scaler = LossScalerConfig::new().init()?;
///
/// for size in [0.1, f32::INFINITY, 0.2] {
///     let half = cast_copy(&model, FloatDType::F16); // forward and backward pass in `f16`
///     let logits = half.forward(Tensor::<2>::full([8, 4], size, (&device, DType::F16)));
///     let loss = logits.cast(DType::F32).square().mean(); // the loss in `f32`
///     let grads = GradientsParams::from_grads(scaler.scale(loss).backward(), &model);
///     let Some(grads) = scaler.unscale(&model, grads) else {
///         continue; // no step, no schedule.step(), no ema.update()
///     };
///     copy_statistics(&half, &model)?; // if there are batch norms
///     drop(half); // its weights need no memory during the step
///     model = optim.step(0.1, model, grads);
/// }
/// assert_eq!((scaler.loss_scale(), scaler.skipped()), (32_768.0, 1));
/// # Ok(())
/// # }
/// ```
///
/// [`cast_copy`](burn_tricks_core::cast_copy) makes a copy of the model with running statistics of its own.
/// (`model.clone().map(..)` would also cast those of `model` to `f16`, since clones share them.)
/// [`copy_statistics`](burn_tricks_core::copy_statistics) gives the model what the forward pass has made of them, here
/// only if the step is taken, so that a batch whose activations overflow does not spoil them. Both functions are also in
/// `burn_tricks`.
///
/// In a `Learner`, use two clones of the scaler, which share one scale. Keep one in the model (`#[module(skip)]`),
/// whose `TrainStep::step` calls `self.scaler.scale(loss)`, and put the other first among the tricks:
/// `model.with_tricks((scaler, clip))`. A step panics if neither this scaler nor a clone of it was asked to `scale` a
/// loss since the step before, since its gradients would be those of a loss that was not scaled. (If a step has several
/// losses, as with accumulated micro-batches or the two backward passes of SAM, scale each of them: the check does not
/// notice if only some of them are scaled.) The `Learner` asks its schedule for a learning rate before the gradients
/// are known: give it `schedule.repeating_skipped(scaler.skips())` of `burn-tricks-schedule`, which repeats the last
/// rate after a skipped step.
///
/// # Order
///
/// Unscale directly after accumulation, before any other transform of the gradients: a clip in front of it would see
/// gradients that are s times as large, and a [`StepGuard`](crate::StepGuard) would skip a step that should halve s.
/// `Then`, tuples and `Vec` of transforms panic at their first step if a scaler that is on is not the first, and so
/// does an [`Only`](crate::Only) that would leave the gradients of other parameters scaled. In a `Learner`, a trick
/// that sees the gradients must not stand before the scaler, either: a `Session` refuses to launch, and without a
/// session the first step panics. Both errors name the two tricks. (`MeanOfAccumulated` may stand anywhere.) The scale
/// changes only in [`unscale`](LossScaler::unscale). So with gradient accumulation it changes once per window, and all
/// micro-batches of a window have the same scale.
///
/// With several optimizers, unscale all gradients of one backward pass at once, and split them among the optimizers
/// afterwards, by [`GradientsExt::take`](crate::GradientsExt::take). With several losses (a generator's and a
/// discriminator's), give each a scaler of its own: if two losses are scaled by the same s, unscaling the gradients of
/// the first may change s, and those of the second would then be divided by another number than they were multiplied
/// by.
///
/// Under Burn's `ddp` the first step panics, since the workers would share one scale, which the first of them changes
/// before the others have divided by it.
///
/// # Cost
///
/// A read of the gradients, then a read and a write, and one number read from the device per step. A scaler
/// that is [off](LossScalerConfig::enabled) costs nothing.
///
/// # State
///
/// The scale, the counts of steps, and whether a loss has been scaled since the last step. A resumed run continues with
/// them, also in the middle of a window of a [`GradAccumulator`](crate::GradAccumulator).
///
/// # Differences
///
/// - The rule and the defaults are those of PyTorch's `GradScaler`, whose `unscale_`, `step` and `update` are
///   one call here, so that a scaler serves one loss. PyTorch's schedules advance even if a step is skipped; here
///   `unscale` returns `None`, so the program can leave its schedule alone.
/// - PyTorch's scale can shrink to 0 in a run that never recovers, and all gradients are NaN from then on,
///   since they are divided by it. Here the scale is never below 1.2e-38, the smallest normal number of `f32`;
///   [`skipped_in_a_row`](LossScaler::skipped_in_a_row) shows such a run long before.
/// - The unscaled gradients have the type of the gradients. Keep the weights in `f32` and cast them in the
///   forward pass, as in the example: then their gradients are in `f32`. The gradients of
///   weights in `f16` are in `f16`, and those below 6e-8 are rounded to 0 after all when they are divided by s.
///
/// # Suggested values
///
/// The defaults.
///
/// # References
///
/// - Micikevicius et al., *Mixed precision training*, 2018, <https://arxiv.org/abs/1710.03740>
/// - PyTorch, `torch.amp.GradScaler`
#[derive(Config, Debug, PartialEq)]
pub struct LossScalerConfig {
    /// The initial value of s, greater than 0 and not subnormal. Default: 65536.0.
    #[config(default = 65536.0)]
    pub init_scale: f32,
    /// The factor by which s grows after `growth_interval` steps, greater than 1. Default: 2.
    #[config(default = 2.0)]
    pub growth_factor: f32,
    /// The factor by which s shrinks after a skipped step, in (0, 1). Default: 0.5.
    #[config(default = 0.5)]
    pub backoff_factor: f32,
    /// n, the number of steps in a row that must be taken before s grows, at least 1. Default: 2000.
    #[config(default = 2000)]
    pub growth_interval: u32,
    /// Whether the scaler is on. If it is off, losses and gradients are returned as they are, and nothing is
    /// read from the device. Default: yes.
    #[config(default = true)]
    pub enabled: bool,
}

impl LossScalerConfig {
    /// The scaler.
    ///
    /// # Errors
    ///
    /// If a number is outside the range that its field names.
    pub fn init(&self) -> Result<LossScaler, ConfigError> {
        ConfigError::positive("init_scale", self.init_scale)?;
        if self.init_scale < f32::MIN_POSITIVE {
            return Err(ConfigError::new(
                "init_scale",
                "be at least the smallest normal number of `f32`, 1.2e-38",
                self.init_scale,
            ));
        }
        if !(self.growth_factor.is_finite() && self.growth_factor > 1.0) {
            let must = "be a finite number greater than 1";
            return Err(ConfigError::new("growth_factor", must, self.growth_factor));
        }
        if !(self.backoff_factor > 0.0 && self.backoff_factor < 1.0) {
            let must = "lie in (0, 1)";
            return Err(ConfigError::new(
                "backoff_factor",
                must,
                self.backoff_factor,
            ));
        }
        if self.growth_interval == 0 {
            return Err(ConfigError::new(
                "growth_interval",
                "be at least 1",
                self.growth_interval,
            ));
        }
        Ok(LossScaler {
            config: self.clone(),
            state: Arc::new(Mutex::new(State::new(self.init_scale))),
            has_scaled: Arc::new(AtomicBool::new(false)),
            skips: SkipCount::new(),
        })
    }
}

/// Scales losses and unscales gradients. Made by [`LossScalerConfig::init`]. Clones share the scale.
#[derive(Debug, Clone)]
pub struct LossScaler {
    config: LossScalerConfig,
    state: Arc<Mutex<State>>,
    /// Whether a loss has been scaled since the last step.
    has_scaled: Arc<AtomicBool>,
    skips: SkipCount,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct State {
    scale: f32,
    /// The number of steps taken since the scale changed.
    taken_in_a_row: u32,
    skipped: u64,
    skipped_in_a_row: u64,
}

impl State {
    fn new(scale: f32) -> Self {
        Self {
            scale,
            taken_in_a_row: 0,
            skipped: 0,
            skipped_in_a_row: 0,
        }
    }
}

impl LossScaler {
    /// `loss · s`, to call `backward` on. `s` is the same until [`unscale`](Self::unscale).
    ///
    /// # Panics
    ///
    /// If `loss` is in `f16`, which cannot hold 65,536: cast the logits to `f32` and compute the loss in `f32`.
    #[must_use]
    pub fn scale<const D: usize>(&self, loss: Tensor<D>) -> Tensor<D> {
        if !self.config.enabled {
            return loss;
        }
        assert!(
            loss.dtype() != DType::F16,
            "a loss in f16 cannot be scaled by {}: cast the logits to f32 and calculate the loss in f32",
            self.loss_scale(),
        );
        self.has_scaled.store(true, Ordering::Relaxed);
        loss * self.loss_scale()
    }

    /// The gradients of the loss itself, from those of the scaled loss. `None` if a gradient is not finite:
    /// then skip the step. Adapts the scale for the next step. Without gradients it changes neither the scale nor the
    /// counts of steps. Waits for the device.
    ///
    /// # Panics
    ///
    /// If there are gradients, and neither this scaler nor a clone of it has scaled a loss since the last call: those
    /// gradients are not scaled. Also if there are gradients of parameters that `module` does not have, since they would stay
    /// multiplied by s. A scaler that is off does not panic.
    #[must_use]
    pub fn unscale<M: Module>(
        &mut self,
        module: &M,
        grads: GradientsParams,
    ) -> Option<GradientsParams> {
        self.unscale_multiple(module, grads, 1.0, true)
    }

    /// [`unscale`](Self::unscale) of `times` the gradients. Those of parameters that `module` does not have stay as they
    /// are, or are refused.
    fn unscale_multiple<M: Module>(
        &mut self,
        module: &M,
        grads: GradientsParams,
        times: f64,
        refuses_others: bool,
    ) -> Option<GradientsParams> {
        if !self.config.enabled {
            return Some(scale_gradients(module, grads, times));
        }
        let used = self.lock().scale;
        let has_scaled = self.has_scaled.swap(false, Ordering::Relaxed);
        assert!(
            grads.is_empty() || has_scaled,
            "`LossScaler` would divide the gradients by {used}, and has scaled no loss since the last step: call `scale` of \
             this scaler, or of a clone of it, with the loss before `backward`"
        );
        let (mut grads, taken) = take(module, grads);
        assert!(
            grads.is_empty() || !refuses_others,
            "`LossScaler` would leave the gradients of {} parameters multiplied by {used}, since the module does not have \
             these parameters: call `unscale` with the module that has all of them, and split the gradients afterwards",
            grads.len()
        );
        match list_is_finite(&taken.list) {
            Some(true) => {
                self.grow();
                scaled(taken, times / f64::from(used)).put_into(&mut grads);
                Some(grads)
            }
            Some(false) => {
                self.back_off();
                None
            }
            // Without a number they do not show whether the scale is too large.
            None => {
                taken.put_into(&mut grads);
                Some(grads)
            }
        }
    }

    /// s, by which the next loss is multiplied; 1 if the scaler is off.
    pub fn loss_scale(&self) -> f32 {
        if self.config.enabled {
            self.lock().scale
        } else {
            1.0
        }
    }

    /// How many steps were skipped.
    pub fn skipped(&self) -> u64 {
        self.lock().skipped
    }

    /// How many steps were skipped since the last that was taken. A few at the beginning are normal.
    pub fn skipped_in_a_row(&self) -> u64 {
        self.lock().skipped_in_a_row
    }

    /// A handle to the count of skipped steps, for a schedule that other code steps.
    pub fn skips(&self) -> SkipCount {
        self.skips.clone()
    }

    fn grow(&self) {
        let mut state = self.lock();
        state.skipped_in_a_row = 0;
        state.taken_in_a_row += 1;
        if state.taken_in_a_row < self.config.growth_interval {
            return;
        }
        state.taken_in_a_row = 0;
        let grown = state.scale * self.config.growth_factor;
        if grown.is_finite() {
            state.scale = grown;
        }
    }

    fn back_off(&self) {
        let mut state = self.lock();
        // Of a scale of 0 the gradients would be 0 / 0.
        state.scale = (state.scale * self.config.backoff_factor).max(f32::MIN_POSITIVE);
        state.taken_in_a_row = 0;
        state.skipped += 1;
        state.skipped_in_a_row += 1;
        self.skips.set(state.skipped);
    }

    /// The state is consistent after every statement that holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state that a resumed run needs: the scale, the counts of steps, and whether a loss has been scaled since the last
    /// step.
    pub fn state(&self) -> Vec<u8> {
        let has_scaled = self.has_scaled.load(Ordering::Relaxed);
        named_state_to_bytes(NAME, &(*self.lock(), has_scaled))
    }

    /// Continues from a state that [`state`](Self::state) returned.
    ///
    /// # Errors
    ///
    /// If it is not such a state, or if its scale is not a normal number above 0.
    pub fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let (state, has_scaled): (State, bool) = named_state_from_bytes(NAME, state)?;
        if !(state.scale.is_finite() && state.scale >= f32::MIN_POSITIVE) {
            return Err(format!("its loss scale is {}", state.scale).into());
        }
        self.skips.set(state.skipped);
        *self.lock() = state;
        self.has_scaled.store(has_scaled, Ordering::Relaxed);
        Ok(())
    }
}

/// A skipped step has no gradients. Like every transform it leaves gradients of parameters that the model does not have as
/// they are, which is multiplied by s: [`unscale`](LossScaler::unscale) refuses them.
impl GradientTransform for LossScaler {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        self.unscale_multiple(model, grads, 1.0, false)
            .unwrap_or_default()
    }

    fn apply_scaled<M: Module>(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
    ) -> GradientsParams {
        self.unscale_multiple(model, grads, factor, false)
            .unwrap_or_default()
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        if self.config.enabled {
            order.add_memory::<Self>(true);
        }
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{:?}", self.config)]
    }

    fn restart(&mut self) {
        *self.lock() = State::new(self.config.init_scale);
        self.skips.set(0);
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(Self::state(self))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        Self::load_state(self, state)
    }

    /// None: the scale and the counts go on, since a schedule compares the number of skipped steps with what it has
    /// seen, and a scale at which gradients overflowed must not come back.
    fn roll_back_state(&self) -> Option<Vec<u8>> {
        None
    }
}
