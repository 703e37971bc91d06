//! Ways to train a network: an optimizer and a trick as in a `Learner`, gradients that need the loss, or all in one walk.

use crate::problem::{Net, Problem};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn_tricks::grad::{GradAccumulator, GradientTransform as _, LossScaler, PolyakStep, Sam};
use burn_tricks::optim::{FusedStep, ListTransform, StepAverage};
use burn_tricks::train::{StepContext, Trick};

/// A way to train, with its state.
pub(crate) trait Recipe {
    /// The network after step `at`, counted from 1, with this learning rate.
    fn step(&mut self, problem: &Problem, net: Net, lr: f64, at: u64) -> Net;

    /// What is validated in place of the network.
    fn validated(&self, _net: &Net) -> Option<Net> {
        None
    }
}

/// An optimizer and a trick, called as in Burn's `Learner`.
pub(crate) struct Tricked<T> {
    pub(crate) optim: ModuleOptimizer,
    pub(crate) trick: T,
}

impl<T: Trick<Net>> Recipe for Tricked<T> {
    fn step(&mut self, problem: &Problem, net: Net, lr: f64, at: u64) -> Net {
        let grads = problem.grads(&net);
        let mut context = StepContext::new(at, lr);
        self.trick.begin(&net, &mut self.optim, &mut context);
        let grads = self.trick.before(&net, grads, &context);
        let net = self.optim.step(context.lr(), net, grads);
        self.trick.after(net, &context)
    }

    fn validated(&self, net: &Net) -> Option<Net> {
        self.trick.validated(net)
    }
}

/// An optimizer behind gradients that are made of the loss in another way.
pub(crate) struct OfLoss<G> {
    pub(crate) optim: ModuleOptimizer,
    pub(crate) gradients: G,
}

/// Gradients that need the loss.
pub(crate) trait Gradients {
    /// Of this network.
    fn gradients(&mut self, problem: &Problem, net: &Net) -> GradientsParams;
}

impl Gradients for Sam {
    fn gradients(&mut self, problem: &Problem, net: &Net) -> GradientsParams {
        Sam::gradients(self, net, |net| problem.loss(net)).0
    }
}

impl Gradients for PolyakStep {
    fn gradients(&mut self, problem: &Problem, net: &Net) -> GradientsParams {
        let loss = problem.loss(net);
        let grads = GradientsParams::from_grads(loss.backward(), net);
        self.apply(net, grads, &loss)
    }
}

impl Gradients for GradAccumulator {
    /// Of two micro-batches with different losses and numbers of samples.
    fn gradients(&mut self, problem: &Problem, net: &Net) -> GradientsParams {
        let first = self.add(net, problem.loss(net).backward(), 3);
        assert!(first.is_none(), "half a window has no gradient");
        let second = self.add(net, (problem.loss(net) * 0.5).backward(), 1);
        second.expect("the window is full")
    }
}

impl Gradients for LossScaler {
    fn gradients(&mut self, problem: &Problem, net: &Net) -> GradientsParams {
        let loss = self.scale(problem.loss(net));
        let grads = GradientsParams::from_grads(loss.backward(), net);
        self.apply(net, grads)
    }
}

impl<G: Gradients> Recipe for OfLoss<G> {
    fn step(&mut self, problem: &Problem, net: Net, lr: f64, _: u64) -> Net {
        let grads = self.gradients.gradients(problem, &net);
        self.optim.step(lr, net, grads)
    }
}

/// Transform, optimizer and average in one walk.
pub(crate) struct Fused<T, A>(pub(crate) FusedStep<T, A>);

impl<T: ListTransform, A: StepAverage<Net> + Trick<Net>> Recipe for Fused<T, A> {
    fn step(&mut self, problem: &Problem, net: Net, lr: f64, _: u64) -> Net {
        let grads = problem.grads(&net);
        self.0.step(lr, net, grads)
    }

    fn validated(&self, net: &Net) -> Option<Net> {
        self.0.average().validated(net)
    }
}
