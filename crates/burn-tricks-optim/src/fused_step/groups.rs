//! Which optimizer steps which parameter.

use super::together::planner;
use crate::plan_steps::PlanSteps;
use burn::grad_clipping::GradientClipping;
use burn::module::{ParamGroup, ParamId};
use burn::optim::{DynOptimizer, Optimizer};
use burn_tricks_kernels::{AnyTensor, Multiple};
use std::sync::Arc;

/// Optimizers and their parameters; the first is for all.
#[derive(Clone)]
pub(super) struct Groups(Vec<Group>);

#[derive(Clone)]
struct Group {
    params: ParamGroup,
    optim: Arc<dyn DynOptimizer>,
    /// The same, if it can plan its steps.
    planner: Option<Arc<dyn PlanSteps>>,
    clipping: Option<GradientClipping>,
}

impl Groups {
    pub(super) fn new(optim: impl Optimizer) -> Self {
        let mut groups = Self(Vec::new());
        groups.add(ParamGroup::all(), optim, None);
        groups
    }

    pub(super) fn add(
        &mut self,
        params: ParamGroup,
        optim: impl Optimizer,
        clipping: Option<GradientClipping>,
    ) {
        self.0.push(Group {
            params,
            planner: planner(&optim),
            optim: Arc::new(optim),
            clipping,
        });
    }

    /// Clips the gradients of the first group, which are those of no other.
    pub(super) fn clip_first(&mut self, clipping: GradientClipping) {
        self.0[0].clipping = Some(clipping);
    }

    /// The number of the last group that matches.
    pub(super) fn number_for(&self, id: ParamId, path: Option<&str>) -> usize {
        let number = self
            .0
            .iter()
            .rposition(|group| group.params.matches(&id, path));
        number.expect("the first group matches every parameter")
    }

    pub(super) fn optimizer(&self, number: usize) -> &dyn DynOptimizer {
        &*self.0[number].optim
    }

    /// The optimizer, if it can plan its steps.
    pub(super) fn planner(&self, number: usize) -> Option<&dyn PlanSteps> {
        self.0[number].planner.as_deref()
    }

    /// The gradient, clipped if those of its group are.
    pub(super) fn clipped(&self, number: usize, grad: Multiple) -> Multiple {
        match &self.0[number].clipping {
            // Of all numbers together or of each by itself: the code of one rank serves all.
            Some(clipping) if !grad.is_empty() => {
                let grad = grad.multiplied();
                let shape = grad.shape();
                AnyTensor::of_flat(clipping.clip_gradient(grad.flatten()), &shape).into()
            }
            _ => grad,
        }
    }

    /// Whether nothing but the kernel of its steps on a GPU reads a gradient of this group.
    pub(super) fn multiply(&self, number: usize) -> bool {
        let Group {
            planner, clipping, ..
        } = &self.0[number];
        clipping.is_none() && planner.as_ref().is_some_and(|planner| planner.multiplies())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
