//! Annealed gradient noise.

use crate::change_each::{ChangeGradient, change_each};
use crate::gradient_order::GradientOrder;
use crate::transform::GradientTransform;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::walk::Location;
use burn_tricks_core::{
    Config, ConfigError, StateError, named_state_from_bytes, named_state_to_bytes,
};
use burn_tricks_kernels::add_normal;
use burn_tricks_kernels::key_of;

/// By which a recorded state shows whose it is.
const NAME: &str = "GradNoise";

/// Configuration of [`GradNoise`]: annealed Gaussian noise on every gradient, which decreases during the run.
///
/// ```text
/// g ← g + N(0, σₜ²)        σₜ² = η / (1 + t)^γ        t = 0, 1, 2, ...
/// ```
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::GradNoiseConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = SgdConfig::new().init();
/// let mut noise = GradNoiseConfig::new(0.01).with_seed(42).init()?;
///
/// for _ in 0..3 {
///     let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).mean();
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     let grads = noise.apply(&model, grads);
///     model = optim.step(0.1, model, grads);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Add the noise after clipping, as in the paper, so that it is not clipped.
///
/// # The stream
///
/// The noise has its own stream of random numbers. A number depends only on the seed, the step, the parameter's place
/// in the module and the element's place in the tensor, and not on the number of threads. The generator of the device
/// is neither used nor changed, so dropout and shuffling are the same with noise and without it. On the CPU backend the
/// numbers are those of the counter-based generator Philox4x32-10, as in the dropouts of `burn-tricks-nn`: its key is
/// made of the seed, the step and the parameter's place, and its counter is the element's place. The numbers are made
/// in the pass that adds them. Every other backend makes its numbers from a hash of integers with tensor operations
/// ([`add_normal`]), so that a GPU draws other numbers than the CPU.
///
/// # State
///
/// The number of the step. A resumed run draws the same numbers as the uninterrupted run, to the bit on the same
/// backend.
///
/// # Cost
///
/// A read and a write of the gradients, and the random numbers, which take about one and a half nanoseconds per number and core on
/// the CPU. No tensor is kept. No value is read from a device.
///
/// # Several devices
///
/// Under Burn's `ddp` the first step panics, since the workers would share one count of steps, and each would draw
/// other noise. `multi` works.
///
/// # Differences
///
/// None from the paper and from optax's `add_noise`, except for the random numbers themselves.
///
/// # Suggested values
///
/// η of 0.01, 0.3 or 1, and γ = 0.55 (the paper).
///
/// # References
///
/// - Neelakantan et al., *Adding gradient noise improves learning for very deep networks*, 2015,
///   <https://arxiv.org/abs/1511.06807>
/// - optax, `add_noise`
#[derive(Config, Debug, PartialEq)]
pub struct GradNoiseConfig {
    /// η ≥ 0, the variance of the first step's noise, in squared units of the gradient. With 0 there is no
    /// noise.
    pub eta: f64,
    /// γ ≥ 0, which says how fast the variance falls; with 0 it is constant. Default: 0.55.
    #[config(default = 0.55)]
    pub gamma: f64,
    /// The seed of the noise. Default: 0.
    #[config(default = 0)]
    pub seed: u64,
}

impl GradNoiseConfig {
    /// The transform.
    ///
    /// # Errors
    ///
    /// If η or γ is negative or not finite.
    pub fn init(&self) -> Result<GradNoise, ConfigError> {
        ConfigError::non_negative("eta", self.eta)?;
        ConfigError::non_negative("gamma", self.gamma)?;
        Ok(GradNoise {
            config: self.clone(),
            step: 0,
        })
    }
}

/// Adds noise to gradients. Made by [`GradNoiseConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct GradNoise {
    config: GradNoiseConfig,
    step: u64,
}

impl GradNoise {
    /// The gradients with the noise of the next step. Gradients of parameters that `module` does not have are
    /// not changed. Without any gradient, as in a step that an earlier transform skips, nothing is drawn.
    #[must_use]
    pub fn apply<M: Module>(&mut self, module: &M, grads: GradientsParams) -> GradientsParams {
        if grads.is_empty() {
            return grads; // a skipped step
        }
        let mut noise = Noise {
            sigma: self.sigma(),
            key: key_of(&[self.config.seed, self.step]),
        };
        self.step += 1;
        if noise.sigma > 0.0 {
            change_each(module, grads, &mut noise)
        } else {
            grads
        }
    }

    /// The standard deviation σₜ of the next step's noise.
    pub fn sigma(&self) -> f64 {
        let time = 1.0 + self.step as f64;
        (self.config.eta / time.powf(self.config.gamma)).sqrt()
    }

    /// The state that a resumed run needs: the number of the next step.
    pub fn state(&self) -> Vec<u8> {
        named_state_to_bytes(NAME, &self.step)
    }

    /// Continues from a state that [`state`](Self::state) returned.
    ///
    /// # Errors
    ///
    /// If it is not such a state.
    pub fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.step = named_state_from_bytes(NAME, state)?;
        Ok(())
    }
}

impl GradientTransform for GradNoise {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        Self::apply(self, model, grads)
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        order.add_memory::<Self>(false);
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{:?}", self.config)]
    }

    fn restart(&mut self) {
        self.step = 0;
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(Self::state(self))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        Self::load_state(self, state)
    }
}

struct Noise {
    sigma: f64,
    key: u64,
}

impl ChangeGradient for Noise {
    fn change<const D: usize>(
        &mut self,
        _at: &Location,
        index: u64,
        _param: &Param<Tensor<D>>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        add_normal(grad, self.sigma, key_of(&[self.key, index]))
    }
}
