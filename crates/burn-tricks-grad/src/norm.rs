//! Norms of gradients, computed on the device and safe from overflow.
//!
//! The norm of several tensors is the norm of all their elements together. With `s` the largest magnitude,
//! `‖g‖_p = s · (Σ |gᵢ/s|^p)^(1/p)`: no power exceeds 1, nor 4^p for magnitudes beyond 2¹²⁶ (see `safe_divisor`). So
//! gradients of 2e19, whose squares overflow in `f32`, and of 1e-25, whose squares underflow, have the right norm and
//! the right direction. The Euclidean norm needs no `s` where a kernel of this library computes it: one read, summed in
//! `f64` on the CPU backend and in `f32` on a GPU. Elsewhere `f16` and `bf16` are summed in `f32`. Nothing here waits for a
//! device.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, DType, FloatDType, Tensor};
use burn_tricks_core::{ConfigError, accumulation_dtype};
use burn_tricks_kernels::{Real, SumOfSquares, TensorList, safe_divisor, sum_of_squares};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum NormKind {
    /// The sum of magnitudes.
    L1,
    /// The Euclidean norm.
    L2,
    /// The largest magnitude.
    LInf,
    /// `(Σ |gᵢ|^p)^(1/p)` for a finite `p ≥ 1`.
    Lp(f64),
}

impl NormKind {
    pub(crate) fn validated(self) -> Result<Self, ConfigError> {
        match self {
            Self::Lp(p) if !(p.is_finite() && p >= 1.0) => Err(ConfigError::new(
                "norm",
                "have a finite p of at least 1 (for the largest magnitude use `NormKind::LInf`)",
                self,
            )),
            norm => Ok(norm),
        }
    }
}

/// The norm over every gradient that `grads` holds for a parameter of `module`, as a tensor of one element on
/// the device of the first one; `None` when there is none. Nothing waits for the device: the value can be read
/// at any later time.
pub fn global_norm<M: Module>(
    module: &M,
    grads: &GradientsParams,
    norm: NormKind,
) -> Option<Tensor<1>> {
    let list = gathered(module, grads);
    let sum = ScaledSum::of(&list, norm)?;
    Some(sum.into_norm(norm).value(list.accumulation_dtype()))
}

/// The sum over every gradient that `grads` holds for a parameter of `module`.
pub(crate) fn gathered_sum<M: Module>(
    module: &M,
    grads: &GradientsParams,
    norm: NormKind,
) -> Option<ScaledSum> {
    ScaledSum::of(&gathered(module, grads), norm)
}

fn gathered<M: Module>(module: &M, grads: &GradientsParams) -> TensorList {
    let mut collect = Collect {
        grads,
        seen: HashSet::new(),
        list: TensorList::new(),
    };
    module.visit(&mut collect);
    collect.list
}

struct Collect<'a> {
    grads: &'a GradientsParams,
    seen: HashSet<ParamId>,
    list: TensorList,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // A tied parameter is visited twice and counts once.
        if self.seen.insert(param.id)
            && let Some(grad) = self.grads.get::<D>(param.id)
        {
            self.list.push(grad);
        }
    }
}

/// `sum = Σ |gᵢ/scale|^p` of some tensors (the largest `|gᵢ/scale|` for [`NormKind::LInf`]); each field
/// holds one element. `sum` is finite if and only if every gradient was.
#[derive(Clone)]
pub(crate) struct ScaledSum {
    scale: Tensor<1>,
    sum: Tensor<1>,
}

impl ScaledSum {
    /// The sum over all tensors together; `None` if they have no elements.
    pub(crate) fn of(grads: &TensorList, norm: NormKind) -> Option<Self> {
        if norm == NormKind::L2 {
            return sum_of_squares(grads).map(|SumOfSquares { scale, sum }| Self { scale, sum });
        }
        let parts = grads
            .flattened()
            .filter_map(|grad| Self::of_one(grad, norm));
        Self::of_parts(parts.collect(), norm)
    }

    fn of_one(grad: Tensor<1>, norm: NormKind) -> Option<Self> {
        if grad.dims() == [0] {
            return None;
        }
        let dtype = accumulation_dtype(grad.dtype());
        let grad = grad.cast(dtype);
        // With an infinite or NaN element the scale is moot: the sum shows it.
        let scale = safe_divisor(grad.clone().max_abs());
        let scaled = grad / scale.clone();
        let sum = match norm {
            NormKind::L1 => scaled.clone().abs().sum(),
            NormKind::L2 => scaled.clone().square().sum(),
            NormKind::Lp(p) => scaled.clone().abs().powf_scalar(p).sum(),
            NormKind::LInf => scaled.clone().max_abs(),
        };
        // Not every backend's powers and maxima show a NaN.
        let sum = match norm {
            NormKind::L1 | NormKind::L2 => sum,
            NormKind::Lp(_) | NormKind::LInf => sum.mask_fill(scaled.is_nan().any(), f64::NAN),
        };
        Some(Self { scale, sum })
    }

    /// The sum over all parts; `None` if there are none.
    pub(crate) fn of_parts(parts: Vec<Self>, norm: NormKind) -> Option<Self> {
        let device = parts.first()?.sum.device();
        let has_f64 = parts.iter().any(|part| part.sum.dtype() == DType::F64);
        let dtype = if has_f64 {
            FloatDType::F64
        } else {
            FloatDType::F32
        };
        let here = |tensor: Tensor<1>| tensor.cast(dtype).to_device(&device);
        let (scales, sums): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .map(|part| (here(part.scale), here(part.sum)))
            .unzip();
        let (scales, sums) = (Tensor::cat(scales, 0), Tensor::cat(sums, 0));
        let scale = scales.clone().max();
        let relative = scales / scale.clone();
        let nan = sums.clone().is_nan().any();
        let sum = match norm {
            NormKind::L1 => (sums * relative).sum(),
            // In two steps: the square of a quotient of scales may be no `f32`.
            NormKind::L2 => (sums * relative.clone() * relative).sum(),
            NormKind::Lp(p) => (sums * relative.powf_scalar(p)).sum(),
            NormKind::LInf => (sums * relative).max(),
        }
        .mask_fill(nan, f64::NAN);
        Some(Self { scale, sum })
    }

    pub(crate) fn into_norm(self, norm: NormKind) -> ScaledNorm {
        ScaledNorm {
            scale: self.scale,
            root: root(self.sum, norm),
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
    /// The norm itself, in the precision of the gradients.
    pub(crate) fn value(self, dtype: FloatDType) -> Tensor<1> {
        (self.scale * self.root).cast(dtype)
    }

    /// The norm of `factor` times the gradients.
    pub(crate) fn times(&self, factor: f64) -> Self {
        Self {
            scale: self.scale.clone() * factor,
            root: self.root.clone(),
        }
    }

    /// `numerator / (norm + epsilon)`, without forming the norm. Infinite if the norm is zero.
    pub(crate) fn under(&self, numerator: f64, epsilon: f64) -> Tensor<1> {
        let (scale, root) = (self.scale.clone(), self.root.clone());
        let numerator = scale.full_like(representable(numerator, scale.dtype()));
        // Large numbers are divided one by one, small ones multiplied: neither can overflow.
        let of_large =
            numerator.clone() / scale.clone() / (root.clone() + scale.clone().recip() * epsilon);
        let of_small = numerator / (scale.clone() * root + epsilon);
        of_small.mask_where(scale.greater_elem(1.0), of_large)
    }

    /// `numerator / norm` for a numerator on the device. Do not call it if the norm may be zero.
    pub(crate) fn share(&self, numerator: Tensor<1>) -> Tensor<1> {
        let numerator = numerator.cast(self.scale.dtype());
        numerator / self.scale.clone() / self.root.clone()
    }

    /// True where a gradient was infinite or NaN.
    pub(crate) fn is_bad(&self) -> Tensor<1, Bool> {
        self.root.clone().is_finite().bool_not()
    }
}

/// [`ScaledNorm::under`] in a kernel.
pub(crate) fn under<T: Real>([scale, root]: [T; 2], numerator: f64, epsilon: f64) -> T {
    let one = scale.of(1.0);
    let numerator = scale.of(representable(numerator, DType::F32));
    let of_large = numerator / scale / (root + one / scale * epsilon);
    let of_small = numerator / (scale * root + epsilon);
    (one - scale).if_negative(of_large, of_small)
}

fn root(sum: Tensor<1>, norm: NormKind) -> Tensor<1> {
    match norm {
        NormKind::L1 | NormKind::LInf => sum,
        NormKind::L2 => sum.sqrt(),
        NormKind::Lp(p) => {
            let nan = sum.clone().is_nan();
            sum.powf_scalar(1.0 / p).mask_fill(nan, f64::NAN)
        }
    }
}

/// `value`, or the largest number of the type if `value` exceeds it: `f64::MAX` means "never clip", and must
/// not become an infinity in `f32`.
fn representable(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F64 => value,
        _ => value.min(f64::from(f32::MAX)),
    }
}
