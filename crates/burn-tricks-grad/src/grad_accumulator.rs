//! Gradient accumulation.

use crate::gradient_list::{self, GradientList};
use crate::stored::Stored;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_core::{
    Config, ConfigError, StateError, accumulation_dtype, named_state_from_bytes,
    named_state_to_bytes,
};
use burn_tricks_kernels::{TensorList, lerp_all};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// By which a recorded state shows whose it is.
const NAME: &str = "GradAccumulator";

/// Configuration of [`GradAccumulator`], which computes the gradient of a large batch from micro-batches that fit
/// into memory.
///
/// ```text
/// g = Σᵢ nᵢ gᵢ / Σᵢ nᵢ        gᵢ: the gradient of micro-batch i's mean loss, over its nᵢ samples
/// ```
///
/// A window is the set of micro-batches that make one optimizer step. g is the gradient of the mean loss over
/// all samples of the window, up to rounding, whatever the sizes of its micro-batches; this holds for a short
/// last window, too. Burn's `GradientsAccumulator` and `grads_accumulation` sum the gradients instead, so that
/// the gradient, and with SGD the step, grows with the number of micro-batches.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::{ClipGradNormConfig, GradAccumulatorConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = SgdConfig::new().init();
/// let clip = ClipGradNormConfig::new(1.0).init()?;
/// let mut accumulator = GradAccumulatorConfig::new(2).init()?;
///
/// let sizes = [8, 8, 8, 8, 3]; // windows of 16, 16 and 3 samples
/// for (i, size) in sizes.into_iter().enumerate() {
///     let loss = model.forward(Tensor::<2>::ones([size, 4], &device)).square().mean();
///     let is_last = i + 1 == sizes.len();
///     let mean = accumulator.add(&model, loss.backward(), size);
///     let mean = if is_last { mean.or_else(|| accumulator.finish(&model)) } else { mean };
///     if let Some(grads) = mean {
///         // Once per window: clip, step, schedule.step(), ema.update().
///         let grads = clip.apply(&model, grads);
///         model = optim.step(0.1, model, grads);
///     }
/// }
/// assert!(accumulator.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The accumulator comes first. It takes the result of `backward` directly, so you cannot by mistake clip
/// inside a window, which would not bound the norm of the mean. If the loss is scaled, unscale after it.
///
/// # Cost
///
/// Memory for one more set of gradients. For each micro-batch but the first, two sets of gradients are read and
/// one is written, in place on the CPU. Gradients in half precision are accumulated in `f32`. No value is read
/// from a device.
///
/// # State
///
/// The mean gradient of the current window. Between two windows, when [`is_empty`](GradAccumulator::is_empty) is true,
/// there is nothing to save. A run that is saved in the middle of a window, by a call of
/// [`state`](GradAccumulator::state), continues there after [`load_state`](GradAccumulator::load_state), to the bit.
///
/// # Differences
///
/// - optax's `MultiSteps` and Keras's `gradient_accumulation_steps` take the mean over micro-batches, which is
///   the same for micro-batches of equal size. In PyTorch the program divides each loss by hand and the
///   gradients are summed, so the gradient of a short last window is too small.
/// - Statistics that a layer computes from a batch, above all those of batch norm, are still those of a
///   micro-batch.
///
/// # In a `Learner`
///
/// Use `MeanOfAccumulated` of `burn-tricks-train` together with Burn's `grads_accumulation`.
#[derive(Config, Debug, PartialEq)]
pub struct GradAccumulatorConfig {
    /// The number of micro-batches in a window, at least 1. With 1 there is no accumulation.
    pub micro_batches: usize,
}

impl GradAccumulatorConfig {
    /// The accumulator, empty.
    ///
    /// # Errors
    ///
    /// If `micro_batches` is 0.
    pub fn init(&self) -> Result<GradAccumulator, ConfigError> {
        ConfigError::at_least_one("micro_batches", self.micro_batches)?;
        Ok(GradAccumulator {
            window: self.micro_batches,
            mean: GradientList::default(),
            first: None,
            micro_batches: 0,
            samples: 0,
        })
    }
}

/// The mean gradient of the micro-batches of a window. Made by [`GradAccumulatorConfig::init`].
#[derive(Debug, Clone)]
pub struct GradAccumulator {
    window: usize,
    /// In the module's order.
    mean: GradientList,
    /// The first parameter of the module of the present window.
    first: Option<ParamId>,
    micro_batches: usize,
    samples: usize,
}

impl GradAccumulator {
    /// Adds the gradients of a micro-batch's mean loss over `samples` samples, as `backward` gives them. When
    /// the window is full, returns the mean gradient of all its samples, and the accumulator is empty again.
    ///
    /// A parameter without a gradient in some micro-batch counts with a gradient of zero there. A micro-batch
    /// without samples counts as one of the window and does not change the mean.
    ///
    /// # Panics
    ///
    /// If the window was begun with another network, which is recognised by the id of its first parameter and by gradients
    /// of parameters that `module` does not have: use one accumulator for each network. Networks that share a part, such as
    /// an encoder with several heads, are accumulated as one module that has all of them. Parameters may be frozen and
    /// unfrozen within a window.
    #[must_use = "the gradients of a full window are in the result"]
    pub fn add<M: Module>(
        &mut self,
        module: &M,
        gradients: Gradients,
        samples: usize,
    ) -> Option<GradientsParams> {
        self.begin_or_check(module);
        self.micro_batches += 1;
        if samples > 0 {
            let is_first = self.samples == 0;
            self.samples = self.samples.saturating_add(samples);
            let share = samples as f64 / self.samples as f64;
            let new = Take::from(module, gradients);
            let mut mean = std::mem::take(&mut self.mean);
            self.mean = if is_first {
                new
            } else if mean.is_of_same(&new) {
                // All at once, so that many small tensors are shared between threads.
                mean.list = lerp_all(mean.list, &new.list, share);
                mean
            } else {
                Merge::lists(module, mean, new, share)
            };
        }
        if self.micro_batches == self.window {
            self.finish(module)
        } else {
            None
        }
    }

    /// The mean gradient of the current window, even if it is not full; `None` if it has no samples. The
    /// accumulator is empty afterwards. Call this at the end of an epoch.
    ///
    /// # Panics
    ///
    /// As [`add`](Self::add).
    #[must_use]
    pub fn finish<M: Module>(&mut self, module: &M) -> Option<GradientsParams> {
        self.begin_or_check(module);
        self.first = None;
        let samples = std::mem::take(&mut self.samples);
        self.micro_batches = 0;
        let mut narrow = Narrow {
            mean: std::mem::take(&mut self.mean).into_params(),
            seen: HashSet::new(),
            narrowed: 0,
        };
        module.visit(&mut narrow);
        assert_same_network(narrow.narrowed == narrow.mean.len());
        (samples > 0).then_some(narrow.mean)
    }

    /// Remembers whose gradients the window has, and refuses those of another network.
    fn begin_or_check<M: Module>(&mut self, module: &M) {
        let first = First::of(module);
        let begun = self.first.or(first);
        assert_same_network(first == begun);
        self.first = begun;
    }

    /// Discards the current window.
    pub fn clear(&mut self) {
        self.mean = GradientList::default();
        self.first = None;
        (self.micro_batches, self.samples) = (0, 0);
    }

    /// Whether no window has begun.
    pub fn is_empty(&self) -> bool {
        self.micro_batches == 0
    }

    /// The number of samples in the current window.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The state that a run needs which is resumed in the middle of a window: the mean so far, by the paths of
    /// `module`, and the numbers of micro-batches and samples in it. Waits for the device. Between two windows
    /// nothing needs to be saved.
    ///
    /// # Panics
    ///
    /// If the window has gradients of parameters that `module` does not have.
    pub fn state<M: Module>(&self, module: &M) -> Vec<u8> {
        let mut save = Save {
            mean: self.mean.clone().into_params(),
            seen: HashSet::new(),
            saved: BTreeMap::new(),
        };
        visit(module, &mut save);
        assert_same_network(save.saved.len() == save.mean.len());
        named_state_to_bytes(
            NAME,
            &State {
                micro_batches: self.micro_batches,
                samples: self.samples,
                mean: save.saved,
            },
        )
    }

    /// Continues in the middle of the window that [`state`](Self::state) saved, for a module with the same paths.
    ///
    /// # Errors
    ///
    /// If it is not such a state, if `module` has no parameter of a path and size in it, or if it has as many
    /// micro-batches as a window of this accumulator, or more. The accumulator is then empty.
    pub fn load_state<M: Module>(&mut self, module: &M, state: &[u8]) -> Result<(), StateError> {
        self.clear();
        let state: State = named_state_from_bytes(NAME, state)?;
        if state.micro_batches >= self.window {
            let (saved, window) = (state.micro_batches, self.window);
            return Err(format!(
                "{saved} micro-batches were accumulated, and a window has {window}"
            )
            .into());
        }
        let mut load = Load {
            saved: state.mean,
            mean: GradientList::default(),
            wrong: None,
        };
        visit(module, &mut load);
        if let Some(wrong) = load.wrong {
            return Err(wrong.into());
        }
        if let Some(path) = load.saved.keys().next() {
            return Err(format!("the model has no parameter `{path}`").into());
        }
        self.mean = load.mean;
        self.first = First::of(module).filter(|_| state.micro_batches > 0);
        (self.micro_batches, self.samples) = (state.micro_batches, state.samples);
        Ok(())
    }
}

/// The state of a [`GradAccumulator`], to be saved as bytes.
#[derive(Serialize, Deserialize)]
struct State {
    micro_batches: usize,
    samples: usize,
    /// The mean gradients, by path.
    mean: BTreeMap<String, Stored>,
}

struct Save {
    mean: GradientsParams,
    seen: HashSet<ParamId>,
    saved: BTreeMap<String, Stored>,
}

impl Visitor for Save {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if self.seen.insert(param.id)
            && let Some(mean) = self.mean.get::<D>(param.id)
        {
            let stored = Stored::of(mean.reshape([-1]));
            self.saved.insert(at.path().to_owned(), stored);
        }
    }
}

struct Load {
    saved: BTreeMap<String, Stored>,
    mean: GradientList,
    wrong: Option<String>,
}

impl Visitor for Load {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        let Some(stored) = self.saved.remove(at.path()) else {
            return;
        };
        let weight = param.val().without_autodiff();
        let (size, saved) = (weight.shape().num_elements(), stored.len());
        if size != saved {
            let path = at.path();
            self.wrong = Some(format!(
                "`{path}` has {size} numbers, and the state {saved}"
            ));
            return;
        }
        let mean = stored.tensor(&weight.device()).reshape(weight.dims());
        self.mean.push(param.id, mean);
    }
}

fn assert_same_network(is_same: bool) {
    assert!(
        is_same,
        "this window of a `GradAccumulator` was begun with the gradients of another network: use one accumulator for \
         each network, and call `clear()` before a window for other parameters"
    );
}

/// The id of the first float parameter of a module, trainable or not.
#[derive(Default)]
struct First(Option<ParamId>);

impl First {
    fn of<M: Module>(module: &M) -> Option<ParamId> {
        let mut first = Self::default();
        module.visit(&mut first);
        first.0
    }
}

impl ModuleVisitor for First {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.get_or_insert(param.id);
    }
}

/// Takes the gradients of a micro-batch as they are accumulated, without the map of a `GradientsParams`.
struct Take {
    from: Gradients,
    taken: GradientList,
}

impl Take {
    fn from<M: Module>(module: &M, gradients: Gradients) -> GradientList {
        let mut take = Self {
            from: gradients,
            taken: GradientList::default(),
        };
        module.visit(&mut take);
        take.taken
    }
}

impl ModuleVisitor for Take {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = param.val().grad_remove(&mut self.from) {
            let dtype = accumulation_dtype(grad.dtype());
            self.taken.push(param.id, grad.cast(dtype));
        }
    }
}

/// The mean where a micro-batch has gradients of other parameters than those before it.
struct Merge {
    /// The share of the new gradients in the mean.
    share: f64,
    new: GradientsParams,
    old: GradientsParams,
    /// The old means of parameters that have a new gradient too, and the new ones.
    both: (GradientList, TensorList),
    /// The means of parameters that have only one of the two.
    alone: GradientList,
}

impl Merge {
    fn lists<M: Module>(
        module: &M,
        old: GradientList,
        new: GradientList,
        share: f64,
    ) -> GradientList {
        let mut merge = Self {
            share,
            new: new.into_params(),
            old: old.into_params(),
            both: Default::default(),
            alone: GradientList::default(),
        };
        module.visit(&mut merge);
        let Self {
            old, both, alone, ..
        } = merge;
        // Also of a network that shares its first parameter with this one.
        assert_same_network(old.is_empty());
        let (mut mean, new) = both;
        // All at once, as where all have both.
        mean.list = lerp_all(mean.list, &new, share);
        let mut all = mean.into_params();
        alone.put_into(&mut all);
        gradient_list::take(module, all).1
    }
}

impl ModuleVisitor for Merge {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let id = param.id;
        match (self.old.remove::<D>(id), self.new.remove::<D>(id)) {
            (Some(mean), Some(new)) => {
                self.both.0.push(id, mean);
                self.both.1.push(new);
            }
            (Some(mean), None) => self.alone.push(id, mean * (1.0 - self.share)),
            (None, Some(new)) => self.alone.push(id, new * self.share),
            (None, None) => {}
        }
    }
}

/// Converts the gradients back to the types of the parameters.
struct Narrow {
    mean: GradientsParams,
    seen: HashSet<ParamId>,
    narrowed: usize,
}

impl ModuleVisitor for Narrow {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.seen.insert(param.id)
            && let Some(mean) = self.mean.remove::<D>(param.id)
        {
            let mean = mean.cast(param.val().dtype());
            self.mean.register(param.id, mean);
            self.narrowed += 1;
        }
    }
}
