//! Steps of optimizers and wrappers on matrices.

use crate::pairs::{Pair, WRAPPERS, adam, other_name};
use crate::report::{Bench, Limit, Work};
use burn::optim::ModuleOptimizer;
use burn::tensor::{DType, Tensor};
use burn_tricks::grad::{ClipGradNormConfig, GradientTransform as _, ProdigyConfig};
use burn_tricks::kernels::lerp_all;
use burn_tricks::optim::{
    AdamWConfig, MasterWeightsConfig, MasterWeightsForm, OptimizerExt as _, SelectiveDecayConfig,
};
use burn_tricks_examples::bench::{Weights, in_turn, live_weights, one_by_one, timed};
use std::time::Duration;

/// What a step of Adam must at least move per `f32` weight.
const ADAM_BYTES: f64 = 28.0;

/// What an optimizer may take per byte, compared with Adam, and a wrapper, compared with what it is around.
const PER_BYTE: Limit = Limit::PerByte(1.2);

impl Bench {
    /// A step each time it is called. `shared`: somebody else holds the weights during the step, as in Burn's
    /// `Learner`.
    pub(crate) fn steps(
        &self,
        mut optim: ModuleOptimizer,
        weights: &Weights<2>,
        shared: bool,
    ) -> impl FnMut() -> Duration + use<> {
        let mut model = Some(weights.copy());
        let (like, device) = (weights.like(&self.device), self.device.clone());
        move || {
            let before = model.take().expect("given back below");
            let grads = before.grads(&like);
            let held = shared.then(|| before.clone());
            let (after, time) = timed(&device, || optim.step(1e-3, before, grads));
            drop(held);
            model = Some(after);
            time
        }
    }

    /// One optimizer against another.
    pub(crate) fn optimizers(&self, case: &str, pair: &Pair, weights: &Weights<2>, shared: bool) {
        let ours = self.steps((pair.ours)(), weights, shared);
        let other = self.steps((pair.burns)(), weights, shared);
        let times = in_turn(self.rounds, ours, other);
        self.pair(case, pair, times, weights);
    }

    fn pair(&self, case: &str, pair: &Pair, (ours, other): (f64, f64), weights: &Weights<2>) {
        let work = Work {
            name: pair.name,
            ms: ours,
            bytes: pair.bytes * weights.elements() as f64,
        };
        let name = other_name(pair.name);
        // How many passes Burn takes is not ours to say.
        let (ms, bytes) = (other, 0.0);
        let other = Work {
            name: &name,
            ms,
            bytes,
        };
        self.report(case, work, other, Limit::None);
    }

    /// Like [`steps`](Self::steps), with gradients that stay where they are, so that nothing is freed in a step.
    fn kept_steps(
        &self,
        mut optim: ModuleOptimizer,
        weights: &Weights<2>,
    ) -> impl FnMut() -> Duration + use<> {
        let mut model = Some(weights.copy());
        let device = self.device.clone();
        let kept: Vec<_> = (0..weights.count())
            .map(|_| weights.like(&device))
            .collect();
        move || {
            let before = model.take().expect("given back below");
            let grads = before.kept_grads(&kept);
            let (after, time) = timed(&device, || optim.step(1e-3, before, grads));
            model = Some(after);
            time
        }
    }

    /// As PyTorch is timed by `bench_step.py`: gradients stay where they are, nothing is freed in a step, and one
    /// optimizer runs after the other.
    pub(crate) fn as_pytorch(&self, case: &str, pair: &Pair, weights: &Weights<2>) {
        let ours = self.kept_steps((pair.ours)(), weights);
        let other = self.kept_steps((pair.burns)(), weights);
        let times = one_by_one(self.rounds, ours, other);
        self.pair(case, pair, times, weights);
    }

    /// Clipping and averaging alone, on gradients that stay, as `bench_step.py` times PyTorch's; beside them Burn's
    /// operations for the same.
    pub(crate) fn alone(&self, case: &str, weights: &Weights<2>) {
        let device = &self.device;
        let kept: Vec<_> = (0..weights.count()).map(|_| weights.like(device)).collect();
        let elements = weights.elements() as f64;
        let report = |name, bytes, other, (ours_ms, other_ms): (f64, f64)| {
            let bytes = bytes * elements;
            let (ms, ours) = (ours_ms, name);
            let ours = Work {
                name: ours,
                ms,
                bytes,
            };
            let (ms, bytes) = (other_ms, 0.0);
            let name = other;
            self.report(case, ours, Work { name, ms, bytes }, Limit::None);
        };
        let clip = ClipGradNormConfig::new(1e9).init().unwrap();
        let ours = || timed(device, || clip.apply(weights, weights.kept_grads(&kept))).1;
        // Burn has no norm over a module; of its operations it would be this.
        let norm = || {
            let sums = kept
                .iter()
                .map(|grad| grad.clone().square().sum())
                .collect();
            Tensor::cat(sums, 0).sum().sqrt()
        };
        let squares = || timed(device, norm).1;
        let times = one_by_one(self.rounds, ours, squares);
        report("clip, nothing clipped", 4.0, "square, sum", times);

        let fresh = || Some(live_weights(&weights.copy()));
        let (mut ours_mean, mut burns_mean) = (fresh(), Some(kept.clone()));
        let ours = || {
            let mean = ours_mean.take().expect("given back below");
            let blended = || lerp_all(mean, live_weights(weights), 0.001);
            let (mean, time) = timed(device, blended);
            ours_mean = Some(mean);
            time
        };
        let burns = || {
            let mean = burns_mean.take().expect("given back below");
            let pairs = mean.into_iter().zip(&kept);
            let blended = || {
                pairs
                    .map(|(mean, live)| mean * 0.999 + live.clone() * 0.001)
                    .collect()
            };
            let (mean, time) = timed(device, blended);
            burns_mean = Some(mean);
            time
        };
        let times = one_by_one(self.rounds, ours, burns);
        report("blend", 12.0, "a x + b y", times);
    }

    /// Our optimizer against our Adam, by the bytes that they move. To free gradients takes as long for each.
    pub(crate) fn per_byte(&self, pair: &Pair, weights: &Weights<2>) {
        let what = (pair.name, pair.bytes);
        let ours = self.kept_steps((pair.ours)(), weights);
        let adam = self.kept_steps(adam().init(), weights);
        self.against_adam("per byte", what, ours, adam, weights);
    }

    /// Prodigy's transform and its optimizer together.
    pub(crate) fn prodigy(&self, weights: &Weights<2>) {
        let mut model = Some(weights.copy());
        let init = ProdigyConfig::new().init(model.as_ref().expect("made above"));
        let mut prodigy = init.unwrap();
        let mut optim = prodigy.optimizer();
        let (like, device) = (weights.like(&self.device), self.device.clone());
        let ours = move || {
            let before = model.take().expect("given back below");
            let grads = before.grads(&like);
            let (after, time) = timed(&device, || {
                let grads = prodigy.apply(&before, grads);
                optim.step(1.0, before, grads)
            });
            model = Some(after);
            time
        };
        let adam = self.steps(adam().init(), weights, false);
        self.against_adam("per byte", ("Prodigy", 48.0), ours, adam, weights);
    }

    /// Each wrapper around our Adam, against Adam alone.
    pub(crate) fn wrappers(&self, weights: &Weights<2>) {
        for pair in &WRAPPERS {
            let ours = self.steps((pair.ours)(), weights, false);
            let adam = self.steps(adam().init(), weights, false);
            self.against_adam("wrappers", (pair.name, pair.bytes), ours, adam, weights);
        }
        self.selective_decay(weights);
        // Only weights in half precision have master weights, and their optimizer's step is that of `f32`.
        for (name, dtype, form, bytes) in [
            (
                "master weights of bf16",
                DType::BF16,
                MasterWeightsForm::F32,
                46.0,
            ),
            (
                "master weights of f16",
                DType::F16,
                MasterWeightsForm::F32,
                46.0,
            ),
            // Sixteen passes, most of them casts.
            ("Kahan, bf16", DType::BF16, MasterWeightsForm::Kahan, 148.0),
        ] {
            let config = MasterWeightsConfig::new().with_form(form);
            let ours = self.steps(config.init(adam()), &weights.copy_as(dtype), false);
            let adam = self.steps(adam().init(), weights, false);
            self.against_adam("wrappers", (name, bytes), ours, adam, weights);
        }
    }

    /// AdamW in two groups, of which one does not decay.
    fn selective_decay(&self, weights: &Weights<2>) {
        let config = SelectiveDecayConfig::new().sparing(["weights.0", "weights.1"]);
        let decay = config.init(weights).unwrap();
        let adam_w = AdamWConfig::torch();
        let spared = adam_w.clone().with_weight_decay(0.0).build().unwrap();
        let optim = adam_w.init().unwrap();
        let optim = optim.with_group(decay.spared_group(), spared, None);
        let ours = self.steps(optim, weights, false);
        let adam = self.steps(adam().init(), weights, false);
        let what = ("selective decay", ADAM_BYTES);
        self.against_adam("wrappers", what, ours, adam, weights);
    }

    fn against_adam(
        &self,
        case: &str,
        (name, bytes): (&str, f64),
        ours: impl FnMut() -> Duration,
        adam: impl FnMut() -> Duration,
        weights: &Weights<2>,
    ) {
        let (ours, adam) = in_turn(self.rounds, ours, adam);
        let elements = weights.elements() as f64;
        let ours = Work {
            name,
            ms: ours,
            bytes: bytes * elements,
        };
        let other = Work {
            name: "our Adam",
            ms: adam,
            bytes: ADAM_BYTES * elements,
        };
        self.report(case, ours, other, PER_BYTE);
    }
}
