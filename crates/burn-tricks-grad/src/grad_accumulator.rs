//! Gradient accumulation: the gradient of a large batch from micro-batches that fit into memory.
//!
//! ```text
//! g = Σᵢ nᵢ gᵢ / Σᵢ nᵢ        gᵢ: the gradient of micro-batch i's mean loss, over its nᵢ samples
//! ```
//!
//! That is the gradient of the mean loss over all samples of the window, to rounding, whatever the sizes of its
//! micro-batches, and of a short last window too. Burn's `GradientsAccumulator` and `grads_accumulation` sum:
//! there the gradient, and with SGD the step, grows with the number of micro-batches.
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::optim::SgdConfig;
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_grad::{ClipGradNormConfig, GradAccumulatorConfig};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let mut model = LinearConfig::new(4, 2).init(&device);
//! let mut optim = SgdConfig::new().init();
//! let clip = ClipGradNormConfig::new(1.0).init()?;
//! let mut accumulator = GradAccumulatorConfig::new(2).init()?;
//!
//! let sizes = [8, 8, 8, 8, 3]; // windows of 16, 16 and 3 samples
//! for (i, size) in sizes.into_iter().enumerate() {
//!     let loss = model.forward(Tensor::<2>::ones([size, 4], &device)).square().mean();
//!     let is_last = i + 1 == sizes.len();
//!     let mean = accumulator.add(&model, loss.backward(), size);
//!     let mean = if is_last { mean.or_else(|| accumulator.finish(&model)) } else { mean };
//!     if let Some(grads) = mean {
//!         // Once per window: clip, step, schedule.step(), ema.update().
//!         let grads = clip.apply(&model, grads);
//!         model = optim.step(0.1, model, grads);
//!     }
//! }
//! assert!(accumulator.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! First. It takes what `backward` gives, before anything of this crate can touch it, so that clipping inside a
//! window, which bounds something else, cannot be written. With a loss scale, unscale behind it.
//!
//! # Cost
//!
//! One more set of gradients; for each micro-batch but the first a read of two and a write of one, in place on the CPU. Gradients in half precision are accumulated in `f32`. No value is
//! read from a device.
//!
//! # State
//!
//! That of the window under way, which is not recorded: save between windows, when [`GradAccumulator::is_empty`].
//!
//! # Differences
//!
//! - optax's `MultiSteps` and Keras's `gradient_accumulation_steps` have the mean over micro-batches, which is this for
//!   equal sizes. PyTorch's loop sums what the program divides by hand, and a short last window is then too short.
//! - What a layer calculates from a batch, a batch norm's statistics above all, is still that of a micro-batch.
//!
//! # In a `Learner`
//!
//! `MeanOfAccumulated` of `burn-tricks-train`, behind Burn's `grads_accumulation`.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use burn_tricks_core::{Config, ConfigError, accumulation_dtype};
use burn_tricks_kernels::lerp;
use std::collections::HashSet;

/// Configuration of [`GradAccumulator`].
#[derive(Config, Debug, PartialEq)]
pub struct GradAccumulatorConfig {
    /// How many micro-batches make a window, at least 1; 1 accumulates nothing.
    pub micro_batches: usize,
}

impl GradAccumulatorConfig {
    /// The accumulator, empty.
    ///
    /// # Errors
    ///
    /// If a window has no micro-batch.
    pub fn init(&self) -> Result<GradAccumulator, ConfigError> {
        ConfigError::at_least_one("micro_batches", self.micro_batches)?;
        Ok(GradAccumulator {
            window: self.micro_batches,
            mean: GradientsParams::new(),
            micro_batches: 0,
            samples: 0,
        })
    }
}

/// The mean gradient of the micro-batches of a window. Made by [`GradAccumulatorConfig::init`].
#[derive(Debug)]
pub struct GradAccumulator {
    window: usize,
    mean: GradientsParams,
    micro_batches: usize,
    samples: usize,
}

impl GradAccumulator {
    /// Adds the gradients of a micro-batch's mean loss over `samples` samples, as `backward` gives them. When the window
    /// is full, gives the mean gradient of all its samples, and is empty again.
    ///
    /// A parameter that has no gradient for some micro-batch has a gradient of zero there. A micro-batch without
    /// samples counts as one of the window and changes nothing.
    pub fn add<M: Module>(
        &mut self,
        module: &M,
        gradients: Gradients,
        samples: usize,
    ) -> Option<GradientsParams> {
        self.micro_batches += 1;
        if samples > 0 {
            self.samples += samples;
            let new = GradientsParams::from_grads(gradients, module);
            let mut add = Add {
                share: samples as f64 / self.samples as f64,
                new,
                old: std::mem::take(&mut self.mean),
                mean: GradientsParams::new(),
            };
            module.visit(&mut add);
            self.mean = add.mean;
        }
        match self.micro_batches == self.window {
            true => self.finish(module),
            false => None,
        }
    }

    /// The mean gradient of the window under way, however short; `None` when it has no samples. Empty afterwards. For
    /// the end of an epoch.
    pub fn finish<M: Module>(&mut self, module: &M) -> Option<GradientsParams> {
        let samples = std::mem::take(&mut self.samples);
        self.micro_batches = 0;
        let mut narrow = Narrow {
            mean: std::mem::take(&mut self.mean),
            seen: HashSet::new(),
        };
        module.visit(&mut narrow);
        (samples > 0).then_some(narrow.mean)
    }

    /// Forgets the window under way.
    pub fn clear(&mut self) {
        self.mean = GradientsParams::new();
        (self.micro_batches, self.samples) = (0, 0);
    }

    /// Whether no window is under way.
    pub fn is_empty(&self) -> bool {
        self.micro_batches == 0
    }

    /// How many samples the window under way has.
    pub fn samples(&self) -> usize {
        self.samples
    }
}

struct Add {
    /// Of the new gradients in the mean.
    share: f64,
    new: GradientsParams,
    old: GradientsParams,
    mean: GradientsParams,
}

impl ModuleVisitor for Add {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let wide = |grad: Tensor<D>| {
            let dtype = accumulation_dtype(grad.dtype());
            grad.cast(dtype)
        };
        let new = self.new.remove::<D>(param.id).map(wide);
        let mean = match (self.old.remove::<D>(param.id), new) {
            (Some(mean), Some(new)) => lerp(mean, new, self.share),
            (Some(mean), None) => mean * (1.0 - self.share),
            (None, Some(new)) if self.share == 1.0 => new,
            (None, Some(new)) => new * self.share,
            (None, None) => return,
        };
        self.mean.register(param.id, mean);
    }
}

/// Back to the types of the parameters.
struct Narrow {
    mean: GradientsParams,
    seen: HashSet<burn::module::ParamId>,
}

impl ModuleVisitor for Narrow {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.seen.insert(param.id)
            && let Some(mean) = self.mean.remove::<D>(param.id)
        {
            let mean = mean.cast(param.val().dtype());
            self.mean.register(param.id, mean);
        }
    }
}
