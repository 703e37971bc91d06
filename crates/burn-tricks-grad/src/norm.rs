//! Norms of gradients, computed on the device and safe from overflow.
//!
//! The norm of several tensors is the norm of all their elements together. With `s` the largest
//! magnitude, `‖g‖_p = s · (Σ |gᵢ/s|^p)^(1/p)`: no power ever exceeds 1, so that gradients of 2e19,
//! whose squares overflow `f32`, and of 1e-25, whose squares vanish, have the right norm and the
//! right direction. `f16` and `bf16` are summed in `f32`. Nothing here reads from the device.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, DType, FloatDType, Tensor};
use burn_tricks_core::{ConfigError, accumulation_dtype};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Norm {
    /// The sum of magnitudes.
    L1,
    /// The Euclidean norm.
    L2,
    /// The largest magnitude.
    LInf,
    /// `(Σ |gᵢ|^p)^(1/p)` for a finite `p ≥ 1`.
    Lp(f64),
}

impl Norm {
    pub(crate) fn validated(self) -> Result<Self, ConfigError> {
        match self {
            Self::Lp(p) if !(p.is_finite() && p >= 1.0) => Err(ConfigError::new(
                "norm",
                "have a finite p of at least 1 (for the largest magnitude use `Norm::LInf`)",
                self,
            )),
            norm => Ok(norm),
        }
    }
}

/// The norm over every gradient that `grads` holds for a parameter of `module`, as a tensor of one
/// element on the device of the first one; `None` when there is none. Nothing waits for the
/// device: the value can be read whenever it suits.
pub fn global_norm<M: Module>(
    module: &M,
    grads: &GradientsParams,
    norm: Norm,
) -> Option<Tensor<1>> {
    let mut collect = Collect {
        grads,
        norm,
        seen: HashSet::new(),
        parts: Vec::new(),
    };
    module.visit(&mut collect);
    ScaledNorm::of_parts(collect.parts, norm).map(|norm| norm.value())
}

struct Collect<'a> {
    grads: &'a GradientsParams,
    norm: Norm,
    seen: HashSet<ParamId>,
    parts: Vec<ScaledSum>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // A tied parameter is visited twice and counts once.
        if self.seen.insert(param.id)
            && let Some(grad) = self.grads.get::<D>(param.id)
        {
            self.parts.extend(ScaledSum::of(grad, self.norm));
        }
    }
}

/// `sum = Σ |gᵢ/scale|^p` of one tensor (the largest `|gᵢ/scale|` for [`Norm::LInf`]); each field
/// holds one element.
#[derive(Clone)]
pub(crate) struct ScaledSum {
    scale: Tensor<1>,
    sum: Tensor<1>,
}

impl ScaledSum {
    /// `None` for a tensor without elements.
    pub(crate) fn of<const D: usize>(grad: Tensor<D>, norm: Norm) -> Option<Self> {
        if grad.dims().contains(&0) {
            return None;
        }
        let grad = to_accumulation(grad);
        let largest = grad.clone().max_abs();
        // With an infinite or NaN element the scale is moot: the sum shows it.
        let moot = largest.clone().is_finite().bool_not();
        let scale = largest
            .mask_fill(moot, 1.0)
            .clamp_min(smallest_normal(grad.dtype()));
        let scaled = grad / scale.clone().unsqueeze();
        let sum = match norm {
            Norm::L1 => scaled.clone().abs().sum(),
            Norm::L2 => scaled.clone().square().sum(),
            Norm::Lp(p) => scaled.clone().abs().powf_scalar(p).sum(),
            Norm::LInf => scaled.clone().max_abs(),
        };
        // Not every backend's powers and maxima show a NaN.
        let sum = match norm {
            Norm::L1 | Norm::L2 => sum,
            Norm::Lp(_) | Norm::LInf => sum.mask_fill(scaled.is_nan().any(), f64::NAN),
        };
        Some(Self { scale, sum })
    }

    pub(crate) fn into_norm(self, norm: Norm) -> ScaledNorm {
        ScaledNorm {
            scale: self.scale,
            root: root(self.sum, norm),
        }
    }

    fn cast(self, dtype: FloatDType, to: &burn::tensor::Device) -> Self {
        Self {
            scale: self.scale.cast(dtype).to_device(to),
            sum: self.sum.cast(dtype).to_device(to),
        }
    }
}

/// A norm as the product `scale · root`, each of one element: the product may overflow where
/// neither factor does. `root` is finite if and only if every gradient was.
#[derive(Clone)]
pub(crate) struct ScaledNorm {
    pub(crate) scale: Tensor<1>,
    pub(crate) root: Tensor<1>,
}

impl ScaledNorm {
    /// The norm over all parts; `None` when there is none.
    pub(crate) fn of_parts(parts: Vec<ScaledSum>, norm: Norm) -> Option<Self> {
        let device = parts.first()?.sum.device();
        let has_f64 = parts.iter().any(|part| part.sum.dtype() == DType::F64);
        let dtype = if has_f64 {
            FloatDType::F64
        } else {
            FloatDType::F32
        };
        let (scales, sums): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .map(|part| part.cast(dtype, &device))
            .map(|part| (part.scale, part.sum))
            .unzip();
        let (scales, sums) = (Tensor::cat(scales, 0), Tensor::cat(sums, 0));
        let scale = scales.clone().max();
        let relative = scales / scale.clone();
        let nan = sums.clone().is_nan().any();
        let sum = match norm {
            Norm::L1 => (sums * relative).sum(),
            Norm::L2 => (sums * relative.square()).sum(),
            Norm::Lp(p) => (sums * relative.powf_scalar(p)).sum(),
            Norm::LInf => (sums * relative).max(),
        }
        .mask_fill(nan, f64::NAN);
        Some(Self {
            scale,
            root: root(sum, norm),
        })
    }

    pub(crate) fn value(self) -> Tensor<1> {
        self.scale * self.root
    }

    /// `numerator / (norm + epsilon)`, without forming the norm. Infinite where that norm is zero.
    pub(crate) fn under(&self, numerator: f64, epsilon: f64) -> Tensor<1> {
        let scale = self.scale.clone();
        let root = self.root.clone() + scale.full_like(epsilon) / scale.clone();
        scale.full_like(representable(numerator, scale.dtype())) / scale / root
    }

    /// True where a gradient was infinite or NaN.
    pub(crate) fn is_bad(&self) -> Tensor<1, Bool> {
        self.root.clone().is_finite().bool_not()
    }
}

fn root(sum: Tensor<1>, norm: Norm) -> Tensor<1> {
    let nan = sum.clone().is_nan();
    match norm {
        Norm::L1 | Norm::LInf => sum,
        Norm::L2 => sum.sqrt(),
        Norm::Lp(p) => sum.powf_scalar(1.0 / p).mask_fill(nan, f64::NAN),
    }
}

/// In the precision in which it is summed and scaled.
pub(crate) fn to_accumulation<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    let dtype = accumulation_dtype(tensor.dtype());
    tensor.cast(dtype)
}

/// `value`, or the largest number of the type when it lies beyond it: `f64::MAX` means "never
/// clip", and must not become an infinity in `f32`.
fn representable(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F64 => value,
        _ => value.min(f64::from(f32::MAX)),
    }
}

fn smallest_normal(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::MIN_POSITIVE,
        _ => f64::from(f32::MIN_POSITIVE),
    }
}
