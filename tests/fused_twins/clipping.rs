//! Clipping by norm with its neighbours, the backward pass before it and the step after it: with the kernels for GPUs,
//! and with their twins.

use crate::measure::{Bench, Cost};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn_tricks::grad::{ClipGradNormConfig, NormKind, global_norm};
use burn_tricks::kernels::use_gpu_kernels;
use burn_tricks::optim::AdamConfig;
use std::error::Error;

/// Linear layers with a rectifier between each two.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    pub(crate) fn new(widths: &[usize], device: &Device) -> Self {
        let layer = |pair: &[usize]| LinearConfig::new(pair[0], pair[1]).init(device);
        Self {
            layers: widths.windows(2).map(layer).collect(),
        }
    }

    pub(crate) fn forward(&self, mut x: Tensor<2>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("there are layers");
        for layer in hidden {
            x = relu(layer.forward(x));
        }
        last.forward(x)
    }
}

/// A gradient for each weight, in a buffer of its own.
fn gradients(model: &Mlp) -> GradientsParams {
    struct Fill(GradientsParams);
    impl ModuleVisitor for Fill {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.register(param.id, param.val().inner() * 1.5);
        }
    }
    let mut fill = Fill(GradientsParams::new());
    model.visit(&mut fill);
    fill.0
}

/// A network in training.
pub(crate) struct Training {
    pub(crate) model: Option<Mlp>,
    pub(crate) optim: ModuleOptimizer,
    images: Tensor<2>,
    labels: Tensor<1, Int>,
    loss: CrossEntropyLoss,
}

impl Training {
    pub(crate) fn new(widths: &[usize], optim: ModuleOptimizer, device: &Device) -> Self {
        let device = device.clone().autodiff();
        Self {
            model: Some(Mlp::new(widths, &device)),
            optim,
            images: Tensor::random([64, widths[0]], Distribution::Default, &device),
            labels: Tensor::arange(0..64, &device) % 10,
            loss: CrossEntropyLossConfig::new().init(&device),
        }
    }

    pub(crate) fn step(&mut self, change: impl Fn(&Mlp, GradientsParams) -> GradientsParams) {
        let model = self.model.take().expect("given back below");
        let predicted = model.forward(self.images.clone());
        let loss = self.loss.forward(predicted, self.labels.clone());
        let grads = change(&model, GradientsParams::from_grads(loss.backward(), &model));
        self.model = Some(self.optim.step(1e-4, model, grads));
    }
}

pub(crate) fn report(bench: &Bench) -> Result<(), Box<dyn Error>> {
    println!(
        "\nclipping by norm in f32: ms and launches with the twins, with the kernels, and the ratio of the times"
    );
    let networks: [(&str, &[usize]); 3] = [
        ("784-512-512-10", &[784, 512, 512, 10]),
        ("8 × [1024, 1024]", &[1024; 9]),
        ("40 × [64, 64]", &[64; 41]),
    ];
    for (network, widths) in networks {
        println!("{network}");
        let device = bench.device.clone().autodiff();
        let model = Mlp::new(widths, &device);
        let grads = || gradients(&model);
        let turn = |name: &str, costs: [Cost; 2]| {
            let [twin, kernel] = costs;
            println!(
                "  {name:<40} {:>9.2} {:>5} {:>9.2} {:>5} {:>6.2}",
                twin.ms,
                twin.launches,
                kernel.ms,
                kernel.launches,
                kernel.ms / twin.ms
            );
        };
        let names = ["twins", "kernels"];
        let set = |variant| use_gpu_kernels(variant == 1);
        let norm = |grads: GradientsParams| (global_norm(&model, &grads, NormKind::L2), grads);
        turn("the norm", bench.in_turn(names, grads, norm, set));
        for (name, max_norm) in [("nothing clipped", 1e9), ("all clipped", 1e-3)] {
            let clip = ClipGradNormConfig::new(max_norm).init()?;
            let work = |grads| clip.apply(&model, grads);
            let costs = bench.in_turn(names, grads, work, set);
            turn(&format!("clip, {name}"), costs);
        }
        let mut adam = AdamConfig::new().init()?;
        let clips = [
            ("Adam alone", None),
            ("clip, nothing clipped, and Adam", Some(1e9)),
            ("clip, all clipped, and Adam", Some(1e-3)),
        ];
        for (name, max_norm) in clips {
            let clip = max_norm.map(|norm| ClipGradNormConfig::new(norm).init());
            let clip = clip.transpose()?;
            let mut trained = Some(model.clone());
            let work = |grads| {
                let model = trained.take().expect("given back below");
                let grads = match &clip {
                    Some(clip) => clip.apply(&model, grads),
                    None => grads,
                };
                trained = Some(adam.step(1e-4, model, grads));
            };
            turn(name, bench.in_turn(names, grads, work, set));
        }
        let training = [
            ("a training step", None),
            ("with clipping, nothing clipped", Some(1e9)),
            ("with clipping, all clipped", Some(1e-3)),
        ];
        for (name, max_norm) in training {
            let clip = max_norm.map(|norm| ClipGradNormConfig::new(norm).init());
            let clip = clip.transpose()?;
            let mut training = Training::new(widths, AdamConfig::new().init()?, &bench.device);
            let work = |()| {
                training.step(|model, grads| match &clip {
                    Some(clip) => clip.apply(model, grads),
                    None => grads,
                });
            };
            turn(name, bench.in_turn(names, || (), work, set));
        }
        use_gpu_kernels(true);
    }
    Ok(())
}
