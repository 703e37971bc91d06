//! Polyak's step size.

use crate::norm::{NormKind, ScaledNorm};
use crate::rescale::{NonFinite, rescale};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::{Config, ConfigError, NormScope};

/// Configuration of [`PolyakStep`], Polyak's step size: the gap between the loss and its minimum, divided by the
/// squared norm of the gradient.
///
/// ```text
/// g ← γ g      γ = min((L(w) − L*) / (‖g‖² + ε), γ_max)      the norm over all gradients of the model
/// ```
///
/// Followed by plain SGD at a learning rate of 1, this is the stochastic Polyak step size: no learning rate has
/// to be tuned. It needs the lowest value L* that the loss can have: 0 for a network that can fit all its
/// samples. The optimizer's learning rate is a factor of the step, so a schedule still works.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::PolyakStepConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = SgdConfig::new().init();
/// let polyak = PolyakStepConfig::new().init()?;
///
/// for _ in 0..3 {
///     let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     let grads = polyak.apply(&model, grads, &loss);
///     model = optim.step(1.0, model, grads);
/// }
/// # let _ = model.num_params();
/// # Ok(())
/// # }
/// ```
///
/// A loss that cannot fall below 0.3, with longer steps, and no step at all if a batch's loss is below 0.3:
///
/// ```
/// use burn_tricks_grad::PolyakStepConfig;
///
/// let polyak = PolyakStepConfig::new()
///     .with_min_loss(0.3)
///     .with_max_step(10.0)
///     .with_never_uphill(true)
///     .init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # In a `Learner`
///
/// Apply it in the model's own `TrainStep::step`, where the loss is known: keep the [`PolyakStep`] in a
/// `#[module(skip)]` field and return `TrainOutput { grads, item }` with the gradients that
/// [`apply`](PolyakStep::apply) returns, as [`SamConfig`](crate::SamConfig) shows. Set the `Learner`'s learning rate to 1.
/// With Burn's `grads_accumulation` every micro-batch then has a γ of its own, from its loss and its gradient, and their
/// steps are added (or averaged, by `MeanOfAccumulated` of `burn-tricks-train`): this is not the γ of the large batch.
/// For that, accumulate in a loop of your own with a [`GradAccumulator`](crate::GradAccumulator), and apply it to the
/// mean gradient with the mean loss of the samples.
///
/// # Order
///
/// Apply it directly after the backward pass. γ is computed for the gradient of the loss: if the gradient is
/// changed before (by clipping or noise), γ is not Polyak's step size any more. The loss must include the same
/// penalties as the gradient. Use plain SGD after it: an optimizer that divides gradients by their size (Adam)
/// undoes γ. Under a [`LossScaler`](crate::LossScaler) unscale first, and give it the loss before scaling; in Burn's
/// `Learner`, where the gradients are unscaled by a trick after `TrainStep::step`, the two exclude each other.
///
/// # Several devices
///
/// With Burn's `multi` each device scales its own gradients by its own loss, and the scaled gradients are summed. Under
/// `ddp` a worker gets the gradients of all workers, but has the loss of its own batch alone: each worker would take
/// another step, and their weights would drift apart. So [`apply`](PolyakStep::apply) panics there.
///
/// # Cost
///
/// The cost of clipping by norm: one read of the gradients, and one read and write. No state, and nothing is read from
/// the device: the loss stays a tensor.
///
/// # Differences
///
/// - The rule and its options are those of optax's `polyak_sgd`; `never_uphill` is its variant `sps+`. optax's
///   `scaling` corresponds to the optimizer's learning rate here, which is a factor of the step. In optax 0.2.8
///   a scaling of ½ doubles the step, since the gradient is scaled before its norm is taken. optax takes no
///   step where `‖g‖² + ε` is at most 2.2e-16 (1.2e-7 in `f32`); here no step is taken where the gradient is
///   zero.
/// - As in optax, γ_max bounds steps downhill alone. If the loss is below L*, γ is negative, and its size has no
///   bound: a loss 0.01 below L* and a gradient of norm 1e-4 make a step uphill of 10⁶ times the gradient. Where L* is an
///   estimate, set [`never_uphill`](PolyakStepConfig::never_uphill).
/// - Loizou et al. also divide the gap by a constant c, which is ½ in their convex theory, and let γ_max grow
///   smoothly from step to step.
/// - A loss that is NaN or infinite makes every gradient NaN, unless all are zero. A NaN in a gradient does so too, and an
///   infinity becomes NaN while all other numbers become zero. A [`StepGuard`](crate::StepGuard) after it skips the step.
///
/// # Suggested values
///
/// γ_max = 1 (optax); Loizou et al. have 1 for logistic regression and 10 for deep networks.
///
/// # References
///
/// - Polyak, *Introduction to optimization*, 1987
/// - Loizou, Vaswani, Laradji, Lacoste-Julien, *Stochastic Polyak step-size for SGD*, 2021,
///   <https://arxiv.org/abs/2002.10542>
/// - optax, `polyak_sgd`, `scale_by_polyak`
#[derive(Config, Debug, PartialEq)]
pub struct PolyakStepConfig {
    /// L*, the lowest value that the loss can have. Default: 0.
    #[config(default = 0.0)]
    pub min_loss: f64,
    /// γ_max > 0, the longest step downhill, in units of the gradient. Steps uphill, where the loss is below L*, have no
    /// bound but [`never_uphill`](Self::never_uphill). Default: 1.
    #[config(default = 1.0)]
    pub max_step: f64,
    /// ε ≥ 0, added to the squared norm. Default: 0.
    #[config(default = 0.0)]
    pub epsilon: f64,
    /// Whether no step is taken if the loss is below L*. Otherwise such a step goes uphill. Default: no.
    #[config(default = false)]
    pub never_uphill: bool,
}

impl PolyakStepConfig {
    /// The transform.
    ///
    /// # Errors
    ///
    /// If L* is not finite, if γ_max is not finite and positive, or if ε is negative or not finite.
    pub fn init(&self) -> Result<PolyakStep, ConfigError> {
        ConfigError::finite("min_loss", self.min_loss)?;
        ConfigError::positive("max_step", self.max_step)?;
        ConfigError::non_negative("epsilon", self.epsilon)?;
        Ok(PolyakStep {
            config: self.clone(),
        })
    }
}

/// Scales gradients to Polyak's step. Made by [`PolyakStepConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct PolyakStep {
    config: PolyakStepConfig,
}

impl PolyakStep {
    /// The gradients times γ. `loss` is the loss of these gradients, on a device with or without autodiff; if
    /// it has several numbers, their sum counts.
    ///
    /// # Panics
    ///
    /// If Burn's `ddp` trains `module`.
    #[must_use]
    pub fn apply<M: Module>(
        &self,
        module: &M,
        grads: GradientsParams,
        loss: &Tensor<1>,
    ) -> GradientsParams {
        assert!(
            !is_of_a_worker(module),
            "`PolyakStep` cannot be used with `ddp`: each worker would divide the loss of its own batch by the norm of the \
             gradients of all, and their weights would drift apart; train on a single device or with `multi`"
        );
        let loss = loss.clone().without_autodiff().sum();
        let (norm, scope, non_finite) = (NormKind::L2, NormScope::Model, NonFinite::Propagate);
        let mut factor = |norm: &ScaledNorm| self.factor(norm, &loss);
        rescale(module, grads, norm, scope, non_finite, &mut factor).0
    }

    fn factor(&self, norm: &ScaledNorm, loss: &Tensor<1>) -> Tensor<1> {
        let PolyakStepConfig {
            min_loss,
            max_step,
            epsilon,
            never_uphill,
        } = self.config;
        let device = norm.root.device();
        let loss = loss.clone().to_device(&device).cast(norm.root.dtype());
        let gap = loss.sub_scalar(min_loss);
        // An infinite one would make the longest step.
        let beyond = gap.clone().is_finite().bool_not();
        let gap = gap.mask_fill(beyond, f64::NAN);
        let gap = if never_uphill {
            let below = gap.clone().lower_elem(0.0);
            gap.mask_fill(below, 0.0)
        } else {
            gap
        };
        // At the minimum too, where a tiny norm would make the step 0 · ∞.
        let zero = norm.root.clone().equal_elem(0.0);
        let zero = zero.bool_or(gap.clone().equal_elem(0.0));
        // (gap / ‖g‖) / ‖g‖, since the square may overflow where the norm does not.
        let step = if epsilon == 0.0 {
            let inverse = norm.under(1.0, 0.0);
            gap * inverse.clone() * inverse
        } else {
            gap / (norm.scale.clone() * norm.root.clone())
                .square()
                .add_scalar(epsilon)
        };
        // A mask and not a minimum, which on some devices would hide a NaN.
        let long = step.clone().greater_elem(max_step);
        let step = step.mask_fill(long, max_step);
        // An infinite step uphill would turn zeros into NaN.
        let lowest = -f64::from(f32::MAX);
        let far = step.clone().lower_elem(lowest);
        step.mask_fill(far, lowest).mask_fill(zero, 0.0)
    }
}

/// Whether Burn reduces the gradients of the module over the workers of `ddp`.
fn is_of_a_worker<M: Module>(module: &M) -> bool {
    struct Distributed(bool);

    impl ModuleVisitor for Distributed {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let weight = param.val();
            self.0 |= weight.device().is_autodiff() && weight.is_distributed();
        }
    }

    let mut distributed = Distributed(false);
    module.visit(&mut distributed);
    distributed.0
}
