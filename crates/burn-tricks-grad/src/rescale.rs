//! What clipping and normalising have in common: they compute the norm of all gradients, and multiply every
//! gradient by a factor that depends on it, all on the device.

use crate::gradient_list::{GradientList, take};
use crate::norm::{NormKind, ScaledNorm, ScaledSum};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Bool, DType, FloatDType, Tensor};
use burn_tricks_core::{ConfigError, NormScope};
use burn_tricks_kernels::{Factor, NormNumber, Real, TensorList, number_of_norm, scale};
use serde::{Deserialize, Serialize};

/// What happens if a gradient holds an infinity or a NaN. To find out which gradient does, use
/// [`check_finite`](crate::check_finite), which reads the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonFinite {
    /// The values propagate through the arithmetic, as in PyTorch: a NaN makes every gradient in the norm's
    /// scope NaN; an infinity becomes NaN, and all other numbers become zero.
    Propagate,
    /// Every gradient in the norm's scope becomes zero. The step is still taken: momentum (also Adam's) moves
    /// the weights because of earlier gradients, weight decay is applied, and the step counts.
    ZeroGradient,
    /// Every number of every gradient of the module becomes NaN, whatever the norm's scope. This is the mark by
    /// which an optimizer of `burn-tricks-optim` with `skip_marked` recognises that it must skip the step:
    /// weights, state and step count stay as they are. **Any other optimizer makes the weights NaN**: use a
    /// [`StepGuard`](crate::StepGuard) with it.
    SkipStep,
}

/// An error if gradients cannot be rescaled over `scope`.
pub(crate) fn check_scope(scope: NormScope) -> Result<(), ConfigError> {
    match scope {
        NormScope::Model | NormScope::Tensor => Ok(()),
        NormScope::Element => Err(ConfigError::new(
            "scope",
            "be `Model` or `Tensor` (for single elements there are Burn's `GradientClippingConfig::Value` and \
             `NormalizedGradientConfig`)",
            scope,
        )),
    }
}

/// Computes from a norm the factor by which the gradients are multiplied.
pub(crate) type ToFactor<'a> = &'a mut dyn FnMut(&ScaledNorm) -> Tensor<1>;

/// The gradients with the sign of `times`, and its magnitude. A negative number costs a pass of its own: the factors of a
/// norm are at least 0.
pub(crate) fn signed<M: Module>(
    module: &M,
    grads: GradientsParams,
    times: f64,
) -> (GradientsParams, f64) {
    if times < 0.0 {
        (scale_gradients(module, grads, -1.0), -times)
    } else {
        (grads, times)
    }
}

/// The factor of the gradients, from that of `times` the gradients, where `times` is at least 0.
pub(crate) fn of_multiple(
    mut factor: impl FnMut(&ScaledNorm) -> Tensor<1>,
    times: f64,
) -> impl FnMut(&ScaledNorm) -> Tensor<1> {
    move |norm| {
        if times == 1.0 {
            return factor(norm);
        }
        let factor = factor(&norm.times(times));
        if times == 0.0 {
            // Where the norm is divided by, the factor of gradients that are all 0 is none.
            return norm.root.clone() * 0.0;
        }
        factor * times
    }
}

/// Multiplies the gradients by `factor` of their norm, and returns the norm over the whole module before that
/// (`None` without gradients). Gradients of parameters that `module` does not have stay as they are.
pub(crate) fn rescale<M: Module>(
    module: &M,
    grads: GradientsParams,
    norm: NormKind,
    scope: NormScope,
    non_finite: NonFinite,
    factor: ToFactor<'_>,
) -> (GradientsParams, Option<Tensor<1>>) {
    let (mut grads, mut taken) = take(module, grads);
    let dtype = taken.list.accumulation_dtype();
    let list = std::mem::take(&mut taken.list);
    let (list, total) = rescale_list(list, norm, scope, non_finite, factor);
    taken.list = list;
    taken.put_into(&mut grads);
    (grads, total.map(|total| total.value(dtype)))
}

/// [`rescale`] of gradients in a list.
pub(crate) fn rescale_list(
    mut list: TensorList,
    norm: NormKind,
    scope: NormScope,
    non_finite: NonFinite,
    factor: ToFactor<'_>,
) -> (TensorList, Option<ScaledNorm>) {
    let total = match scope {
        NormScope::Model => match ScaledSum::of(&list, norm) {
            None => None,
            Some(sum) => {
                let total = sum.into_norm(norm);
                list = multiplied(list, &total, &mut *factor, non_finite);
                Some(total)
            }
        },
        // `Element` is refused by the configurations.
        NormScope::Tensor | NormScope::Element => {
            let mut sums: Vec<Option<ScaledSum>> = Vec::new();
            match non_finite {
                // One that is not finite marks them all.
                NonFinite::SkipStep => {
                    list = list.map_each(|grad| {
                        sums.push(ScaledSum::of(&grad, norm));
                        grad
                    });
                    let parts = sums.iter().flatten().cloned().collect();
                    let total = ScaledSum::of_parts(parts, norm).map(|sum| sum.into_norm(norm));
                    let bad = total.as_ref().map(ScaledNorm::is_bad);
                    let mut sums = sums.into_iter();
                    list = list.map_each(|grad| match (sums.next().flatten(), &bad) {
                        (Some(sum), Some(bad)) => {
                            let factor = bounded(factor(&sum.into_norm(norm)), &grad);
                            mark(factor, bad).times(grad)
                        }
                        _ => grad,
                    });
                    total
                }
                _ => {
                    list = list.map_each(|grad| match ScaledSum::of(&grad, norm) {
                        None => grad,
                        Some(sum) => {
                            sums.push(Some(sum.clone()));
                            multiplied(grad, &sum.into_norm(norm), &mut *factor, non_finite)
                        }
                    });
                    let parts = sums.into_iter().flatten().collect();
                    ScaledSum::of_parts(parts, norm).map(|sum| sum.into_norm(norm))
                }
            }
        }
    };
    (list, total)
}

/// [`rescale`] of gradients in a list, where a multiplication of all of them by one number may be left: by the returned factor.
pub(crate) fn rescale_up_to_factor(
    list: TensorList,
    norm: NormKind,
    scope: NormScope,
    non_finite: NonFinite,
    factor: ToFactor<'_>,
) -> (TensorList, Option<Factor>) {
    // The CPU backend knows the number, and does nothing if it is 1.
    if scope != NormScope::Model || list.is_on_cpu() {
        return (rescale_list(list, norm, scope, non_finite, factor).0, None);
    }
    let total = ScaledSum::of(&list, norm).map(|sum| sum.into_norm(norm));
    let factor = total.map(|total| factor_of(&list, &total, factor, non_finite));
    (list, factor)
}

/// Multiplies the gradients of the parameters of `module` by `factor`, for an accumulation or a scale of your own. One
/// pass, none at all if `factor` is 1, and two if it is below 1.2e-38, the smallest normal number of `f32` (also for
/// gradients in `f64`). Nothing is read from the device.
#[must_use]
pub fn scale_gradients<M: Module>(
    module: &M,
    grads: GradientsParams,
    factor: f64,
) -> GradientsParams {
    if factor == 1.0 {
        return grads;
    }
    let (mut grads, taken) = take(module, grads);
    scaled(taken, factor).put_into(&mut grads);
    grads
}

/// The gradients times `factor`.
pub(crate) fn scaled(mut taken: GradientList, factor: f64) -> GradientList {
    let Some(device) = taken.device.clone() else {
        return taken;
    };
    let dtype: DType = taken.list.accumulation_dtype().into();
    for factor in normal_factors(factor) {
        let factor = Tensor::from_data([factor], (&device, dtype));
        taken.list = scale(taken.list, &factor);
    }
    taken
}

/// One or two numbers whose product is `factor`, and that are normal in `f32` (if `factor` is above 6.4e-58). A
/// subnormal number has few digits, and many GPUs take it for 0.
fn normal_factors(factor: f64) -> impl Iterator<Item = f64> {
    const STEP: f64 = 18_446_744_073_709_551_616.0; // 2⁶⁴, which rounds nothing
    let is_small = factor != 0.0 && factor.abs() < f64::from(f32::MIN_POSITIVE);
    let first = if is_small { factor * STEP } else { factor };
    std::iter::once(first).chain(is_small.then_some(1.0 / STEP))
}

fn multiplied(
    grads: TensorList,
    norm: &ScaledNorm,
    factor: ToFactor<'_>,
    non_finite: NonFinite,
) -> TensorList {
    factor_of(&grads, norm, factor, non_finite).times(grads)
}

/// By what these gradients are multiplied.
fn factor_of(
    grads: &TensorList,
    norm: &ScaledNorm,
    factor: ToFactor<'_>,
    non_finite: NonFinite,
) -> Factor {
    let factor = bounded(factor(norm), grads);
    non_finite.factor(match non_finite.mark() {
        None => factor,
        Some(mark) => factor.mask_fill(norm.is_bad(), mark),
    })
}

impl NonFinite {
    /// By what the gradients are multiplied if their norm is not finite, if that is not what its factor says.
    fn mark(self) -> Option<f64> {
        match self {
            Self::Propagate => None,
            Self::ZeroGradient => Some(0.0),
            Self::SkipStep => Some(f64::NAN),
        }
    }

    /// The factor with this number, in which a norm that is not finite has left its mark.
    fn factor(self, number: Tensor<1>) -> Factor {
        match self {
            Self::Propagate => Factor::new(number),
            Self::ZeroGradient => Factor::or_zero(number),
            Self::SkipStep => Factor::or_nan(number),
        }
    }
}

/// By what a GPU multiplies all gradients, computed by the kernel that adds up their squares; `None` if there is no such
/// kernel. `of_norm` is the factor before it is bounded and marked.
pub(crate) fn factor_by_kernel(
    list: &TensorList,
    (norm, scope): (NormKind, NormScope),
    non_finite: NonFinite,
    of_norm: impl NormNumber,
) -> Option<Factor> {
    if (norm, scope) != (NormKind::L2, NormScope::Model) {
        return None;
    }
    let number = number_of_norm(
        list,
        InKernel {
            of_norm,
            non_finite,
        },
    )?;
    Some(non_finite.factor(number))
}

/// [`factor_of`] in a kernel.
#[derive(Clone, Copy)]
struct InKernel<F> {
    of_norm: F,
    non_finite: NonFinite,
}

impl<F: NormNumber> NormNumber for InKernel<F> {
    fn number<T: Real>(self, scale: T, root: T) -> T {
        let factor = self.of_norm.number(scale, root);
        let largest = scale.of(f64::from(f32::MAX));
        // An infinite factor would turn zeros into NaN; a NaN stays NaN.
        let factor = (largest - factor).if_negative(largest, factor);
        match self.non_finite.mark() {
            None => factor,
            // A root that is finite is far below the largest number, and neither infinity nor NaN is.
            Some(mark) => (root - largest).if_negative(factor, scale.of(mark)),
        }
    }
}

/// Bounds the factor by the largest number of the gradients' types, since an infinite factor would turn zeros
/// into NaN. A NaN stays NaN.
fn bounded(factor: Tensor<1>, grads: &TensorList) -> Tensor<1> {
    let largest = match grads.narrowest_dtype() {
        FloatDType::F64 => f64::MAX,
        _ => f64::from(f32::MAX),
    };
    let beyond = factor.clone().greater_elem(largest);
    factor.mask_fill(beyond, largest)
}

/// The factor, or a mark of all gradients, by which they become NaN, if any gradient, of these or others, is not finite.
fn mark(factor: Tensor<1>, bad: &Tensor<1, Bool>) -> Factor {
    let bad = bad.clone().to_device(&factor.device());
    Factor::or_nan(factor.mask_fill(bad, f64::NAN))
}
