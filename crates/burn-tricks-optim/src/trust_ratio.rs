//! Trust ratio.

use crate::wrapper::{PlanWrap, Wrap, WrappedStep, Wrapper};
use crate::wrapper_order;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::{DType, FloatDType, Tensor};
use burn_tricks_core::{Config, ConfigError, accumulation_dtype};
use burn_tricks_kernels::{
    AnyTensor, PlannedStep, Real, SquareSum, SumOfSquares, TensorList, TensorNumber, blend_any,
    change_together, descend_any, sum_of_squares,
};

/// Configuration of [`TrustRatio`]: each tensor moves in proportion to its own norm.
///
/// The step of the inner optimizer is rescaled, tensor by tensor, so that its norm is a fraction of the norm of
/// the weights (You et al.: LARS, 2017, and LAMB, 2020). It serves for training with large batches.
///
/// ```text
/// u ← (w − inner(w, g)) / η
/// r ← κ ‖w‖ / (‖u‖ + ε)                      at most `max_ratio`; 1 where ‖w‖ or ‖u‖ is 0
/// w ← w − η r u
/// ```
///
/// Around AdamW with an ε of 1e-6 it is LAMB; around plain SGD it is LARS without momentum. For LARS with momentum, which is
/// accumulated after the rescaling, see [`LarsConfig`](crate::LarsConfig).
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_optim::{AdamWConfig, OptimizerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let adam_w = AdamWConfig::torch().with_epsilon(1e-6).with_weight_decay(0.01);
/// let mut lamb = adam_w.build()?.trust_ratio().init();
///
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let model = lamb.step(1e-3, model, grads);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// Without rescaling of biases and normalisation layers, and with a bounded ratio:
///
/// ```
/// use burn_tricks_optim::{AdamWConfig, TrustRatioConfig};
///
/// let optim = TrustRatioConfig::new()
///     .with_vectors(false)
///     .with_max_ratio(Some(10.0))
///     .build(AdamWConfig::torch().with_epsilon(1e-6).build()?)?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Put it around the optimizer with its decay, and inside of [`LookaheadConfig`](crate::LookaheadConfig) and
/// [`MasterWeightsConfig`](crate::MasterWeightsConfig). If the inner step is proportional to the gradient, clipping the
/// gradient by its norm has no effect, since the norm of the step is fixed by the weights. Vectors (if `vectors` is
/// off) and weights that are all zero take the step of the inner optimizer, to the bit.
///
/// No setting makes it neutral, so that the steps of all weights are those of any inner optimizer: to turn it off, leave it out.
///
/// # Cost
///
/// No state. The old weight is kept during the step; there are four more passes: the difference, two norms, the step.
/// Together they move 32 bytes per `f32` weight; a step of Adam moves 28. On a GPU one read of old and new weight gives
/// both norms, and the step is another read with a write: 20 bytes together. The ratio stays on the device.
///
/// # Differences
///
/// - The defaults κ = 1 and ε = 0 are those of optax's `lamb`; its `lars` has 0.001 and 0:
///   [`lars`](TrustRatioConfig::lars).
/// - The Adam in LAMB has ε = 1e-6 in optax, timm and Burn, and λ = 0 in optax and Burn, 0.01 in timm;
///   [`AdamWConfig::torch`](crate::AdamWConfig::torch) has 1e-8 and 0.01. Keras's `Lamb` has ε = 1e-7, and decays the
///   weights before the ratio is computed: put [`decoupled_weight_decay`](crate::OptimizerExt::decoupled_weight_decay)
///   around this wrapper.
/// - Burn's LAMB has its own Adam; this wrapper takes any optimizer.
/// - r stays below 4.3e37 (2.3e307 for `f64` weights), since an infinite r would make weights NaN that do not move. So a
///   step u with a norm below about κ ‖w‖ / 4.3e37 is lengthened less than the formula says.
/// - The step is computed as the difference of two weights, which is exact up to their rounding: use
///   [`MasterWeightsConfig`](crate::MasterWeightsConfig) around it for `f16` and `bf16`.
///
/// # References
///
/// - You, Gitman, Ginsburg, *Large batch training of convolutional networks*, 2017,
///   <https://arxiv.org/abs/1708.03888> (LARS)
/// - You et al., *Large batch optimization for deep learning*, 2020, <https://arxiv.org/abs/1904.00962> (LAMB)
#[derive(Config, Debug)]
pub struct TrustRatioConfig {
    /// κ > 0: the norm of a tensor's step per unit of learning rate, as a fraction of the tensor's norm.
    /// Default: 1, as in LAMB.
    #[config(default = 1.0)]
    pub coefficient: f64,
    /// ε ≥ 0, added to the norm of the step. Default: 0.
    #[config(default = 0.0)]
    pub epsilon: f64,
    /// The largest ratio, greater than 0. Default: none.
    pub max_ratio: Option<f64>,
    /// Whether vectors (biases, the gains and offsets of normalisation layers) are rescaled too. Default: yes, as in
    /// optax.
    #[config(default = true)]
    pub vectors: bool,
}

impl TrustRatioConfig {
    /// optax's LARS: κ = 0.001.
    pub fn lars() -> Self {
        Self::new().with_coefficient(1e-3)
    }

    /// `inner` with the ratio, for other wrappers and `ModuleOptimizer::with_group`.
    ///
    /// # Errors
    ///
    /// If κ or the largest ratio is not finite and positive, ε is negative or not finite, or `inner` is schedule-free or has
    /// master weights, which this wrapper belongs inside of: see the order of
    /// [`ScheduleFreeConfig`](crate::ScheduleFreeConfig#order) and [`MasterWeightsConfig`](crate::MasterWeightsConfig#order).
    pub fn build<O: Optimizer>(&self, inner: O) -> Result<TrustRatio<O>, ConfigError> {
        wrapper_order::check::<O>("trust_ratio")?;
        let wrap = TrustRatioWrap {
            coefficient: ConfigError::positive("coefficient", self.coefficient)?,
            epsilon: ConfigError::non_negative("epsilon", self.epsilon)?,
            max_ratio: match self.max_ratio {
                Some(ratio) => ConfigError::positive("max_ratio", ratio)?,
                None => f64::INFINITY,
            },
            vectors: self.vectors,
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

/// An optimizer whose steps have norms in proportion to those of the weights. Made by
/// [`TrustRatioConfig::build`] and [`OptimizerExt::trust_ratio`](crate::OptimizerExt::trust_ratio).
pub type TrustRatio<O> = Wrapper<TrustRatioWrap, O>;

/// The [`Wrap`] of [`TrustRatio`].
#[derive(Debug, Clone, PartialEq)]
pub struct TrustRatioWrap {
    coefficient: f64,
    epsilon: f64,
    max_ratio: f64,
    vectors: bool,
}

impl TrustRatioWrap {
    /// The defaults.
    pub(crate) const LAMB: Self = Self {
        coefficient: 1.0,
        epsilon: 0.0,
        max_ratio: f64::INFINITY,
        vectors: true,
    };
}

impl Wrap for TrustRatioWrap {
    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        if !self.rescales(step.lr, D) || weight.dims().contains(&0) {
            return step.inner(weight, grad);
        }
        let new = step.inner(weight.clone(), grad);
        self.rescaled(step.lr, new.into(), weight.into())
            .into_tensor()
    }
}

impl PlanWrap for TrustRatioWrap {
    fn plan(&self, lr: f64, rank: usize, step: PlannedStep) -> Result<PlannedStep, PlannedStep> {
        if self.rescales(lr, rank) {
            step.then(self.at(lr))
        } else {
            Ok(step)
        }
    }

    fn finish(&self, lr: f64, new: AnyTensor, weight: AnyTensor, _: AnyTensor) -> AnyTensor {
        if !self.rescales(lr, weight.rank()) || weight.is_empty() {
            return new;
        }
        self.rescaled(lr, new, weight)
    }
}

impl TrustRatioWrap {
    fn rescales(&self, lr: f64, rank: usize) -> bool {
        (rank >= 2 || self.vectors) && lr != 0.0
    }

    /// The weight after the rescaled step, from the new weight of the inner optimizer and the old one.
    fn rescaled(&self, lr: f64, new: AnyTensor, weight: AnyTensor) -> AnyTensor {
        let numbers = self.at(lr);
        let [new, weight] = match change_together(numbers, vec![[new, weight]]) {
            Ok(mut changed) => return changed.swap_remove(0),
            Err(mut items) => items.swap_remove(0),
        };
        let (dtype, wide) = (weight.dtype(), accumulation_dtype(weight.dtype()));
        let (new, weight) = (new.cast(wide), weight.cast(wide));
        let way = blend_any(new, 1.0, weight.clone(), -1.0);
        let RescaledStep {
            coefficient,
            epsilon,
            max_ratio,
        } = numbers;
        let ratio = trust_ratio(&weight, &way, 0.0, epsilon, coefficient, max_ratio);
        descend_any(weight, 1.0, way, 1.0, &ratio.recip()).cast(dtype.into())
    }

    /// The numbers of a step with this learning rate.
    fn at(&self, lr: f64) -> RescaledStep {
        RescaledStep {
            coefficient: self.coefficient * lr,
            epsilon: self.epsilon * lr,
            max_ratio: self.max_ratio,
        }
    }
}

/// The rescaled step, for a GPU, from the new and the old weight.
#[derive(Debug, Clone, Copy)]
struct RescaledStep {
    coefficient: f64,
    epsilon: f64,
    max_ratio: f64,
}

impl TensorNumber<2, 2> for RescaledStep {
    fn terms<T: Real>(self, [new, weight]: [T; 2]) -> [T; 2] {
        [weight, new - weight]
    }

    fn number<T: Real>(self, [weight, way]: [SquareSum<T>; 2], _count: T) -> T {
        trust_ratio_of(
            weight.root,
            way.root,
            0.0,
            self.epsilon,
            self.coefficient,
            self.max_ratio,
        )
    }

    fn element<T: Real>(self, [new, weight]: [T; 2], ratio: T) -> T {
        weight + (new - weight) * ratio
    }
}

/// `coefficient ‖w‖ / (‖u‖ + decay ‖w‖ + epsilon)`, at most `max_ratio`, and 1 where a norm is 0; a tensor of one element on
/// the device. It stays below the reciprocal of [`least_inverse`].
pub(crate) fn trust_ratio(
    weight: &AnyTensor,
    update: &AnyTensor,
    decay: f64,
    epsilon: f64,
    coefficient: f64,
    max_ratio: f64,
) -> Tensor<1> {
    let (weights, updates) = (norm(weight), norm(update));
    // One mask: with two, `fusion` leaves twice as many kernels of a step.
    let none = weights.clone().equal_elem(0.0);
    let none = updates.clone().equal_elem(0.0).bool_or(none);
    let divisor = match decay {
        0.0 => updates,
        decay => updates + weights.clone() * decay,
    };
    let length = weights * coefficient;
    let least = length.clone() * least_inverse(weight.dtype());
    let ratio = length / (divisor + epsilon + least);
    let ratio = match max_ratio {
        f64::INFINITY => ratio,
        most => ratio.clamp_max(most),
    };
    ratio.mask_fill(none, 1.0)
}

/// [`trust_ratio`] from the norms, for a GPU.
pub(crate) fn trust_ratio_of<T: Real>(
    weight: T,
    update: T,
    decay: f64,
    epsilon: f64,
    coefficient: f64,
    max_ratio: f64,
) -> T {
    let length = weight * coefficient;
    let least = length * least_inverse(DType::F32);
    let divisor = update + weight * decay + epsilon + least;
    let (ratio, one) = (length / divisor, weight.of(1.0));
    let ratio = match max_ratio {
        f64::INFINITY => ratio,
        most => -(-ratio).max(ratio.of(-most)),
    };
    weight.if_zero(one, update.if_zero(one, ratio))
}

/// What the inverse of a ratio is increased by, twice the smallest normal number of the weights' type. It is lost in the
/// rounding unless the ratio is huge: an infinite one would make NaN of a number that does not move, and with an inverse of 0
/// nothing would move.
fn least_inverse(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 2.0 * f64::MIN_POSITIVE,
        _ => 2.0 * f64::from(f32::MIN_POSITIVE),
    }
}

/// The norm in `f64` where the kernel returns that, otherwise in the type in which sums are kept.
fn norm(tensor: &AnyTensor) -> Tensor<1> {
    match sum_of_squares(&TensorList::from(tensor.clone())) {
        Some(SumOfSquares { scale, sum }) => sum.sqrt() * scale,
        None => Tensor::zeros([1], (&tensor.device(), FloatDType::F32.into())),
    }
}
