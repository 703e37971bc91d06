//! Cautious steps.

use crate::wrapper::{PlanWrap, Wrap, WrappedStep, Wrapper};
use crate::wrapper_order;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::Tensor;
use burn_tricks_core::Config;
use burn_tricks_kernels::{AnyTensor, PlannedStep, cautious, cautious_any};

/// Configuration of [`Cautious`] steps: each weight moves only if its step goes down its present gradient.
///
/// Momentum can move a weight uphill along its present gradient. An element of the inner optimizer's step that does so,
/// or whose gradient is zero, is left out. The remaining elements are divided by their share of the tensor's numbers
/// (Liang et al., 2024).
///
/// ```text
/// u ← w − inner(w, g)
/// m ← 1 where u g > 0, else 0
/// w ← w − u m / max(mean(m), 10⁻³)
/// ```
///
/// **Sparse gradients make long steps.** An element whose gradient is zero is left out, so if a batch has no gradient
/// for most elements of a tensor, the others move much further than with the inner optimizer. In an embedding of which
/// a batch visits 1 % of the rows, or a layer of which 1 % of the units are active, they move 100 times as far; the
/// factor is at most 1,000. The authors' and timm's code do the same. Give such parameters a group of their own, with
/// the inner optimizer alone or with [`rescale`](CautiousConfig::rescale) off:
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_core::ParamPaths;
/// use burn_tricks_optim::{AdamConfig, CautiousConfig, OptimizerExt};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     embedding: Embedding,
///     head: Linear,
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let device = Device::flex();
/// # let model = Net {
/// #     embedding: EmbeddingConfig::new(10, 4).init(&device),
/// #     head: LinearConfig::new(4, 2).init(&device),
/// # };
/// let adam = AdamConfig::torch().build()?;
/// let embedding = CautiousConfig::new().with_rescale(false).build(adam.clone());
/// // Of all parameters in `embedding`; an error if there are none.
/// let group = ParamPaths::init(&model, "group", &["embedding"])?.group();
/// assert!(group.matches(&model.embedding.weight.id, Some("embedding.weight")));
/// let optim = adam.cautious().init().with_group(group, embedding, None);
/// # let _ = optim;
/// # Ok(())
/// # }
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
/// let adam = AdamConfig::torch().build()?;
/// let mut optim = adam.cautious().decoupled_weight_decay(1e-2)?.init();
///
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let model = optim.step(1e-3, model, grads);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// Without scaling up the remaining steps:
///
/// ```
/// use burn_tricks_optim::{CautiousConfig, SgdConfig};
///
/// let momentum = SgdConfig::torch().with_momentum_factor(0.9).build()?;
/// let optim = CautiousConfig::new().with_rescale(false).build(momentum);
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Put it around an optimizer without decoupled decay, and
/// [`DecoupledWeightDecayConfig`](crate::DecoupledWeightDecayConfig) around both, as in the authors' code: otherwise
/// the decay is part of the step that is compared with the gradient. For `f16` and `bf16` weights, put it
/// inside of [`MasterWeightsConfig`](crate::MasterWeightsConfig), since the step is computed as the difference of two
/// weights.
///
/// No setting makes it neutral, so that the steps are those of any inner optimizer: to turn it off, leave it out. Around an
/// optimizer whose steps all go down their gradients, such as plain SGD, it changes nothing unless there are gradients of zero.
///
/// # Cost
///
/// No state. Old weight and gradient are kept during the step, so that the inner optimizer writes the new weight into
/// another buffer. After it, on the CPU backend, two reads of the three tensors and a write move 28 bytes per `f32`
/// weight, as many as a step of Adam; on a GPU as many, in two or three launches. On other backends these are sixteen
/// tensor operations, one of them a reduction.
///
/// # Differences
///
/// - The authors multiply step and gradient. Here their signs are compared, so that products that underflow
///   count too.
/// - The step is computed as the difference of the new and the old weight, so that any optimizer can be wrapped. It is
///   exact up to the rounding of the weights. An element whose step vanishes in this rounding counts as going down, so
///   that it does not lengthen the others; the authors compare before rounding, and leave it out if it goes up.
/// - The paper and `pytorch_optimizer` divide by `mean(m) + 1/n` for n numbers; the authors' code and timm as above.
///
/// # References
///
/// - Liang et al., *Cautious optimizers: improving training with one line of code*, 2024,
///   <https://arxiv.org/abs/2411.16085>
#[derive(Config, Debug)]
pub struct CautiousConfig {
    /// Whether the remaining steps are multiplied by `1 / mean(m)`. Default: yes.
    #[config(default = true)]
    pub rescale: bool,
}

impl CautiousConfig {
    /// `inner` with cautious steps, for other wrappers and `ModuleOptimizer::with_group`.
    ///
    /// # Panics
    ///
    /// If `inner` is schedule-free or has master weights, which this wrapper belongs inside of: see the order of
    /// [`ScheduleFreeConfig`](crate::ScheduleFreeConfig#order) and
    /// [`MasterWeightsConfig`](crate::MasterWeightsConfig#order).
    pub fn build<O: Optimizer>(&self, inner: O) -> Cautious<O> {
        wrapper_order::check_or_panic::<O>("cautious");
        let rescale = self.rescale;
        Wrapper::new(CautiousWrap { rescale }, inner)
    }

    /// The optimizer of a whole module.
    ///
    /// # Panics
    ///
    /// As [`build`](Self::build).
    pub fn init<O: Optimizer>(&self, inner: O) -> ModuleOptimizer {
        ModuleOptimizer::from(self.build(inner))
    }
}

/// An optimizer whose steps only go down the gradient. Made by [`CautiousConfig::build`] and
/// [`OptimizerExt::cautious`](crate::OptimizerExt::cautious).
pub type Cautious<O> = Wrapper<CautiousWrap, O>;

/// The [`Wrap`] of [`Cautious`].
#[derive(Debug, Clone, PartialEq)]
pub struct CautiousWrap {
    rescale: bool,
}

/// The lower bound for the mean of the mask.
const LEAST_SHARE: f64 = 1e-3;

impl Wrap for CautiousWrap {
    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let new = step.inner(weight.clone(), grad.clone());
        cautious(new, weight, grad, self.least_share())
    }
}

impl PlanWrap for CautiousWrap {
    fn plan(&self, _: f64, _: usize, step: PlannedStep) -> Result<PlannedStep, PlannedStep> {
        step.then_cautious(self.least_share())
    }

    fn finish(&self, _: f64, new: AnyTensor, weight: AnyTensor, grad: AnyTensor) -> AnyTensor {
        cautious_any(new, weight, grad, self.least_share())
    }
}

impl CautiousWrap {
    fn least_share(&self) -> Option<f64> {
        self.rescale.then_some(LEAST_SHARE)
    }
}
