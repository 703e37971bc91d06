//! Decoupled weight decay around any optimizer.

use crate::skipped_steps;
use crate::wrapper::{Wrap, WrappedStep, Wrapper};
use crate::wrapper_order;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, WeightDecayScope};
use burn_tricks_kernels::{Skip, blend};

/// Configuration of [`DecoupledWeightDecay`], decoupled weight decay around any optimizer.
///
/// The weight decays separately from the step of the inner optimizer, whose state does not include the decay
/// (Loshchilov and Hutter, 2019).
///
/// ```text
/// w ← inner(w, g) − η λ w                    or  − (η / η₀) λ w  with `initial_lr` η₀
/// ```
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_optim::OptimizerExt;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// // One of Burn's that has coupled decay only.
/// let sgd = burn::optim::SgdConfig::new().build();
/// let mut optim = sgd.decoupled_weight_decay(1e-2)?.init();
///
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let model = optim.step(1e-2, model, grads);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// Without decay of biases and normalisation layers, with a decay that does not depend on the choice of η₀:
///
/// ```
/// use burn_tricks_optim::{AdamConfig, DecoupledWeightDecayConfig, WeightDecayScope};
///
/// let optim = DecoupledWeightDecayConfig::new(1e-4)
///     .with_initial_lr(Some(1e-3))
///     .with_scope(WeightDecayScope::Matrices)
///     .build(AdamConfig::torch().build()?)?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Put it directly around the optimizer if wrappers that rescale or mask the step (trust ratio, cautious)
/// should act on the decay too; put it outside of them if they should not. λ = 0 changes nothing.
///
/// # Cost
///
/// No state. One more pass, which reads the old and the new weight and writes one; the old weight is kept
/// during the step. This crate's own optimizers have the same decay without an extra pass: `weight_decay_mode`.
///
/// # Differences
///
/// - PyTorch and Burn multiply the weight by `1 − η λ` before the step. Here the inner step starts from the
///   undecayed weight. The result is the same unless the inner optimizer's step depends on the weight.
/// - The inner optimizer has rounded the weight before the decay is subtracted, and what is less than half of the distance to
///   the next number is lost: in `f32` a decay of η λ (η λ / η₀) below 3e-8, and one of 3e-7 is off by up to a fifth. For so
///   slow a decay use the `weight_decay_mode` of this crate's own optimizers, which round once.
/// - With `initial_lr` it is the fully decoupled decay of the paper and of optimi's `decouple_lr`: λ is the
///   fraction of a weight that is lost per step at the initial learning rate, whatever that rate is.
///
/// # Suggested values
///
/// λ = 0.01 to 0.1 per unit of learning rate; 1e-5 to 1e-4 with `initial_lr`.
///
/// # References
///
/// - Loshchilov, Hutter, *Decoupled weight decay regularization*, 2019, <https://arxiv.org/abs/1711.05101>
#[derive(Config, Debug)]
pub struct DecoupledWeightDecayConfig {
    /// λ ≥ 0, per unit of learning rate. If `initial_lr` is given, λ is the fraction of a weight that is lost
    /// per step at that rate.
    pub weight_decay: f64,
    /// η₀ > 0, the initial (or highest) learning rate, for a decay that does not depend on its choice. Default:
    /// none.
    pub initial_lr: Option<f64>,
    /// Which weights decay. Default: [`WeightDecayScope::Every`].
    #[config(default = "WeightDecayScope::Every")]
    pub scope: WeightDecayScope,
    /// Whether a gradient that is marked as non-finite skips the decay. Set it if it is set in the inner
    /// optimizer: see [`skipped_steps`]. Default: no.
    #[config(default = false)]
    pub skip_marked: bool,
}

impl DecoupledWeightDecayConfig {
    /// `inner` with the decay, for other wrappers and `ModuleOptimizer::with_group`.
    ///
    /// # Errors
    ///
    /// If λ is negative or not finite, η₀ is not finite and positive, or `inner` is schedule-free (which has a
    /// [`weight_decay`](crate::ScheduleFreeConfig::weight_decay) of its own) or has master weights, which this wrapper belongs
    /// inside of.
    pub fn build<O: Optimizer>(&self, inner: O) -> Result<DecoupledWeightDecay<O>, ConfigError> {
        wrapper_order::check::<O>("decoupled_weight_decay")?;
        let initial_lr = match self.initial_lr {
            Some(lr) => ConfigError::positive("initial_lr", lr)?,
            None => 1.0,
        };
        let wrap = DecoupledWeightDecayWrap {
            factor: ConfigError::non_negative("weight_decay", self.weight_decay)? / initial_lr,
            scope: self.scope,
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

/// An optimizer with decoupled weight decay. Made by [`DecoupledWeightDecayConfig::build`] and
/// [`OptimizerExt::decoupled_weight_decay`](crate::OptimizerExt::decoupled_weight_decay).
pub type DecoupledWeightDecay<O> = Wrapper<DecoupledWeightDecayWrap, O>;

/// The [`Wrap`] of [`DecoupledWeightDecay`].
#[derive(Debug, Clone, PartialEq)]
pub struct DecoupledWeightDecayWrap {
    /// Per unit of learning rate.
    factor: f64,
    scope: WeightDecayScope,
    skip_marked: bool,
}

impl Wrap for DecoupledWeightDecayWrap {
    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        if self.factor == 0.0 || !self.scope.includes(D) {
            return step.inner(weight, grad);
        }
        let skip = skipped_steps::look(self.skip_marked, &grad);
        let new = step.inner(weight.clone(), grad);
        if let Skip::Known(true) = skip {
            return new;
        }
        let decayed = blend(new.clone(), 1.0, weight, -step.lr * self.factor);
        skip.choose(new, decayed)
    }
}
