//! The norm of each parameter's gradient, by path.

use crate::norm::{NormKind, ScaledSum};
use crate::transform::GradientTransform;
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{FloatDType, Tensor};
use burn_tricks_core::ConfigError;
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_kernels::{TensorList, numbers};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The norms of gradients, by path, in the module's order.
#[derive(Debug, Clone)]
pub struct PathNorms {
    paths: Vec<String>,
    norms: Tensor<1>,
}

impl PathNorms {
    /// The paths; a tied parameter is listed under its first path.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// The norms in the order of the paths, on the device of the first gradient, in `f32`, or in `f64` if a
    /// gradient is `f64`.
    pub fn norms(&self) -> Tensor<1> {
        self.norms.clone()
    }

    /// The pairs of path and norm. Waits for the device.
    pub fn read(&self) -> Vec<(String, f64)> {
        #[allow(clippy::disallowed_methods)] // its purpose, off the step path
        let norms = self.norms.to_data();
        self.paths.iter().cloned().zip(numbers(&norms)).collect()
    }
}

/// The norm of each gradient that `grads` holds for a parameter of `module`; `None` if there is none with
/// elements. Nothing is read from the device.
pub fn norms_by_path<M: Module>(
    module: &M,
    grads: &GradientsParams,
    norm: NormKind,
) -> Option<PathNorms> {
    let mut collect = Collect {
        grads,
        norm,
        seen: HashSet::new(),
        paths: Vec::new(),
        norms: Vec::new(),
    };
    visit(module, &mut collect);
    let device = collect.norms.first()?.device();
    let is_f64 = |norm: &Tensor<1>| norm.dtype() == burn::tensor::DType::F64;
    let dtype = if collect.norms.iter().any(is_f64) {
        FloatDType::F64
    } else {
        FloatDType::F32
    };
    let here = |norm: Tensor<1>| norm.cast(dtype).to_device(&device);
    Some(PathNorms {
        paths: collect.paths,
        norms: Tensor::cat(collect.norms.into_iter().map(here).collect(), 0),
    })
}

struct Collect<'a> {
    grads: &'a GradientsParams,
    norm: NormKind,
    seen: HashSet<ParamId>,
    paths: Vec<String>,
    norms: Vec<Tensor<1>>,
}

impl Visitor for Collect<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if self.seen.insert(param.id)
            && let Some(grad) = self.grads.get::<D>(param.id)
        {
            let grad = TensorList::from(grad);
            let Some(sum) = ScaledSum::of(&grad, self.norm) else {
                return;
            };
            self.paths.push(at.path().to_owned());
            let norm = sum.into_norm(self.norm).value(grad.accumulation_dtype());
            self.norms.push(norm);
        }
    }
}

/// Measures the norm of each parameter's gradient at every step, by path: it shows in which layers gradients
/// explode or vanish.
///
/// It changes nothing. Clones are handles to one measurement: keep one to read it, and put the other among the
/// transforms, or among the tricks of a `Learner`. [`norms_by_path`] measures the gradients of one step.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::{GradientTransform as _, NormKind, NormsByPath, norms_by_path};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).sum();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
///
/// let norms = norms_by_path(&model, &grads, NormKind::LInf).unwrap(); // queued on the device
/// assert_eq!(norms.read(), [("weight".to_owned(), 8.0), ("bias".to_owned(), 8.0)]);
///
/// // Measured at every step, read when it suits.
/// let measured = NormsByPath::init(NormKind::LInf)?;
/// let mut transform = measured.clone();
/// let _grads = transform.apply(&model, grads);
/// assert_eq!(measured.last().unwrap().read()[0].1, 8.0);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Measure before clipping to see which gradients are clipped, and after it to see what the optimizer gets.
///
/// # Cost
///
/// A read of the gradients; [`NormsByPath`] holds one number per parameter. [`PathNorms::read`] waits for the
/// device once for all parameters.
///
/// # Differences
///
/// Lightning's `grad_norm` reads the device once per parameter.
#[derive(Debug, Clone)]
pub struct NormsByPath {
    norm: NormKind,
    last: Arc<Mutex<Option<PathNorms>>>,
}

impl NormsByPath {
    /// A measurement of this norm.
    ///
    /// # Errors
    ///
    /// If the `p` of [`NormKind::Lp`] is not a finite number of at least 1.
    pub fn init(norm: NormKind) -> Result<Self, ConfigError> {
        Ok(Self {
            norm: norm.validated()?,
            last: Arc::default(),
        })
    }

    /// The norms of the last step that had gradients. A step that an earlier transform skips has none. `None` before the
    /// first step with gradients.
    pub fn last(&self) -> Option<PathNorms> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

impl GradientTransform for NormsByPath {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        if let Some(norms) = norms_by_path(model, &grads, self.norm) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(norms);
        }
        grads
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("NormsByPath {:?}", self.norm)]
    }
}
