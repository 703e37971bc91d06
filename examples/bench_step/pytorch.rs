//! Steps, clipping and averaging as `bench_step.py` times PyTorch's: gradients stay where they are, nothing is freed in a
//! step, and one optimizer runs after the other. Also as `FusedStep`s, which need gradients that nobody else holds to step
//! small tensors on all threads, and which therefore free them.

use crate::pairs::PAIRS;
use crate::report::{Bench, Work};
use crate::walk::grads_of;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use burn_tricks::average::EmaConfig;
use burn_tricks::grad::ClipGradNormConfig;
use burn_tricks::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, FusedStep, OptimizerExt as _, SgdConfig,
};
use burn_tricks_examples::bench::{Weights, timed};
use std::time::Duration;

/// A name, the bytes that a step must at least move per weight, and the step.
type Fused = (&'static str, f64, fn() -> FusedStep);

/// The optimizers of [`PAIRS`] that PyTorch has as fused ones, in a step of all parameters.
const FUSED: [Fused; 5] = [
    ("FusedStep, SGD", 12.0, || {
        SgdConfig::new().build().unwrap().fused()
    }),
    ("FusedStep, SGD, momentum", 20.0, || {
        let momentum = Some(MomentumConfig::new());
        let config = SgdConfig::new().with_momentum(momentum);
        config.build().unwrap().fused()
    }),
    ("FusedStep, AdaGrad", 20.0, || {
        AdaGradConfig::new().build().unwrap().fused()
    }),
    ("FusedStep, Adam", 28.0, || {
        AdamConfig::new().build().unwrap().fused()
    }),
    ("FusedStep, AdamW", 28.0, || {
        AdamWConfig::new().build().unwrap().fused()
    }),
];

/// An optimizer that leaves the weights as they are: what is left of a step's time is Burn's.
#[derive(Clone)]
struct NoStep;

impl Optimizer for NoStep {
    type State<const D: usize> = ();

    fn step<const D: usize>(
        &self,
        _lr: LearningRate,
        weight: Tensor<D>,
        _grad: Tensor<D>,
        _state: Option<()>,
    ) -> (Tensor<D>, Option<()>) {
        (weight, None)
    }

    fn to_device<const D: usize>((): (), _device: &Device) {}
}

impl Bench {
    /// Ours alone: Burn's would only make the run longer.
    pub(crate) fn as_pytorch(&self, case: &str, weights: &Weights<2>) {
        let report = |name, bytes, work: &mut dyn FnMut() -> Duration| {
            let (ms, bytes) = (self.median(work), bytes * weights.elements() as f64);
            self.report_alone(case, Work { name, ms, bytes });
        };
        for pair in &PAIRS {
            let mut step = self.kept_steps((pair.ours)(), weights);
            report(pair.name, pair.bytes, &mut step);
        }
        if case == "pytorch-b" {
            let mut walk = self.kept_steps(ModuleOptimizer::from(NoStep), weights);
            report("Burn's walk without a step", 0.0, &mut walk);
        }
        // It frees the gradients that it gets, which takes longer than a step if they are large.
        let fused = if case == "pytorch-b" { &FUSED[..] } else { &[] };
        for (name, bytes, fused) in fused.iter().copied() {
            let mut fused = fused();
            let mut step = self.fresh(weights, move |model, grads| fused.step(1e-3, model, grads));
            report(name, bytes, &mut step);
        }

        let device = &self.device;
        let kept: Vec<_> = (0..weights.count()).map(|_| weights.like(device)).collect();
        let clip = |max_norm| ClipGradNormConfig::new(max_norm).init().unwrap();
        let nothing = clip(1e9);
        report("clip, nothing clipped", 4.0, &mut || {
            let grads = weights.kept_grads(&kept);
            timed(device, || nothing.apply(weights, grads)).1
        });
        // Clipped gradients are written where they lie, if nothing else holds them.
        let all = clip(1.0); // as PyTorch's, whose gradients would vanish below it
        report("clip, all clipped", 12.0, &mut || {
            let grads = grads_of(weights);
            timed(device, || all.apply(weights, grads)).1
        });

        let live = weights.copy();
        let mut ema = EmaConfig::new(0.999).init(weights).unwrap();
        report("average", 12.0, &mut || {
            timed(device, || ema.update(&live)).1
        });
    }

    /// The median time in milliseconds, after two rounds that do not count.
    fn median(&self, work: &mut dyn FnMut() -> Duration) -> f64 {
        let times = (0..self.rounds + 2).map(|_| work().as_secs_f64() * 1e3);
        let mut times: Vec<_> = times.skip(2).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }
}
