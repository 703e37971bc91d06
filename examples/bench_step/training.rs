//! Tricks around a step, and whole training steps.

use crate::report::{Bench, Limit, Work};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{self as burns, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn_tricks::average::Predict;
use burn_tricks::grad::{ClipGradNorm, ClipGradNormConfig, Sam, SamConfig};
use burn_tricks::kernels::{TensorList, lerp_all};
use burn_tricks::optim as ours;
use burn_tricks_examples::bench::{Weights, in_turn, live_weights, timed};
use burn_tricks_examples::mlp::{Mlp, MlpConfig};

impl Bench {
    /// What clipping and averaging add to a bare step of our AdamW.
    pub(crate) fn tricks(&self, weights: &Weights<2>) {
        let like = weights.like(&self.device);
        let arm = |max_norm: Option<f64>, average: bool| {
            let mut optim = ours::AdamWConfig::new().init().unwrap();
            let clip = max_norm.map(|norm| ClipGradNormConfig::new(norm).init().unwrap());
            let mut model = Some(weights.copy());
            let mut mean = Some(live_weights(&weights.copy()));
            let (like, device) = (like.clone(), self.device.clone());
            move || {
                let before = model.take().expect("given back below");
                let grads = before.grads(&like);
                let old_mean = mean.take().expect("given back below");
                let ((after, new_mean), time) = timed(&device, || {
                    let grads = match &clip {
                        Some(clip) => clip.apply(&before, grads),
                        None => grads,
                    };
                    let after = optim.step(1e-3, before, grads);
                    let new_mean = if average {
                        lerp_all(old_mean, &live_weights(&after), 0.001)
                    } else {
                        old_mean
                    };
                    (after, new_mean)
                });
                model = Some(after);
                mean = Some(new_mean);
                time
            }
        };
        let elements = weights.elements() as f64;
        let cases = [
            ("clip, nothing clipped", Some(1e9), false, 32.0),
            ("clip, all clipped", Some(1e-3), false, 40.0),
            ("blend", None, true, 40.0),
            ("clip + blend", Some(1e9), true, 44.0),
        ];
        for (name, max_norm, average, bytes) in cases {
            let (ours, other) = in_turn(self.rounds, arm(max_norm, average), arm(None, false));
            let name = format!("AdamW + {name}");
            let ours = Work {
                name: &name,
                ms: ours,
                bytes: bytes * elements,
            };
            let other = Work {
                name: "our AdamW",
                ms: other,
                bytes: 28.0 * elements,
            };
            self.report("tricks", ours, other, Limit::None);
        }
    }

    /// Whole training steps of an MLP 784-512-512-10 with batches of 64.
    pub(crate) fn mlp(&self) {
        let adam_w = || ours::AdamWConfig::new().init().unwrap();
        let burns = || burns::AdamWConfig::new().init();
        let sam = SamConfig::new(0.05).init().unwrap();
        let asam = SamConfig::asam().init().unwrap();
        for (name, tricks, other_name, other) in [
            ("MLP, AdamW", Tricks::None, "Burn's AdamW", burns()),
            (
                "MLP, clip + blend + AdamW",
                Tricks::ClipAndBlend,
                "Burn's AdamW",
                burns(),
            ),
            // Two passes forward, and two backward.
            ("MLP, SAM, AdamW", Tricks::Sam(sam), "our AdamW", adam_w()),
            ("MLP, ASAM, AdamW", Tricks::Sam(asam), "our AdamW", adam_w()),
        ] {
            let mut ours = Arm::new(&self.device, adam_w(), tricks);
            let mut other = Arm::new(&self.device, other, Tricks::None);
            let times = in_turn(self.rounds * 4, || ours.step(), || other.step());
            let work = |name, ms| Work {
                name,
                ms,
                bytes: 0.0,
            };
            let (ours, other) = (work(name, times.0), work(other_name, times.1));
            self.report("mlp", ours, other, Limit::None);
        }
    }
}

/// What a network is trained with besides its optimizer.
enum Tricks {
    None,
    ClipAndBlend,
    Sam(Sam),
}

/// A network in training.
struct Arm {
    device: Device,
    model: Option<Mlp>,
    optim: ModuleOptimizer,
    tricks: Tricks,
    clip: ClipGradNorm,
    mean: TensorList,
    images: Tensor<2>,
    labels: Tensor<1, Int>,
    loss: CrossEntropyLoss,
}

impl Arm {
    fn new(device: &Device, optim: ModuleOptimizer, tricks: Tricks) -> Self {
        let training = device.clone().autodiff();
        let config = MlpConfig {
            hidden: vec![512, 512],
            ..MlpConfig::new(784)
        };
        let model = config.init(&training);
        Self {
            device: device.clone(),
            tricks,
            clip: ClipGradNormConfig::new(1.0).init().unwrap(),
            mean: live_weights(&model),
            model: Some(model),
            optim,
            images: Tensor::random([64, 784], Distribution::Default, &training),
            labels: Tensor::arange(0..64, &training) % 10,
            loss: CrossEntropyLossConfig::new().init(&training),
        }
    }

    fn loss(&self, model: &Mlp) -> Tensor<1> {
        let predicted = model.predict(self.images.clone());
        self.loss.forward(predicted, self.labels.clone())
    }

    fn step(&mut self) -> std::time::Duration {
        let model = self.model.take().expect("given back below");
        let (model, time) = timed(&self.device.clone(), || {
            let plain = || GradientsParams::from_grads(self.loss(&model).backward(), &model);
            let grads = match &self.tricks {
                Tricks::None => plain(),
                Tricks::ClipAndBlend => self.clip.apply(&model, plain()),
                Tricks::Sam(sam) => sam.gradients(&model, |model| self.loss(model)).0,
            };
            let model = self.optim.step(1e-4, model, grads);
            if let Tricks::ClipAndBlend = self.tricks {
                let mean = std::mem::take(&mut self.mean);
                self.mean = lerp_all(mean, &live_weights(&model), 0.001);
            }
            model
        });
        self.model = Some(model);
        time
    }
}
