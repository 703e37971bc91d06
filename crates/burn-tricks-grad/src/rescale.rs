//! What clipping and normalising share: measure every gradient, then multiply every gradient by a
//! factor that depends on the norm, all on the device.

use crate::norm::{Norm, ScaledNorm, ScaledSum, to_accumulation};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Over which numbers a norm is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NormScope {
    /// Over every gradient of the module together: the direction of the whole gradient is kept.
    Model,
    /// Over each parameter's gradient by itself, as Burn's own clipping does.
    Tensor,
}

/// What happens when a gradient holds an infinity or a NaN.
///
/// Neither setting skips the step. An optimizer with momentum, Adam among them, moves on a zero
/// gradient too, on the strength of the gradients before it, and weight decay decays. To *see* a
/// bad gradient use [`check_finite`](crate::check_finite), which reads the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonFinite {
    /// The arithmetic decides, as in PyTorch: a NaN makes every gradient in the norm's scope NaN;
    /// an infinity becomes a NaN and zeroes the others.
    Propagate,
    /// Every gradient in the norm's scope becomes zero.
    ZeroGradient,
}

/// From a norm to the factor by which its gradients are multiplied.
pub(crate) type Factor<'a> = &'a dyn Fn(&ScaledNorm) -> Tensor<1>;

/// Multiplies the gradients by `factor` of their norm, and gives the norm over the whole module
/// before that (`None` without gradients). Gradients of parameters that `module` does not have are
/// left as they are.
pub(crate) fn rescale<M: Module>(
    module: &M,
    grads: GradientsParams,
    norm: Norm,
    scope: NormScope,
    non_finite: NonFinite,
    factor: Factor<'_>,
) -> (GradientsParams, Option<Tensor<1>>) {
    let multiplier = |norm: &ScaledNorm| Multiplier::new(norm, factor, non_finite);
    let mut measure = Measure {
        grads,
        seen: HashSet::new(),
        norm,
        parts: Vec::new(),
        per_tensor: (scope == NormScope::Tensor).then_some(&multiplier),
    };
    module.visit(&mut measure);
    let Some(total) = ScaledNorm::of_parts(measure.parts, norm) else {
        return (measure.grads, None);
    };
    let mut grads = measure.grads;
    if scope == NormScope::Model {
        let mut scale = Scale {
            grads,
            seen: HashSet::new(),
            by: multiplier(&total),
        };
        module.visit(&mut scale);
        grads = scale.grads;
    }
    (grads, Some(total.value()))
}

/// Takes the norm of each gradient, and in the per-tensor scope multiplies it on the way.
struct Measure<'a> {
    grads: GradientsParams,
    /// A tied parameter is visited twice and counts once.
    seen: HashSet<ParamId>,
    norm: Norm,
    parts: Vec<ScaledSum>,
    per_tensor: Option<&'a dyn Fn(&ScaledNorm) -> Multiplier>,
}

impl ModuleVisitor for Measure<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.seen.insert(param.id) {
            return;
        }
        let Some(mut grad) = self.grads.remove::<D>(param.id) else {
            return;
        };
        if let Some(part) = ScaledSum::of(grad.clone(), self.norm) {
            if let Some(multiplier) = self.per_tensor {
                grad = multiplier(&part.clone().into_norm(self.norm)).apply(grad);
            }
            self.parts.push(part);
        }
        self.grads.register(param.id, grad);
    }
}

/// Multiplies each gradient once.
struct Scale {
    grads: GradientsParams,
    seen: HashSet<ParamId>,
    by: Multiplier,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.seen.insert(param.id)
            && let Some(grad) = self.grads.remove::<D>(param.id)
        {
            self.grads.register(param.id, self.by.apply(grad));
        }
    }
}

struct Multiplier {
    factor: Tensor<1>,
    /// Where true, the gradient becomes zero: a factor of zero would leave a NaN a NaN.
    erase: Option<Tensor<1, Bool>>,
}

impl Multiplier {
    fn new(norm: &ScaledNorm, factor: Factor<'_>, non_finite: NonFinite) -> Self {
        Self {
            factor: factor(norm),
            erase: (non_finite == NonFinite::ZeroGradient).then(|| norm.is_bad()),
        }
    }

    fn apply<const D: usize>(&self, grad: Tensor<D>) -> Tensor<D> {
        let (device, dtype, shape) = (grad.device(), grad.dtype(), grad.dims());
        // In the precision of the factor, which half precision could not hold.
        let grad = to_accumulation(grad);
        let factor = self.factor.clone().to_device(&device).cast(grad.dtype());
        let grad = (grad * factor.unsqueeze()).cast(dtype);
        match &self.erase {
            None => grad,
            Some(erase) => {
                let erase = erase.clone().to_device(&device);
                grad.mask_fill(erase.unsqueeze::<D>().expand(shape), 0.0)
            }
        }
    }
}
