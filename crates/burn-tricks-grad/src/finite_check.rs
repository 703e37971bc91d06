//! Finds the parameters whose gradients are not finite. This reads the device.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, FloatDType, Tensor};
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_kernels::numbers;
use std::collections::HashSet;
use std::fmt::Display;

/// Parameters whose gradients hold an infinity or a NaN.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NonFiniteGradients {
    /// Their paths, in the module's own order; never empty.
    pub paths: Vec<String>,
}

impl Display for NonFiniteGradients {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "gradients with infinite or NaN elements: `{}`",
            self.paths.join("`, `")
        )
    }
}

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for NonFiniteGradients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for NonFiniteGradients {}

/// Checks that every gradient is finite.
///
/// This waits for the device once, whatever the number of parameters: call it when something looks wrong, or
/// once in many steps, but not at every step.
///
/// # Errors
///
/// If a gradient is not finite: the error names every such parameter of `module`.
pub fn check_finite<M: Module>(
    module: &M,
    grads: &GradientsParams,
) -> Result<(), NonFiniteGradients> {
    let mut check = Check {
        grads,
        seen: HashSet::new(),
        paths: Vec::new(),
        finite: Vec::new(),
        device: None,
    };
    visit(module, &mut check);
    if check.finite.is_empty() {
        return Ok(());
    }
    #[allow(clippy::disallowed_methods)] // the purpose of this function, off the step path
    let finite = Tensor::cat(check.finite, 0).into_data();
    let paths: Vec<_> = numbers(&finite)
        .into_iter()
        .zip(check.paths)
        .filter(|(finite, _)| *finite == 0.0)
        .map(|(_, path)| path)
        .collect();
    if paths.is_empty() {
        return Ok(());
    }
    Err(NonFiniteGradients { paths })
}

struct Check<'a> {
    grads: &'a GradientsParams,
    seen: HashSet<burn::module::ParamId>,
    paths: Vec<String>,
    /// For each path a tensor of one element, which is 1 if the whole gradient is finite.
    finite: Vec<Tensor<1>>,
    device: Option<Device>,
}

impl Visitor for Check<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if !self.seen.insert(param.id) {
            return;
        }
        if let Some(grad) = self.grads.get::<D>(param.id) {
            let device = self.device.get_or_insert_with(|| grad.device());
            self.paths.push(at.path().to_owned());
            self.finite.push(
                grad.is_finite()
                    .all()
                    .float()
                    .cast(FloatDType::F32)
                    .to_device(device),
            );
        }
    }
}
