//! Master weights.

use crate::state_tensors::StateField;
use crate::wrapper::{Wrap, WrappedStep, Wrapper};
use crate::wrapper_order;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::{DType, Tensor};
use burn_tricks_core::{Config, accumulation_dtype};
use burn_tricks_kernels::{
    cast, cast_into, compensated, keep_buffer, split_compensation, take_over,
};
use serde::{Deserialize, Serialize};

/// How the digits that a half-precision weight cannot hold are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MasterWeightsForm {
    /// As a copy of the weight in `f32`.
    F32,
    /// As the rounding error of the weight, in the weight's own type.
    Kahan,
}

/// Configuration of [`MasterWeights`]: an optimizer in `f32` for weights in half precision.
///
/// A step is much smaller than a weight, and a half-precision weight has only 8 (`bf16`) or 11 bits (`f16`) of
/// precision: most steps would be lost in rounding. So the optimizer works on `f32` weights, and the model gets
/// them rounded (Micikevicius et al., 2018).
///
/// ```text
/// W ← inner(W, g),   w ← round(W)            MasterWeightsForm::F32: W is remembered
/// W ← inner(w + c, g),   w ← round(W),   c ← round(W − w)      MasterWeightsForm::Kahan: c is,
/// ```
///
/// In Kahan's form, w + c is W up to the rounding of c. Where it lies halfway between two numbers, w + c may round to a
/// neighbour of w; so w and c are then computed once more from w + c, and w is always the rounded w + c.
///
/// # Example
///
/// A hundred steps, each an eighth of the distance between 1 and the next `bf16` number:
///
/// ```
/// use burn::optim::Optimizer;
/// use burn::tensor::{DType, Device, FloatDType, Tensor};
/// use burn_tricks_optim::{OptimizerExt, SgdConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let one = || Tensor::<1>::ones([1], (&device, DType::BF16));
///
/// let optim = SgdConfig::torch().build()?.master_weights();
/// let (mut weight, mut state) = (one(), None);
/// for _ in 0..100 {
///     (weight, state) = optim.step(5e-4, weight, one(), state);
/// }
/// let weight = weight.cast(FloatDType::F32).into_scalar::<f32>();
/// assert!((weight - 0.95).abs() < 0.004); // 1 without master weights
/// # Ok(())
/// # }
/// ```
///
/// For a model: `AdamWConfig::torch().build()?.master_weights().init()`. The model itself is made in `f32`, or loaded, and then
/// cast:
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::GradientsParams;
/// use burn::tensor::{DType, Device, FloatDType, Tensor};
/// use burn_tricks_core::cast_copy;
/// use burn_tricks_optim::{AdamWConfig, OptimizerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model: Linear = LinearConfig::new(4, 1).init(&device);
/// let mut model = cast_copy(&model.valid(), FloatDType::BF16).train();
///
/// let mut optim = AdamWConfig::torch().build()?.master_weights().init();
/// for _ in 0..3 {
///     let input = Tensor::<2>::ones([8, 4], (&device, DType::BF16));
///     let loss = model.forward(input).cast(FloatDType::F32).square().mean();
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     model = optim.step(1e-3, model, grads);
/// }
/// assert_eq!(model.weight.val().dtype(), DType::BF16);
/// # Ok(())
/// # }
/// ```
///
/// `valid()` and `train()` are needed: a weight that is cast while it records gradients is computed from the first model's
/// weight, and is no parameter. An optimizer that steps such a model lets Burn panic in the second backward pass ("graph
/// tape has already been consumed"). The running statistics of batch norms are cast as well; the copy has its own, so those
/// of the first model stay in `f32`.
///
/// With half the memory, for `bf16`:
///
/// ```
/// use burn_tricks_optim::{AdamWConfig, MasterWeightsConfig, MasterWeightsForm};
///
/// let optim = MasterWeightsConfig::new()
///     .with_form(MasterWeightsForm::Kahan)
///     .build(AdamWConfig::torch().build()?);
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// It must be the outermost wrapper: the wrappers inside see `f32` weights and gradients. A wrapper around it is refused; it
/// is recognised by its type, so not inside a type of your own. Loss scaling and clipping come before the optimizer, as
/// always. It does not help `ProdigyAdam` of `burn-tricks-grad`, since Prodigy's estimate sees the rounded weights.
/// `f32` and `f64` weights go to the inner optimizer as they are, without extra state.
///
/// # Cost
///
/// Four bytes per weight ([`F32`](MasterWeightsForm::F32)) or two ([`Kahan`](MasterWeightsForm::Kahan)) in addition to
/// the inner state. On the CPU backend there are three passes besides the inner step. With `F32` they are a check
/// whether other code has changed the weight, and casts of gradient and weight; with `Kahan` they are the sum `w + c`
/// with the same check, the cast of the gradient, and the split of `W` into `w` and `c`. They move 18 bytes per weight
/// with `F32` and 22 with `Kahan`; a step of Adam in `f32` moves 28. Each thread that steps weights keeps the `f32`
/// buffers of the last weight and gradient, of at most 16 MB each, for the next one. An `f32` or `f64` weight has no
/// additional cost.
///
/// # Differences
///
/// - If a weight has changed since the last step, because of a constraint or a loaded record, the master weight
///   takes over the new value, element by element. Other implementations continue from the old master weight,
///   and so undo the change. With [`F32`](MasterWeightsForm::F32) the new value is exact. With
///   [`Kahan`](MasterWeightsForm::Kahan) the two numbers do not show the change: the remainder of the old weight is added to
///   the new one, unless their sum, rounded, is another number (as where a weight is set to 0, or to one that is much smaller
///   than it was). So `w + c` may be off the new weight by up to half of its distance to the next number.
/// - Kahan summation usually compensates each addition of a step. Here `w + c` is the weight with twice the
///   digits, and any optimizer can step it. Two `bf16` numbers have 16 bits of precision, fewer than the 24 of
///   an `f32`. The remainder of an `f16` has few digits, and none below 10⁻⁴: use
///   [`F32`](MasterWeightsForm::F32) for `f16`.
///
/// # References
///
/// - Micikevicius et al., *Mixed precision training*, 2018, <https://arxiv.org/abs/1710.03740>
/// - Zamirai et al., *Revisiting BFloat16 training*, 2020, <https://arxiv.org/abs/2010.06192> (Kahan)
#[derive(Config, Debug)]
pub struct MasterWeightsConfig {
    /// How the lost digits are kept. Default: [`MasterWeightsForm::F32`].
    #[config(default = "MasterWeightsForm::F32")]
    pub form: MasterWeightsForm,
}

impl MasterWeightsConfig {
    /// `inner` on master weights, for `ModuleOptimizer::with_group`.
    ///
    /// # Panics
    ///
    /// If `inner` has master weights already.
    pub fn build<O: Optimizer>(&self, inner: O) -> MasterWeights<O> {
        wrapper_order::check_or_panic::<O>(wrapper_order::MASTER_WEIGHTS);
        let form = self.form;
        Wrapper::new(MasterWeightsWrap { form }, inner)
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

/// An optimizer that steps half-precision weights in `f32`. Made by [`MasterWeightsConfig::build`] and
/// [`OptimizerExt::master_weights`](crate::OptimizerExt::master_weights). A record holds the `f32` weight as
/// `master`, or the rounding error as `compensation`.
pub type MasterWeights<O> = Wrapper<MasterWeightsWrap, O>;

/// The [`Wrap`] of [`MasterWeights`].
#[derive(Debug, Clone, PartialEq)]
pub struct MasterWeightsWrap {
    form: MasterWeightsForm,
}

const MASTER: StateField = StateField::optional("master");
const COMPENSATION: StateField = StateField::optional("compensation");

impl Wrap for MasterWeightsWrap {
    const STATE: &'static [StateField] = &[MASTER, COMPENSATION];

    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let (dtype, wide) = (weight.dtype(), accumulation_dtype(weight.dtype()));
        if DType::from(wide) == dtype {
            return step.inner(weight, grad);
        }
        // Both, for a run whose settings have changed.
        let master = step.take(MASTER, &weight);
        let compensation = step.take_as_weight(COMPENSATION, &weight);
        let exact = match (master, &compensation) {
            (Some(master), _) => take_over(master, weight.clone()),
            (None, Some(compensation)) => compensated(&weight, compensation),
            (None, None) => cast(weight.clone(), wide),
        };
        let grad = cast(grad, wide);
        let buffer = grad.clone();
        let new = step.inner(exact, grad);
        keep_buffer(buffer);
        match self.form {
            MasterWeightsForm::F32 => {
                let rounded = cast_into(&new, weight);
                step.put(MASTER, new);
                rounded
            }
            MasterWeightsForm::Kahan => {
                let compensation = compensation.unwrap_or_else(|| weight.zeros_like());
                let [rounded, error] = split_compensation(new.clone(), [weight, compensation]);
                keep_buffer(new);
                step.put(COMPENSATION, error);
                rounded
            }
        }
    }
}
