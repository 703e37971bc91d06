//! Lookahead: slow weights that follow the fast ones.
//!
//! The inner optimizer takes `k` steps on the fast weights. Then the slow weights move the share α of the way to
//! them, and the fast weights go on from there (Zhang et al., 2019).
//!
//! ```text
//! w ← inner(w, g)                            every step
//! φ ← φ + α (w − φ),   w ← φ                 every k-th step; φ is the initial weight at first
//! ```
//!
//! # Example
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::optim::GradientsParams;
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_optim::{AdamConfig, OptimizerExt};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let device = Device::flex().autodiff();
//! let model = LinearConfig::new(4, 2).init(&device);
//! let mut optim = AdamConfig::new().build()?.lookahead(5, 0.5)?.init();
//!
//! let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
//! let grads = GradientsParams::from_grads(loss.backward(), &model);
//! let model = optim.step(1e-3, model, grads);
//! # let _ = model;
//! # Ok(())
//! # }
//! ```
//!
//! With the inner optimizer starting anew after each synchronisation:
//!
//! ```
//! use burn_tricks_optim::{LookaheadConfig, SgdConfig};
//!
//! let sgd = SgdConfig::torch().with_momentum_factor(0.9).build()?;
//! let optim = LookaheadConfig::new(10).with_reset_inner(true).build(sgd)?;
//! # Ok::<(), burn_tricks_core::ConfigError>(())
//! ```
//!
//! # Order
//!
//! Around the optimizer and its other wrappers, `master_weights` excepted. Evaluate and average the slow
//! weights: they are the model's after every k-th step. α = 1 changes nothing.
//!
//! # Cost
//!
//! One tensor of the parameter's size, in `f32` for `f16` and `bf16` weights. One pass over three tensors every `k`
//! steps, none between.
//!
//! # Differences
//!
//! - The slow weights start at the initial weights, as in the paper, optax and fastai; in timm at the first fast
//!   weights that they meet, so that the first synchronisation does nothing.
//! - The inner state is kept at a synchronisation, as in the paper's experiments, or forgotten as with optax's
//!   `reset_state`. The paper's third variant, which interpolates the momentum too, is not here: it needs to know
//!   the inner state.
//! - Every parameter counts its own steps. A step that the inner optimizer skips is counted.
//!
//! # Suggested values
//!
//! k = 5, α = 0.8 (the paper, images), k = 6, α = 0.5 (fastai, timm).
//!
//! # References
//!
//! - Zhang, Lucas, Hinton, Ba, *Lookahead optimizer: k steps forward, 1 step back*, 2019,
//!   <https://arxiv.org/abs/1907.08610>

use crate::wrapper::{StateField, Wrap, WrappedStep, Wrapper};
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, accumulation_dtype};
use burn_tricks_kernels::lerp;

/// Configuration of [`Lookahead`].
#[derive(Config, Debug)]
pub struct LookaheadConfig {
    /// Steps of the inner optimizer from one synchronisation to the next, at least 1.
    pub k: usize,
    /// α in `[0, 1]`: the share of the way that the slow weights go. Default: 0.5.
    #[config(default = 0.5)]
    pub alpha: f64,
    /// Whether the inner optimizer forgets its state at a synchronisation. Default: no.
    #[config(default = false)]
    pub reset_inner: bool,
}

impl LookaheadConfig {
    /// `inner` with slow weights, for other wrappers and `ModuleOptimizer::with_group`.
    ///
    /// # Errors
    ///
    /// If `k` is 0, or α lies outside `[0, 1]`.
    pub fn build<O: Optimizer>(&self, inner: O) -> Result<Lookahead<O>, ConfigError> {
        if !(0.0..=1.0).contains(&self.alpha) {
            return Err(ConfigError::new("alpha", "lie in [0, 1]", self.alpha));
        }
        let wrap = LookaheadWrap {
            k: ConfigError::at_least_one("k", self.k)? as u64,
            alpha: self.alpha,
            reset_inner: self.reset_inner,
        };
        Ok(Wrapper::new(wrap, inner))
    }

    /// The optimizer of a whole module.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn init<O: Optimizer>(&self, inner: O) -> Result<ModuleOptimizer, ConfigError> {
        Ok(ModuleOptimizer::from(self.build(inner)?))
    }
}

/// An optimizer with slow weights. Made by [`LookaheadConfig::build`] and
/// [`OptimizerExt::lookahead`](crate::OptimizerExt::lookahead). A record has the slow weights as `slow`.
pub type Lookahead<O> = Wrapper<LookaheadWrap, O>;

/// The idea of [`Lookahead`].
#[derive(Debug, Clone, PartialEq)]
pub struct LookaheadWrap {
    k: u64,
    alpha: f64,
    reset_inner: bool,
}

const SLOW: StateField = StateField::required("slow");

impl Wrap for LookaheadWrap {
    const STATE: &'static [StateField] = &[SLOW];
    const COUNTS: bool = true;

    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let (dtype, wide) = (weight.dtype(), accumulation_dtype(weight.dtype()));
        let slow = step.take(SLOW, &weight);
        let slow = slow.unwrap_or_else(|| weight.clone().cast(wide));
        let fast = step.inner(weight, grad);
        if !step.number().is_multiple_of(self.k) {
            step.put(SLOW, slow);
            return fast;
        }
        if self.reset_inner {
            step.forget_inner();
        }
        let slow = lerp(slow, fast.cast(wide), self.alpha);
        step.put(SLOW, slow.clone());
        slow.cast(dtype)
    }
}
