//! Transforms of gradients, beside clipping by the global norm.

use crate::report::{Bench, Limit, Work};
use burn::module::{Module as _, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use burn_tricks::grad::{
    AgcConfig, AutoClipConfig, CentralizeGradConfig, ClipGradNormConfig, ClipGradValueConfig,
    GradAccumulatorConfig, GradNoiseConfig, GradientTransform, LossScalerConfig, NormKind,
    NormalizeGradConfig, NormsByPath, PolyakStepConfig, StepGuard, scale_gradients,
};
use burn_tricks::kernels::{TensorList, lerp_all, sum_of_squares};
use burn_tricks_examples::bench::{Weights, in_turn, live_weights, timed};
use std::time::Duration;

/// A norm that every gradient exceeds, and one that none does.
const ALL: f64 = 1e-3;
const NOTHING: f64 = 1e9;

/// What adaptive clipping may take, compared with clipping by norm.
const AGC: Limit = Limit::Time(1.3);

impl Bench {
    /// A transform of fresh gradients each time it is called.
    fn transforms<const D: usize>(
        &self,
        weights: &Weights<D>,
        mut apply: impl FnMut(&Weights<D>, GradientsParams) -> GradientsParams,
    ) -> impl FnMut() -> Duration {
        let (like, weights) = (weights.like(&self.device), weights.copy());
        let device = self.device.clone();
        move || {
            let grads = weights.grads(&like);
            let (grads, time) = timed(&device, || apply(&weights, grads));
            drop(grads);
            time
        }
    }

    fn against_clip<const D: usize>(
        &self,
        case: &str,
        (name, bytes): (&str, f64),
        max_norm: f64,
        limit: Limit,
        weights: &Weights<D>,
        apply: impl FnMut(&Weights<D>, GradientsParams) -> GradientsParams,
    ) {
        let clip = ClipGradNormConfig::new(max_norm).init().unwrap();
        let other = self.transforms(weights, |model, grads| clip.apply(model, grads));
        let (ours, clip) = in_turn(self.rounds, self.transforms(weights, apply), other);
        let elements = weights.elements() as f64;
        let ours = Work {
            name,
            ms: ours,
            bytes: bytes * elements,
        };
        let (name, bytes) = if max_norm == ALL {
            ("clip, all", 12.0)
        } else {
            ("clip, nothing", 4.0)
        };
        let other = Work {
            name,
            ms: clip,
            bytes: bytes * elements,
        };
        self.report(case, ours, other, limit);
    }

    /// Adaptive clipping, of columns (linear layers) or of rows (convolutions), against clipping by norm.
    pub(crate) fn agc<const D: usize>(&self, case: &str, units: &str, weights: &Weights<D>) {
        // A unit's gradient is about a tenth as long as its weights.
        for (clip_factor, max_norm, what, bytes) in
            [(1.0, NOTHING, "nothing", 8.0), (0.01, ALL, "all", 16.0)]
        {
            // Rows are multiplied while they are in the cache.
            let bytes = if D == 4 && max_norm == ALL {
                12.0
            } else {
                bytes
            };
            let config = AgcConfig::new().with_clip_factor(clip_factor);
            let agc = config.init().unwrap();
            let name = format!("AGC of {units}, {what} clipped");
            let apply = |model: &Weights<D>, grads| agc.apply(model, grads);
            self.against_clip(case, (&name, bytes), max_norm, AGC, weights, apply);
            self.against_norms(case, (&name, bytes), max_norm, weights, apply);
        }
    }

    /// Against clipping by norm and the norm of the weights together: what must be read for adaptive clipping, read as
    /// fast as the library can.
    fn against_norms<const D: usize>(
        &self,
        case: &str,
        (name, bytes): (&str, f64),
        max_norm: f64,
        weights: &Weights<D>,
        apply: impl FnMut(&Weights<D>, GradientsParams) -> GradientsParams,
    ) {
        let clip = ClipGradNormConfig::new(max_norm).init().unwrap();
        let both = self.transforms(weights, |model, grads| {
            let _ = sum_of_squares(&live_weights(model));
            clip.apply(model, grads)
        });
        let (ours, other) = in_turn(self.rounds, self.transforms(weights, apply), both);
        let elements = weights.elements() as f64;
        let (ours, other) = (
            Work {
                name,
                ms: ours,
                bytes: bytes * elements,
            },
            Work {
                name: "+ weights' norm",
                ms: other,
                bytes: if max_norm == ALL { 16.0 } else { 8.0 } * elements,
            },
        );
        self.report(case, ours, other, AGC);
    }

    /// Every other transform against a clipping by norm that clips.
    pub(crate) fn all_transforms(&self, case: &str, weights: &Weights<2>) {
        let row = |name, bytes, transform: &mut dyn FnMut(&Weights<2>, _) -> GradientsParams| {
            self.against_clip(case, (name, bytes), ALL, Limit::None, weights, transform);
        };
        let clip = ClipGradValueConfig::new(1e-3).init().unwrap();
        row("clip by value", 8.0, &mut |model, grads| {
            clip.apply(model, grads)
        });
        let centralize = CentralizeGradConfig::new().init().unwrap();
        row("centralise", 12.0, &mut |model, grads| {
            centralize.apply(model, grads)
        });
        let mut noise = GradNoiseConfig::new(0.01).init().unwrap();
        row("noise", 8.0, &mut |model, grads| noise.apply(model, grads));
        let mut auto_clip = AutoClipConfig::new().with_percentile(1e-6).init().unwrap();
        // The first norm is by far the smallest, and stays the threshold.
        let like = weights.like(&self.device);
        let _ = auto_clip.apply(weights, weights.grads(&(like * 0.1)));
        row("AutoClip, all clipped", 12.0, &mut |model, grads| {
            auto_clip.apply(model, grads)
        });
        // Equal norms are none above the percentile.
        let mut auto_clip = AutoClipConfig::new().init().unwrap();
        let apply = |model: &Weights<2>, grads| auto_clip.apply(model, grads);
        let what = ("AutoClip, nothing clipped", 4.0);
        self.against_clip(case, what, NOTHING, Limit::None, weights, apply);
        let normalize = NormalizeGradConfig::new().init().unwrap();
        row("normalise", 12.0, &mut |model, grads| {
            normalize.apply(model, grads)
        });
        let polyak = PolyakStepConfig::new().init().unwrap();
        let loss = Tensor::<1>::from_floats([0.5], &self.device);
        row("Polyak's step", 12.0, &mut |model, grads| {
            polyak.apply(model, grads, &loss)
        });
        let mut guard = StepGuard::new();
        row("skip non-finite (one read)", 4.0, &mut |model, grads| {
            guard.apply(model, grads)
        });
        let mut scaler = LossScalerConfig::new().init().unwrap();
        row("unscale (one read)", 12.0, &mut |model, grads| {
            let _ = scaler.scale(loss.clone());
            scaler.apply(model, grads)
        });
        let mut norms = NormsByPath::init(NormKind::L2).unwrap();
        row("norms by path", 4.0, &mut |model, grads| {
            norms.apply(model, grads)
        });
        row("scale", 8.0, &mut |model, grads| {
            scale_gradients(model, grads, 0.5)
        });
    }

    /// The second and later micro-batches of a window, against the same mean by hand.
    pub(crate) fn accumulation(&self, case: &str, weights: &Weights<2>) {
        let (device, elements) = (&self.device, weights.elements() as f64);
        let backward = || backward(weights, None);
        let mut accumulator = GradAccumulatorConfig::new(usize::MAX).init().unwrap();
        let _ = accumulator.add(weights, backward(), 8);
        let ours = || {
            let gradients = backward();
            timed(device, || accumulator.add(weights, gradients, 8)).1
        };
        let mut mean = Some(live_weights(&weights.copy()));
        let by_hand = || {
            let gradients = backward();
            let old = mean.take().expect("given back below");
            let (new, time) = timed(device, || {
                let grads = GradientsParams::from_grads(gradients, weights);
                lerp_all(old, &taken(weights, grads), 0.01)
            });
            mean = Some(new);
            time
        };
        // Gradients of a backward pass lie elsewhere each time, and so the times vary more than others do.
        let (ours, other) = in_turn(3 * self.rounds, ours, by_hand);
        let bytes = 12.0 * elements;
        let ours = Work {
            name: "accumulation",
            ms: ours,
            bytes,
        };
        let other = Work {
            name: "one lerp",
            ms: other,
            bytes,
        };
        self.report(case, ours, other, Limit::Time(1.2));
    }

    /// Micro-batches that use other parameters than those before them, as in a mixture of experts: each leaves one out in
    /// its turn.
    pub(crate) fn accumulation_of_changing_sets(&self, case: &str, weights: &Weights<2>) {
        let device = &self.device;
        let accumulation = |leaves_out: bool| {
            let mut accumulator = GradAccumulatorConfig::new(usize::MAX).init().unwrap();
            let mut next = 0;
            move || {
                next = (next + 1) % weights.count();
                let gradients = backward(weights, leaves_out.then_some(next));
                timed(device, || accumulator.add(weights, gradients, 8)).1
            }
        };
        let (ours, other) = in_turn(self.rounds, accumulation(true), accumulation(false));
        let bytes = 12.0 * weights.elements() as f64;
        let ours = Work {
            name: "accumulation, changing sets",
            ms: ours,
            bytes,
        };
        let other = Work {
            name: "of the same",
            ms: other,
            bytes,
        };
        self.report(case, ours, other, Limit::None);
    }
}

/// What a backward pass gives, with a gradient for each weight but the one of this number.
fn backward(weights: &Weights<2>, but: Option<usize>) -> Gradients {
    struct Sum {
        sum: Option<Tensor<1>>,
        at: usize,
        but: Option<usize>,
    }
    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.at += 1;
            if self.but == Some(self.at - 1) {
                return;
            }
            let part = param.val().square().sum();
            self.sum = Some(match self.sum.take() {
                None => part,
                Some(sum) => sum + part,
            });
        }
    }
    let mut sum = Sum {
        sum: None,
        at: 0,
        but,
    };
    weights.visit(&mut sum);
    sum.sum.expect("there are weights").backward()
}

/// The gradients, in the module's order.
fn taken(weights: &Weights<2>, grads: GradientsParams) -> TensorList {
    struct Take(GradientsParams, TensorList);
    impl ModuleVisitor for Take {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.remove::<D>(param.id) {
                self.1.push(grad);
            }
        }
    }
    let mut take = Take(grads, TensorList::new());
    weights.visit(&mut take);
    take.1
}
