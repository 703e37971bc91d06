//! One step of a replay, in which every activation and every gradient is looked at.

use crate::probe::neutral;
use crate::replay::origin::{NonFiniteOrigin, NonFinitePlace, Seen};
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use burn_tricks_core::walk::{Location, Visitor, visit};
use std::collections::HashMap;

/// The name of an activation, and its gradient.
type Look = Box<dyn Fn(&Gradients) -> Option<(String, Seen)> + Send>;

/// Looks for the first number that is not finite, step by step.
pub(crate) struct Hunt {
    step: usize,
    /// The smallest and the largest number of everything, of the step before and of this one.
    ranges: [HashMap<(NonFinitePlace, String), [f64; 2]>; 2],
    /// The activation that was seen last in this forward pass.
    last: Option<(String, [f64; 2])>,
    leaves: Vec<Look>,
    found: Option<NonFiniteOrigin>,
}

impl std::fmt::Debug for Hunt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hunt")
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

impl Hunt {
    pub(crate) fn new() -> Self {
        Self {
            step: 0,
            ranges: Default::default(),
            last: None,
            leaves: Vec::new(),
            found: None,
        }
    }

    /// Begins a step.
    pub(crate) fn begin(&mut self, step: usize) {
        self.step = step;
        let [before, now] = &mut self.ranges;
        *before = std::mem::take(now);
        self.last = None;
        self.leaves.clear();
    }

    pub(crate) fn found(&self) -> Option<&NonFiniteOrigin> {
        self.found.as_ref()
    }

    /// Looks at a tensor of this step.
    pub(crate) fn look<const D: usize>(
        &mut self,
        place: NonFinitePlace,
        path: &str,
        tensor: &Tensor<D>,
    ) {
        let seen = Seen::of(self.step, place, path, tensor);
        self.take(place, path, seen);
    }

    fn take(&mut self, place: NonFinitePlace, path: &str, seen: Seen) {
        let key = (place, path.to_owned());
        if let Some(mut bad) = seen.bad {
            match &mut self.found {
                // A backward pass comes to the parameter last in the module first.
                Some(found) if place == NonFinitePlace::Gradient && found.place == place => {
                    found.paths.push(path.to_owned());
                    bad.paths = std::mem::take(&mut found.paths);
                    bad.before = self.ranges[0].get(&key).copied();
                    *found = bad;
                }
                Some(found) if found.place == place => found.paths.push(path.to_owned()),
                Some(_) => {}
                None => {
                    bad.before = self.ranges[0].get(&key).copied();
                    bad.fed_by = self
                        .last
                        .clone()
                        .filter(|_| place == NonFinitePlace::Activation);
                    self.found = Some(bad);
                }
            }
        }
        if place == NonFinitePlace::Activation {
            self.last = Some((path.to_owned(), seen.range));
        }
        self.ranges[1].insert(key, seen.range);
    }

    /// Looks at an activation, and at its gradient in the backward pass. Returns the activation.
    pub(crate) fn forward<const D: usize>(&mut self, name: String, values: Tensor<D>) -> Tensor<D> {
        self.look(NonFinitePlace::Activation, &name, &values);
        let leaf = neutral(&values);
        let (step, zeros) = (self.step, leaf.clone());
        self.leaves.push(Box::new(move |grads| {
            let gradient = leaf.grad(grads)?;
            let seen = Seen::of(step, NonFinitePlace::ActivationGradient, &name, &gradient);
            Some((name.clone(), seen))
        }));
        values + zeros
    }

    /// Looks at the gradients of the activations, the last one of the forward pass first.
    pub(crate) fn backward(&mut self, grads: &Gradients) {
        for leaf in std::mem::take(&mut self.leaves).iter().rev() {
            if let Some((path, seen)) = leaf(grads) {
                self.take(NonFinitePlace::ActivationGradient, &path, seen);
            }
        }
    }

    /// Looks at the weights of `model`, or at the gradients of its parameters.
    pub(crate) fn model<M: Module>(&mut self, model: &M, grads: Option<&GradientsParams>) {
        visit(model, &mut OfModel { hunt: self, grads });
    }
}

struct OfModel<'a> {
    hunt: &'a mut Hunt,
    grads: Option<&'a GradientsParams>,
}

impl Visitor for OfModel<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        match self.grads {
            None => self
                .hunt
                .look(NonFinitePlace::Weight, at.path(), &param.val()),
            Some(grads) => {
                if let Some(grad) = grads.get::<D>(param.id) {
                    self.hunt.look(NonFinitePlace::Gradient, at.path(), &grad);
                }
            }
        }
    }
}
