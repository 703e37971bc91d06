//! The last state of a training whose weights were finite, and the steps since then, taken again.

use crate::numbers::{finite_if_all_are, join, read};
use crate::probe::Probe;
use crate::replay::hunt::Hunt;
use crate::replay::origin::{NonFiniteOrigin, NonFinitePlace};
use burn::module::{Module, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_core::{Config, ConfigError, independent_copy, tie};
use std::fmt::Debug;

/// The settings of a [`LastGood`], which keeps the last state of a training whose weights were finite.
///
/// When a training has become NaN, the cause is gone: every number is NaN. From the last good state the steps are taken
/// again, and [`GoodState::replay`] looks at every weight, activation and gradient of each step. It names the first
/// that is not finite, forward or backward, with the numbers around it.
///
/// # Example
///
/// A root whose gradient at 0 is infinite, in step 6:
///
/// ```
/// use burn::nn::{Initializer, LinearConfig};
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_diagnose::{LastGoodConfig, NonFinitePlace};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let layer = LinearConfig::new(2, 1).with_initializer(Initializer::Ones).with_bias(false);
/// let mut model = layer.init(&device);
/// let mut optim = SgdConfig::new().init();
/// // The batch of a step, by its number.
/// let batch = |step: usize| {
///     let size = if step == 6 { 0.0 } else { 1.0 };
///     Tensor::<2>::ones([1, 2], &device) * size
/// };
/// let mut last_good = LastGoodConfig::new().with_every(2).init()?;
/// for step in 1..=20 {
///     if !last_good.keep(step, &model, &optim) {
///         break; // the weights are no longer finite
///     }
///     let loss = model.forward(batch(step)).sqrt().mean();
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     model = optim.step(1e-3, model, grads);
/// }
/// let state = last_good.state().unwrap();
/// assert_eq!(state.step(), 5);
/// let origin = state.replay(
///     20,
///     None, // a probe, if the model has one
///     |model, step| model.forward(batch(step)).sqrt().mean(),
///     |optim, model, grads, _step| optim.step(1e-3, model, grads),
/// );
/// let origin = origin.unwrap();
/// println!("{origin}");
/// assert_eq!((origin.step, origin.place), (6, NonFinitePlace::Gradient));
/// assert_eq!(origin.path, "weight");
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// [`LastGood::keep`] comes at the beginning of a step, before the forward pass. To replay, the program must find the
/// batch of a step again by its number: the `EpochLoader` of `burn-tricks-train` orders the samples by seed
/// and epoch.
///
/// # Random numbers
///
/// The random stream of a device can be neither read nor put back in Burn 0.22. With a [`seed`](Self::seed), `keep`
/// seeds the device whenever it keeps a state, with the sum of the seed and the step, and a replay does the same: dropout
/// then draws the same masks. Without one, a replay draws others.
///
/// # Cost
///
/// Once in [`every`](Self::every) steps: a read of all weights, and one number that is read from the device. Memory for
/// one more model and one more state of the optimizer. A replay reads every number of each step.
#[derive(Config, Debug)]
pub struct LastGoodConfig {
    /// The number of steps from one kept state to the next. Default: 100.
    #[config(default = 100)]
    pub every: usize,
    /// The seed from which the device is seeded whenever a state is kept. Default: the device is not seeded.
    pub seed: Option<u64>,
}

impl LastGoodConfig {
    /// A keeper without a state.
    ///
    /// # Errors
    ///
    /// If `every` is 0.
    pub fn init<M: Module>(&self) -> Result<LastGood<M>, ConfigError> {
        ConfigError::at_least_one("every", self.every)?;
        Ok(LastGood {
            config: self.clone(),
            state: None,
            calls: 0,
            is_good: true,
        })
    }
}

/// Keeps the last state of a training whose weights were finite. See [`LastGoodConfig`].
pub struct LastGood<M> {
    config: LastGoodConfig,
    state: Option<GoodState<M>>,
    calls: usize,
    is_good: bool,
}

impl<M> Debug for LastGood<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LastGood")
            .field("config", &self.config)
            .field("state", &self.state)
            .field("is_good", &self.is_good)
            .finish_non_exhaustive()
    }
}

impl<M: Module> LastGood<M> {
    /// Keeps the state at the beginning of `step` if it is one to be kept and all weights are finite. The first call keeps
    /// one, and then each [`every`](LastGoodConfig::every)-th.
    ///
    /// Returns whether the weights were finite when they were looked at last. After `false` no other state is kept.
    pub fn keep(&mut self, step: usize, model: &M, optimizer: &ModuleOptimizer) -> bool {
        let is_due = self.calls.is_multiple_of(self.config.every);
        self.calls += 1;
        if !is_due || !self.is_good {
            return self.is_good;
        }
        self.is_good = is_finite(model);
        if self.is_good {
            let seed = self.config.seed.map(|seed| seed.wrapping_add(step as u64));
            let state = GoodState {
                step,
                seed,
                model: tie(independent_copy(model)),
                optimizer: optimizer.clone(),
            };
            state.reseed();
            self.state = Some(state);
        }
        self.is_good
    }

    /// The last good state; `None` before the first call, or if the first weights were not finite.
    pub fn state(&self) -> Option<&GoodState<M>> {
        self.state.as_ref()
    }
}

/// The state of a training at the beginning of a step, with finite weights.
pub struct GoodState<M> {
    step: usize,
    seed: Option<u64>,
    model: M,
    optimizer: ModuleOptimizer,
}

impl<M> Debug for GoodState<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GoodState")
            .field("step", &self.step)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl<M: Module> GoodState<M> {
    /// The number of the step that begins with this state.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The seed that the device was given in this state, if it was seeded.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// A copy of the model, with running statistics of its own.
    pub fn model(&self) -> M {
        tie(independent_copy(&self.model))
    }

    /// A copy of the optimizer.
    pub fn optimizer(&self) -> ModuleOptimizer {
        self.optimizer.clone()
    }

    fn reseed(&self) {
        if let Some(seed) = self.seed {
            for device in self.model.devices() {
                device.seed(seed);
            }
        }
    }

    /// Takes up to `steps` steps again from this state, on copies, and returns the first number that is not finite; `None`
    /// if there is none. The weights that the last of these steps makes are looked at too, as those at the beginning of the step
    /// after it. Hand it to [`Doctor::observe_non_finite`](crate::Doctor::observe_non_finite).
    ///
    /// `loss` gets the model and the number of the step, and returns the loss of its batch. `update` gets the optimizer,
    /// the model, its gradients and the number of the step, and returns the model after the step: it clips if the program
    /// clips, and knows the learning rate. With the `probe` of the model the activations are looked at, too. Waits for
    /// the device at every number.
    pub fn replay(
        &self,
        steps: usize,
        probe: Option<&Probe>,
        mut loss: impl FnMut(&M, usize) -> Tensor<1>,
        mut update: impl FnMut(&mut ModuleOptimizer, M, GradientsParams, usize) -> M,
    ) -> Option<NonFiniteOrigin> {
        let none = Probe::new();
        let probe = probe.unwrap_or(&none);
        let armed = probe.armed();
        let (mut model, mut optimizer) = (self.model(), self.optimizer());
        let mut hunt = Hunt::new();
        self.reseed();
        let end = self.step.saturating_add(steps);
        for step in self.step..=end {
            hunt.begin(step);
            hunt.model(&model, None);
            // Of the end, nothing but what the last step has made of the weights is looked at.
            if hunt.found().is_some() || step == end {
                break;
            }
            probe.arm(Some(step));
            probe.hunt(Some(hunt));
            let loss = loss(&model, step);
            let grads = probe.backward(&loss);
            hunt = probe.hunt(None).unwrap_or_else(Hunt::new);
            probe.close();
            // The loss comes before the gradients; what was found in the backward pass is a consequence.
            if hunt
                .found()
                .is_none_or(|found| found.place == NonFinitePlace::ActivationGradient)
            {
                let mut of_loss = Hunt::new();
                of_loss.begin(step);
                of_loss.look(NonFinitePlace::Loss, "loss", &loss);
                if of_loss.found().is_some() {
                    hunt = of_loss;
                }
            }
            if hunt.found().is_some() {
                break;
            }
            let grads = GradientsParams::from_grads(grads, &model);
            hunt.model(&model, Some(&grads));
            if hunt.found().is_some() {
                break;
            }
            model = update(&mut optimizer, model, grads, step);
        }
        probe.arm(armed);
        hunt.found().cloned()
    }
}

/// Whether all floats of `model` are finite. Waits for the device.
fn is_finite<M: Module>(model: &M) -> bool {
    struct Checks(Vec<Tensor<1>>);

    impl Visitor for Checks {
        fn float<const D: usize>(&mut self, _at: &Location, param: &Param<Tensor<D>>) {
            self.0.push(finite_if_all_are(&param.val()));
        }
    }

    let mut checks = Checks(Vec::new());
    visit(model, &mut checks);
    join(checks.0).is_none_or(|checks| read(&checks).iter().all(|check| check.is_finite()))
}
