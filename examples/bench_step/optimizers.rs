//! Steps of optimizers and wrappers on matrices.

use crate::pairs::{Pair, WRAPPERS, adam, other_name};
use crate::report::{Bench, Limit, Work};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::DType;
use burn_tricks::grad::{GradientTransform as _, ProdigyConfig};
use burn_tricks::optim::{
    AdamWConfig, MasterWeightsConfig, MasterWeightsForm, OptimizerExt as _, SelectiveDecayConfig,
};
use burn_tricks_examples::bench::{Weights, in_turn, timed};
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
        let (ours, other) = in_turn(self.rounds, ours, other);
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
    pub(crate) fn kept_steps(
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

    /// Something that steps a model, each time with new gradients.
    pub(crate) fn fresh<F: FnMut(Weights<2>, GradientsParams) -> Weights<2>>(
        &self,
        weights: &Weights<2>,
        mut step: F,
    ) -> impl FnMut() -> Duration + use<F> {
        let mut model = Some(weights.copy());
        let (like, device) = (weights.like(&self.device), self.device.clone());
        move || {
            let before = model.take().expect("given back below");
            let grads = before.grads(&like);
            let (after, time) = timed(&device, || step(before, grads));
            model = Some(after);
            time
        }
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
            ("Kahan, bf16", DType::BF16, MasterWeightsForm::Kahan, 50.0),
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
