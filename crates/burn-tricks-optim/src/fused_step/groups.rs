//! Which optimizer steps which parameter.

use burn::module::{ParamGroup, ParamId};
use burn::optim::{DynOptimizer, Optimizer};
use std::sync::Arc;

/// Optimizers and their parameters; the first is for all.
#[derive(Clone)]
pub(super) struct Groups(Vec<(ParamGroup, Arc<dyn DynOptimizer>)>);

impl Groups {
    pub(super) fn new(optim: impl Optimizer) -> Self {
        Self(vec![(ParamGroup::all(), Arc::new(optim))])
    }

    pub(super) fn add(&mut self, group: ParamGroup, optim: impl Optimizer) {
        self.0.push((group, Arc::new(optim)));
    }

    /// The number of the last group that matches.
    pub(super) fn number_for(&self, id: ParamId, path: Option<&str>) -> usize {
        let number = self
            .0
            .iter()
            .rposition(|(group, _)| group.matches(&id, path));
        number.expect("the first group matches every parameter")
    }

    pub(super) fn optimizer(&self, number: usize) -> &dyn DynOptimizer {
        &*self.0[number].1
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
