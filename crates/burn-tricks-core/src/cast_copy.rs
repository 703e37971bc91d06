//! Mixed precision: a copy of a model in another float type, and its running statistics.

use crate::leaf::Leaf;
use crate::module_tensors::ModuleTensors;
use crate::place::{Mismatch, Place, ValueKind, places};
use crate::restore::{Context, fresh};
use crate::stale_derived::stale_floats;
use crate::walk::{Location, Mapper, map};
use burn::module::{Flag, Module, ModuleVisitor, Param};
use burn::tensor::{FloatDType, Tensor};
use burn_tricks_kernels::without_autodiff;
use std::any::Any;
use std::collections::VecDeque;

/// A copy of `model` whose floats have the type `dtype`, for the forward pass of mixed precision: its gradients arrive
/// at the parameters of `model`, in their type.
///
/// The copy has its own running statistics and [`Derived`](crate::Derived) states. (`model.clone().map(..)` would cast
/// those of `model` too: clones share them.) What its forward pass does to them is lost, unless
/// [`copy_statistics`] writes it back. Training flags are those of `model`, and pending updates of the statistics of
/// `model` are applied, as its next forward pass would do. Each weight is cast once; nothing is read from the device.
///
/// The statistics of the layers `InputScaler` and `FrozenBatchNorm` of `burn-tricks-nn`, which are found by these names,
/// keep their type: the layers calculate in at least `f32` and return the type of their input. All other floats are cast,
/// so in `f16` a number above 65,504 becomes infinite: the running variance, say, with which a batch norm that
/// `freeze_batch_norms` has frozen normalises in training too (make it a `FrozenBatchNorm`). Inputs can overflow in the
/// same way: scale them before they are cast, `half.scaler.forward(input).cast(FloatDType::F16)`.
///
/// ```
/// use burn::nn::{BatchNorm, BatchNormConfig};
/// use burn::optim::GradientsParams;
/// use burn::tensor::{DType, Device, FloatDType, Tensor};
/// use burn_tricks_core::{cast_copy, copy_statistics};
///
/// # fn main() -> Result<(), burn_tricks_core::Mismatch> {
/// let device = Device::flex().autodiff();
/// let model: BatchNorm = BatchNormConfig::new(2).init(&device); // in `f32`
///
/// let half = cast_copy(&model, FloatDType::F16);
/// let input = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], (&device, DType::F16));
/// let loss = half.forward(input).cast(FloatDType::F32).square().sum();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// assert_eq!(grads.get::<1>(model.gamma.id).unwrap().dtype(), DType::F32);
///
/// copy_statistics(&half, &model)?;
/// let mean = model.running_mean.value();
/// assert_eq!(mean.dtype(), DType::F32);
/// let mean = mean.into_data().to_vec::<f32>().unwrap();
/// assert!((mean[0] - 0.2).abs() < 1e-3 && (mean[1] - 0.3).abs() < 1e-3); // a tenth of the mean of the batch
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn cast_copy<M: Module>(model: &M, dtype: FloatDType) -> M {
    let (fresh, context) = fresh(model);
    // Behind `fresh`, which has applied the pending updates of the statistics.
    let mut tracked = Tracked::default();
    model.visit(&mut tracked);
    let mut cast = CastCopy {
        tracked,
        context,
        dtype,
    };
    map(fresh, &mut cast)
}

/// Gives `to` the running statistics and the [`Derived`](crate::Derived) states of `from`, in the element types and on
/// the devices of `to`; all else stays. Use it after a step whose forward pass was that of a [`cast_copy`].
///
/// A number that has not changed in the copy is not copied, since `to` has it unrounded: one that equals the number of `to`
/// in the type of `from`. So statistics that no forward pass changes, as those of frozen batch norms, stay as they are.
///
/// A number that is NaN or infinite is not copied: in `f16`, the variance of a channel overflows if its inputs lie more
/// than 256 apart from their mean, although the loss and the gradients can be finite. The statistics of a copy are
/// rounded to its type in each step, so they come within about half a percent (`f16`) or a few percent (`bf16`) of what
/// they follow.
///
/// Clones of `to` share its statistics, and therefore get them too. Pending updates of the statistics of both models are
/// applied first. A state of `from` that is [stale](crate::Derived::is_stale) is not copied.
///
/// # Errors
///
/// If the two differ in a path, a kind or a shape: the first such place. Nothing is copied then.
pub fn copy_statistics<M: Module>(from: &M, to: &M) -> Result<(), Mismatch> {
    // This applies the pending updates of `to`.
    let expected = places(to);
    let from = from.valid();
    if let Some(mismatch) = Mismatch::apart_from_dtype(&expected, &places(&from)) {
        return Err(mismatch);
    }
    let mut copy = CopyStatistics {
        stale: stale_floats(&from),
        values: ModuleTensors::of(&from),
        places: expected.iter(),
    };
    let _shares_the_statistics = map(to.clone(), &mut copy);
    Ok(())
}

/// The float tensors of a module in order, as autodiff tracks them.
#[derive(Default)]
struct Tracked(VecDeque<Box<dyn Any>>);

impl ModuleVisitor for Tracked {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push_back(Box::new(param.val()));
    }
}

impl Tracked {
    fn next<const D: usize>(&mut self) -> Tensor<D> {
        let tensor = self.0.pop_front().expect("of the same module");
        *tensor.downcast().expect("of the same rank")
    }
}

/// The layers that calculate in at least `f32`, whatever the types of their statistics and of their input, whose type they
/// return.
const WIDE: [&str; 2] = ["InputScaler", "FrozenBatchNorm"];

struct CastCopy {
    tracked: Tracked,
    context: Context,
    dtype: FloatDType,
}

impl Mapper for CastCopy {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let tracked = self.tracked.next();
        // A stale state shows no value to visitors.
        let is_derived = at.is_derived();
        let is_wide = WIDE.contains(&at.layer());
        param.map(|own| {
            let value = if is_derived { own } else { tracked };
            if is_wide {
                value
            } else {
                value.cast(self.dtype)
            }
        })
    }

    fn flag(&mut self, _: &Location, flag: Param<Flag>) -> Param<Flag> {
        self.context.flag(flag)
    }
}

struct CopyStatistics<'a> {
    stale: VecDeque<bool>,
    values: ModuleTensors,
    places: std::slice::Iter<'a, Place>,
}

impl Mapper for CopyStatistics<'_> {
    fn float<const D: usize>(&mut self, _: &Location, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let place = self.places.find(|place| place.kind.is_float());
        let kind = place.expect("a place for each float").kind;
        let is_stale = self.stale.pop_front().expect("as many as places");
        let value = self.values.float();
        if kind == ValueKind::Weight || is_stale {
            return param;
        }
        let id = param.id;
        param.map(|old| {
            let leaf = Leaf::new(&old);
            let old = without_autodiff(old);
            let value = value.to_device(&old.device());
            let has_changed = value.clone().not_equal(old.clone().cast(value.dtype()));
            let value = value.cast(old.dtype());
            let is_copied = value.clone().is_finite().bool_and(has_changed);
            leaf.with_value(old.mask_where(is_copied, value), id)
        })
    }
}
