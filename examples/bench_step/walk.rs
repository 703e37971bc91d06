//! On many small tensors: what Burn's walks through the module take, and what one walk for clipping, step and average
//! together would save.

use crate::pairs::adam;
use crate::report::{Bench, Limit, Work};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::Tensor;
use burn_tricks::average::EmaConfig;
use burn_tricks::grad::ClipGradNormConfig;
use burn_tricks::kernels::{
    AdamStep, Step as _, TensorList, WeightDecayTerm, lerp, lerp_all, scale, sum_of_squares,
};
use burn_tricks::optim::{Adam, OptimizerExt as _};
use burn_tricks_examples::bench::{Weights, in_turn, live_weights, timed};
use std::any::Any;
use std::collections::HashMap;
use std::time::Duration;

/// Something that is timed.
type Timed<'a> = Box<dyn FnMut() -> Duration + 'a>;

const DECAY: f64 = 0.999;
const LR: f64 = 1e-3;

impl Bench {
    /// Clipping, Adam and a moving average, and what of their time is that of each, of empty walks, of the kernels alone,
    /// and of all three in one walk.
    pub(crate) fn walk(&self, weights: &Weights<2>) {
        let visit = self.alone_in_turn(weights, |weights| weights.visit(&mut Nothing));
        let map = self.steps_in_turn(weights, |weights, _| weights.map(&mut Nothing));
        let adam = Box::new(self.steps(adam().init(), weights, false));
        let rows: [(&str, Timed<'_>); 10] = [
            ("visit nothing", visit),
            ("map nothing", map),
            ("clip", self.clipping(weights)),
            ("Adam", adam),
            ("average", self.averaging(weights)),
            ("the norm's kernel", self.kernels(weights, 1)),
            ("Adam's kernel", self.kernels(weights, 2)),
            ("the average's kernel", self.kernels(weights, 4)),
            ("all three in one walk", self.fused(weights, true)),
            // What is saved by other bookkeeping than that of `ModuleOptimizer`, and not by fewer walks.
            ("Adam in a walk of its own", self.fused(weights, false)),
        ];
        for (name, row) in rows {
            let (row, all) = in_turn(self.rounds, row, self.separate(weights));
            let work = |name, ms| Work {
                name,
                ms,
                bytes: 0.0,
            };
            let all = work("clip, Adam, mean", all);
            self.report("walk", work(name, row), all, Limit::None);
        }
    }

    fn alone_in_turn<'a>(
        &'a self,
        weights: &'a Weights<2>,
        mut work: impl FnMut(&Weights<2>) + 'a,
    ) -> Timed<'a> {
        Box::new(move || timed(&self.device, || work(weights)).1)
    }

    /// Something done with weights and fresh gradients, which gives the weights back.
    fn steps_in_turn<'a>(
        &'a self,
        weights: &Weights<2>,
        mut work: impl FnMut(Weights<2>, GradientsParams) -> Weights<2> + 'a,
    ) -> Timed<'a> {
        let (mut model, like) = (Some(weights.copy()), weights.like(&self.device));
        Box::new(move || {
            let before = model.take().expect("given back below");
            let grads = before.grads(&like);
            let (after, time) = timed(&self.device, || work(before, grads));
            model = Some(after);
            time
        })
    }

    fn clipping<'a>(&'a self, weights: &'a Weights<2>) -> Timed<'a> {
        let clip = ClipGradNormConfig::new(1e9).init().unwrap();
        let like = weights.like(&self.device);
        Box::new(move || {
            let grads = weights.grads(&like);
            let (grads, time) = timed(&self.device, || clip.apply(weights, grads));
            drop(grads);
            time
        })
    }

    fn averaging<'a>(&'a self, weights: &'a Weights<2>) -> Timed<'a> {
        let mut ema = EmaConfig::new(DECAY).init(weights).unwrap();
        Box::new(move || timed(&self.device, || ema.update(weights)).1)
    }

    fn separate<'a>(&'a self, weights: &Weights<2>) -> Timed<'a> {
        let clip = ClipGradNormConfig::new(1e9).init().unwrap();
        let mut optim = adam().init();
        let mut ema = EmaConfig::new(DECAY).init(weights).unwrap();
        self.steps_in_turn(weights, move |model, grads| {
            let grads = clip.apply(&model, grads);
            let model = optim.step(LR, model, grads);
            ema.update(&model);
            model
        })
    }

    fn fused<'a>(&'a self, weights: &Weights<2>, with_others: bool) -> Timed<'a> {
        let mut fused = Fused {
            with_others,
            optim: adam(),
            states: HashMap::new(),
            mean: live_weights(&weights.copy()),
        };
        self.steps_in_turn(weights, move |model, grads| fused.step(model, grads))
    }

    /// The kernels on tensors at hand: 1 for the norm, 2 for Adam, 4 for the average, and their sums.
    fn kernels<'a>(&'a self, weights: &Weights<2>, which: u8) -> Timed<'a> {
        let list = |weights: &Weights<2>| {
            let mut list = live_weights(weights);
            let mut all = Vec::new();
            while let Some(tensor) = list.pop::<2>() {
                all.push(tensor);
            }
            all
        };
        let like = weights.like(&self.device);
        let mut live = Some(list(&weights.copy()));
        let mut states: Vec<_> = vec![None; weights.count()];
        let mut mean = Some(live_weights(&weights.copy()));
        Box::new(move || {
            let old = live.take().expect("given back below");
            let grads: Vec<_> = old.iter().map(|_| like.clone() * 1.0).collect();
            let (new, time) = timed(&self.device, || {
                if which & 1 != 0 {
                    let _ = sum_of_squares(&listed(&grads));
                }
                let mut new = old;
                if which & 2 != 0 {
                    let adam = AdamStep::new(LR, (0.9, 0.999), 1e-8, WeightDecayTerm::None, 9);
                    let steps = new.into_iter().zip(grads).zip(&mut states);
                    new = steps
                        .map(|((weight, grad), state)| {
                            let (weight, moments) = adam.apply(weight, grad, state.take());
                            *state = Some(moments);
                            weight
                        })
                        .collect();
                }
                if which & 4 != 0 {
                    let old = mean.take().expect("given back below");
                    mean = Some(lerp_all(old, listed(&new), 1.0 - DECAY));
                }
                new
            });
            live = Some(new);
            time
        })
    }
}

fn listed(tensors: &[Tensor<2>]) -> TensorList {
    let mut list = TensorList::new();
    tensors.iter().for_each(|tensor| list.push(tensor.clone()));
    list
}

/// A walk that does nothing.
struct Nothing;

impl ModuleVisitor for Nothing {}

impl ModuleMapper for Nothing {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| {
            let require_grad = value.is_require_grad();
            Tensor::from_inner(value.inner()).set_require_grad(require_grad)
        })
    }
}

/// Clipping, step and average with as few walks as possible: one to gather the gradients, whose norm is needed before
/// the first step, and one that takes the steps and moves the average.
struct Fused {
    /// Whether it clips and averages too.
    with_others: bool,
    optim: Adam,
    states: HashMap<ParamId, Box<dyn Any>>,
    mean: TensorList,
}

impl Fused {
    fn step<M: Module>(&mut self, model: M, grads: GradientsParams) -> M {
        let mut gather = Gather(grads, TensorList::new());
        model.visit(&mut gather);
        let sum = self
            .with_others
            .then(|| sum_of_squares(&gather.1))
            .flatten();
        let norm = sum.map(|sum| sum.sum.sqrt() * sum.scale);
        let grads = match norm {
            Some(norm) => scale(gather.1, &norm.recip().mul_scalar(1e9).clamp_max(1.0)),
            None => gather.1,
        };
        let mut steps = Steps {
            fused: self,
            grads,
            mean: TensorList::new(),
        };
        let model = model.map(&mut steps);
        if steps.fused.with_others {
            steps.fused.mean = steps.mean;
        }
        model
    }
}

struct Gather(GradientsParams, TensorList);

impl ModuleVisitor for Gather {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.0.remove::<D>(param.id) {
            self.1.push(grad);
        }
    }
}

struct Steps<'a> {
    fused: &'a mut Fused,
    grads: TensorList,
    mean: TensorList,
}

impl ModuleMapper for Steps<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        type State<const D: usize> = <Adam as Optimizer>::State<D>;
        let id = param.id;
        param.map(|value| {
            let require_grad = value.is_require_grad();
            let grad = self.grads.pop::<D>().expect("a gradient for each weight");
            let state = self.fused.states.remove(&id);
            let state = state.map(|state| *state.downcast::<State<D>>().expect("of this rank"));
            let (new, state) = self.fused.optim.step(LR, value.inner(), grad, state);
            if let Some(state) = state {
                self.fused.states.insert(id, Box::new(state));
            }
            if self.fused.with_others {
                let mean = self.fused.mean.pop::<D>().expect("a mean for each weight");
                self.mean.push(lerp(mean, new.clone(), 1.0 - DECAY));
            }
            Tensor::from_inner(new).set_require_grad(require_grad)
        })
    }
}
