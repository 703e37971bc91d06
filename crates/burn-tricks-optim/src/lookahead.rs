//! Lookahead.

use crate::scheduled::Scheduled;
use crate::skipped_steps;
use crate::state_tensors::StateField;
use crate::wrapper::{Wrap, WrappedStep, Wrapper};
use crate::wrapper_order;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, accumulation_dtype};
use burn_tricks_kernels::{Skip, lerp};
use std::any::type_name;

/// Configuration of [`Lookahead`]: slow weights that follow the fast ones.
///
/// The inner optimizer takes `k` steps on the fast weights. Then the slow weights move towards the fast weights
/// by a fraction α of the difference, and the fast weights continue from there (Zhang et al., 2019).
///
/// ```text
/// w ← inner(w, g)                            every step
/// φ ← φ + α (w − φ),   w ← φ                 every k-th step; φ is the initial weight at first
/// ```
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_optim::{AdamConfig, OptimizerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = AdamConfig::new().build()?.lookahead(5, 0.5)?.init();
///
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let model = optim.step(1e-3, model, grads);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// An inner optimizer that starts anew after each synchronisation of the two:
///
/// ```
/// use burn_tricks_optim::{LookaheadConfig, SgdConfig};
///
/// let sgd = SgdConfig::torch().with_momentum_factor(0.9).build()?;
/// let optim = LookaheadConfig::new(10).with_reset_inner(true).build(sgd)?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Put it around the optimizer and its other wrappers, except `master_weights` and `schedule_free`, around which it is
/// refused. Evaluate and average the slow weights: after every k-th step, they are the weights of the model. α = 1 changes
/// nothing. Inside of `schedule_free` it has no use: there are then two averages of the weights.
///
/// With [`reset_inner`](LookaheadConfig::reset_inner) it is refused around a [`Scheduled`] optimizer, whose state
/// counts the steps of its schedule: let the closure of `Scheduled` return the lookahead instead. All these are recognised
/// by the type of the optimizer, so not inside a type of your own.
///
/// # Cost
///
/// One tensor of the parameter's size, in `f32` for `f16` and `bf16` weights. Every `k` steps one pass over
/// three tensors, otherwise none.
///
/// # Differences
///
/// - The slow weights start at the initial weights, as in the paper, optax and fastai; in timm they start at
///   the fast weights of the first synchronisation, so that it does nothing.
/// - At a synchronisation, the inner state is kept, as in the paper's experiments, or reset, as with optax's
///   `reset_state`. The paper's third variant, which interpolates the momentum too, does not exist here: it
///   would have to know the inner state.
/// - Every parameter counts its own steps. A step that the inner optimizer skips is counted, and a skipped step
///   that is the k-th synchronises unless [`LookaheadConfig::skip_marked`] is set.
///
/// # Suggested values
///
/// k = 5, α = 0.8 (the paper, images), k = 6, α = 0.5 (fastai, timm).
///
/// # References
///
/// - Zhang, Lucas, Hinton, Ba, *Lookahead optimizer: k steps forward, 1 step back*, 2019,
///   <https://arxiv.org/abs/1907.08610>
#[derive(Config, Debug)]
pub struct LookaheadConfig {
    /// Steps of the inner optimizer from one synchronisation to the next, at least 1.
    pub k: usize,
    /// α in `[0, 1]`: the fraction of the difference by which the slow weights move. Default: 0.5.
    #[config(default = 0.5)]
    pub alpha: f64,
    /// Whether the inner optimizer's state is reset at a synchronisation. It cannot be combined with `skip_marked`: on
    /// most backends only the device knows whether a step is skipped, and the host would reset the state at a
    /// synchronisation that is left out. It cannot be set around a `Scheduled` optimizer. Default: no.
    #[config(default = false)]
    pub reset_inner: bool,
    /// Whether a gradient that is marked as non-finite leaves the weights as they are even at a synchronisation,
    /// which then is left out. Set it if it is set in the inner optimizer: see [`skipped_steps`]. Default: no.
    #[config(default = false)]
    pub skip_marked: bool,
}

impl LookaheadConfig {
    /// `inner` with slow weights, for other wrappers and `ModuleOptimizer::with_group`.
    ///
    /// # Errors
    ///
    /// If `k` is 0, α lies outside `[0, 1]`, `reset_inner` is set together with `skip_marked` or around a [`Scheduled`]
    /// optimizer, or `inner` is schedule-free or has master weights: see [Order](Self#order).
    pub fn build<O: Optimizer>(&self, inner: O) -> Result<Lookahead<O>, ConfigError> {
        wrapper_order::check::<O>("lookahead")?;
        if !(0.0..=1.0).contains(&self.alpha) {
            return Err(ConfigError::new("alpha", "lie in [0, 1]", self.alpha));
        }
        if self.reset_inner && self.skip_marked {
            let must = "be false where `skip_marked` is true";
            return Err(ConfigError::new("reset_inner", must, self.reset_inner));
        }
        if self.reset_inner && is_scheduled::<O>() {
            let must = "be false around a `Scheduled` optimizer, whose schedule would begin anew at each synchronisation \
                        (let the closure of `Scheduled` return the lookahead)";
            return Err(ConfigError::new("reset_inner", must, self.reset_inner));
        }
        let wrap = LookaheadWrap {
            k: ConfigError::at_least_one("k", self.k)? as u64,
            alpha: self.alpha,
            reset_inner: self.reset_inner,
            skip_marked: self.skip_marked,
        };
        Ok(Wrapper::new(wrap, inner))
    }

    /// The optimizer of a whole module.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build).
    pub fn init<O: Optimizer>(&self, inner: O) -> Result<ModuleOptimizer, ConfigError> {
        Ok(ModuleOptimizer::from(self.build(inner)?))
    }
}

/// Whether there is a `Scheduled` in an optimizer of this type. The name of a nested type is all that is known of the
/// optimizers inside.
fn is_scheduled<O>() -> bool {
    type_name::<O>().contains(type_name::<Scheduled<()>>().trim_end_matches("()>"))
}

/// An optimizer with slow weights. Made by [`LookaheadConfig::build`] and
/// [`OptimizerExt::lookahead`](crate::OptimizerExt::lookahead). A record holds the slow weights as `slow`.
pub type Lookahead<O> = Wrapper<LookaheadWrap, O>;

/// The [`Wrap`] of [`Lookahead`].
#[derive(Debug, Clone, PartialEq)]
pub struct LookaheadWrap {
    k: u64,
    alpha: f64,
    reset_inner: bool,
    skip_marked: bool,
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
        if !step.number().is_multiple_of(self.k) {
            step.put(SLOW, slow);
            return step.inner(weight, grad);
        }
        let skip = skipped_steps::look(self.skip_marked, &grad);
        let fast = step.inner(weight, grad);
        if let Skip::Known(true) = skip {
            step.put(SLOW, slow);
            return fast;
        }
        if self.reset_inner {
            step.reset_inner();
        }
        if let Skip::Known(false) = skip {
            // In the buffer of the slow weights, which nobody else holds now.
            let next = lerp(slow, fast.cast(wide), self.alpha);
            step.put(SLOW, next.clone());
            return next.cast(dtype);
        }
        let next = lerp(slow.clone(), fast.clone().cast(wide), self.alpha);
        let weight = skip.choose(fast, next.clone().cast(dtype));
        step.put(SLOW, skip.choose(slow, next));
        weight
    }
}
