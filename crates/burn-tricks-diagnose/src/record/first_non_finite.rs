//! The first step whose gradients are not finite, found without a read from the device.

use crate::history::position::FirstNonFinite;
use crate::numbers::{join, norm, read};
use crate::record::params::Params;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Visitor, visit};

/// The norms of the gradients of one step by the place of the parameter, and the number of the step: of the last step, or
/// of the first in which one of them was not finite.
#[derive(Debug, Default)]
pub(crate) struct NonFiniteWatch {
    kept: Option<Tensor<1>>,
}

impl NonFiniteWatch {
    /// Looks at the gradients of a step.
    pub(crate) fn push<M: Module>(
        &mut self,
        params: &Params,
        step: usize,
        model: &M,
        grads: &GradientsParams,
    ) {
        let mut norms = Norms {
            params,
            grads,
            found: vec![None; params.list.len()],
        };
        visit(model, &mut norms);
        let Some(device) = norms.found.iter().flatten().next().map(Tensor::device) else {
            return;
        };
        let zero = Tensor::<1>::zeros([1], &device);
        let found = norms.found.into_iter();
        let mut parts: Vec<_> = found
            .map(|norm| norm.unwrap_or_else(|| zero.clone()))
            .collect();
        parts.insert(0, Tensor::full([1], step as f32, &device));
        let Some(now) = join(parts) else { return };
        // Norms are not negative, so their sum is finite only if all of them are.
        self.kept = Some(match self.kept.take() {
            Some(kept) => {
                let has_found = kept.clone().sum().is_finite().bool_not();
                now.mask_where(has_found.expand(kept.dims()), kept)
            }
            None => now,
        });
    }

    /// Waits for the device.
    pub(crate) fn read(&self, params: &Params) -> Option<FirstNonFinite> {
        let kept = read(self.kept.as_ref()?);
        let (step, norms) = kept.split_first()?;
        let bad = params
            .list
            .iter()
            .zip(norms)
            .filter(|(_, norm)| !norm.is_finite());
        let paths: Vec<String> = bad.map(|(param, _)| param.path.clone()).collect();
        (!paths.is_empty()).then_some(FirstNonFinite {
            step: *step as usize,
            paths,
        })
    }
}

struct Norms<'a> {
    params: &'a Params,
    grads: &'a GradientsParams,
    found: Vec<Option<Tensor<1>>>,
}

impl Visitor for Norms<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if let Some(position) = self.params.position(at.path())
            && let Some(grad) = self.grads.get::<D>(param.id)
            && !grad.dims().contains(&0)
        {
            self.found[position] = Some(norm(&grad));
        }
    }
}
