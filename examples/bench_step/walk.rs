//! Clipping, Adam and a moving average: as three calls and as one `FusedStep`, and on many small tensors what of their
//! time is whose.

use crate::pairs::adam;
use crate::report::{Bench, Limit, Work};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use burn_tricks::average::{Ema, EmaConfig};
use burn_tricks::grad::{ClipGradNorm, ClipGradNormConfig};
use burn_tricks::kernels::{
    AdamStep, Step as _, TensorList, WeightDecayTerm, lerp_all, sum_of_squares,
};
use burn_tricks::optim::{FusedStep, ListTransform, OptimizerExt as _, SgdConfig, StepAverage};
use burn_tricks_examples::bench::{Weights, forget_dropped, in_turn, live_weights, timed};
use burn_tricks_examples::mlp::MlpConfig;
use std::time::Duration;

/// Something that is timed.
type Timed<'a> = Box<dyn FnMut() -> Duration + 'a>;

const DECAY: f64 = 0.999;
const LR: f64 = 1e-3;

impl Bench {
    /// The three calls and the fused step, on small tensors, on large ones, and on the MLP 784-512-512-10.
    pub(crate) fn fused(&self, small: &Weights<2>, large: &Weights<2>) {
        self.calls_and_fused("fused b", small);
        self.calls_and_fused("fused a", large);
        let config = MlpConfig {
            hidden: vec![512, 512],
            ..MlpConfig::new(784)
        };
        self.calls_and_fused("fused mlp", &config.init(&self.device.clone().autodiff()));
    }

    fn calls_and_fused<M: Module>(&self, case: &str, model: &M) {
        let fused = || adam().fused();
        let clipped = || fused().with_transform(clip());
        let clips = || (Some(clip()), None);
        let averages = || (None, Some(average(model)));
        let sgd = || SgdConfig::new().build().expect("no clipping");
        let rows: [(&str, Timed<'_>, Timed<'_>); 5] = [
            (
                "SGD",
                self.one(model, sgd().fused()),
                self.optim_steps(model, ModuleOptimizer::from(sgd())),
            ),
            (
                "Adam",
                self.one(model, fused()),
                self.calls(model, (None, None)),
            ),
            (
                "clip, Adam",
                self.one(model, clipped()),
                self.calls(model, clips()),
            ),
            (
                "Adam, mean",
                self.one(model, fused().with_average(average(model))),
                self.calls(model, averages()),
            ),
            (
                "clip, Adam, mean",
                self.one(model, clipped().with_average(average(model))),
                self.calls(model, (Some(clip()), Some(average(model)))),
            ),
        ];
        for (name, fused, calls) in rows {
            let (fused, calls) = in_turn(self.rounds, fused, calls);
            let fused = of_time(name, fused);
            self.report(case, fused, of_time("separate calls", calls), Limit::None);
        }
    }

    /// What of the three calls' time is that of each, of empty walks, and of the kernels alone.
    pub(crate) fn walk(&self, weights: &Weights<2>) {
        let visit = self.looking(weights, |weights| weights.visit(&mut Nothing));
        let map = self.steps_in_turn(weights, |weights, _| weights.map(&mut Nothing));
        let rows: [(&str, Timed<'_>); 8] = [
            ("visit nothing", visit),
            ("map nothing", map),
            ("clip", self.clipping(weights)),
            ("Adam", self.calls(weights, (None, None))),
            ("average", self.averaging(weights)),
            ("the norm's kernel", self.kernels(weights, 1)),
            ("Adam's kernel", self.kernels(weights, 2)),
            ("the average's kernel", self.kernels(weights, 4)),
        ];
        for (name, row) in rows {
            let all = self.calls(weights, (Some(clip()), Some(average(weights))));
            let (row, all) = in_turn(self.rounds, row, all);
            let all = of_time("clip, Adam, mean", all);
            self.report("walk", of_time(name, row), all, Limit::None);
        }
    }

    fn looking<'a>(
        &'a self,
        weights: &'a Weights<2>,
        mut work: impl FnMut(&Weights<2>) + 'a,
    ) -> Timed<'a> {
        Box::new(move || timed(&self.device, || work(weights)).1)
    }

    /// Something done with a model and fresh gradients, which gives the model back.
    fn steps_in_turn<'a, M: Module + 'a>(
        &'a self,
        model: &M,
        mut work: impl FnMut(M, GradientsParams) -> M + 'a,
    ) -> Timed<'a> {
        let mut model = Some(model.clone().map(&mut Copied));
        Box::new(move || {
            let before = model.take().expect("given back below");
            forget_dropped(&self.device);
            let grads = grads_of(&before);
            let (after, time) = timed(&self.device, || work(before, grads));
            model = Some(after);
            time
        })
    }

    fn clipping<'a>(&'a self, weights: &'a Weights<2>) -> Timed<'a> {
        let clip = clip();
        Box::new(move || {
            let grads = grads_of(weights);
            let (grads, time) = timed(&self.device, || clip.apply(weights, grads));
            drop(grads);
            time
        })
    }

    fn averaging<'a>(&'a self, weights: &'a Weights<2>) -> Timed<'a> {
        let mut ema = average(weights);
        self.looking(weights, move |weights| ema.update(weights))
    }

    fn calls<'a, M: Module + 'a>(
        &'a self,
        model: &M,
        (clip, mut ema): (Option<ClipGradNorm>, Option<Ema<M>>),
    ) -> Timed<'a> {
        let mut optim: ModuleOptimizer = adam().init();
        self.steps_in_turn(model, move |model, grads| {
            let grads = match &clip {
                Some(clip) => clip.apply(&model, grads),
                None => grads,
            };
            let model = optim.step(LR, model, grads);
            if let Some(ema) = &mut ema {
                ema.update(&model);
            }
            model
        })
    }

    fn optim_steps<'a, M: Module + 'a>(
        &'a self,
        model: &M,
        mut optim: ModuleOptimizer,
    ) -> Timed<'a> {
        self.steps_in_turn(model, move |model, grads| optim.step(LR, model, grads))
    }

    fn one<'a, M: Module + 'a, T: ListTransform + 'a, A: StepAverage<M> + 'a>(
        &'a self,
        model: &M,
        mut fused: FusedStep<T, A>,
    ) -> Timed<'a> {
        self.steps_in_turn(model, move |model, grads| fused.step(LR, model, grads))
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
                    mean = Some(lerp_all(old, &listed(&new), 1.0 - DECAY));
                }
                new
            });
            live = Some(new);
            time
        })
    }
}

fn of_time(name: &str, ms: f64) -> Work<'_> {
    Work {
        name,
        ms,
        bytes: 0.0,
    }
}

/// A clipping that reads all gradients, and changes none.
fn clip() -> ClipGradNorm {
    ClipGradNormConfig::new(1e9).init().expect("a threshold")
}

fn average<M: Module>(model: &M) -> Ema<M> {
    EmaConfig::new(DECAY).init(model).expect("a decay")
}

fn listed(tensors: &[Tensor<2>]) -> TensorList {
    let mut list = TensorList::new();
    tensors.iter().for_each(|tensor| list.push(tensor.clone()));
    list
}

/// A gradient for each parameter, in a buffer of its own.
pub(crate) fn grads_of<M: Module>(model: &M) -> GradientsParams {
    struct Grads(GradientsParams);
    impl ModuleVisitor for Grads {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            if value.is_require_grad() {
                self.0.register(param.id, value.inner() * 0.1);
            }
        }
    }
    let mut grads = Grads(GradientsParams::new());
    model.visit(&mut grads);
    grads.0
}

/// Gives each weight a buffer of its own.
struct Copied;

impl ModuleMapper for Copied {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| {
            let require_grad = value.is_require_grad();
            Tensor::from_inner(value.inner() * 1.0).set_require_grad(require_grad)
        })
    }
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
