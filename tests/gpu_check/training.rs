//! A case in training: its problem, its way to train, and its network after some steps.

use crate::cases::Case;
use crate::problem::{Net, Problem};
use crate::recipe::Recipe;

/// A case in training.
pub(crate) struct Training {
    problem: Problem,
    recipe: Box<dyn Recipe>,
    lr: f64,
    net: Option<Net>,
    at: u64,
}

impl Training {
    /// From the problem's network.
    pub(crate) fn new(case: &Case, problem: Problem) -> Self {
        let recipe = case.recipe(&problem.net);
        let net = Some(problem.net.clone());
        Self {
            problem,
            recipe,
            lr: case.lr,
            net,
            at: 0,
        }
    }

    /// So many steps, which the device may still have to finish.
    pub(crate) fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.at += 1;
            let net = self.net.take().expect("given back below");
            self.net = Some(self.recipe.step(&self.problem, net, self.lr, self.at));
        }
    }

    /// The network as it is trained, and what is validated in its place.
    pub(crate) fn nets(&self) -> (&Net, Option<Net>) {
        let net = self.net.as_ref().expect("given back after each step");
        (net, self.recipe.validated(net))
    }
}
