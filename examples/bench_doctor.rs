//! What a doctor and its probes cost: paired steps of an MLP 784-512-512-10 at batch 64, with and without. The doctor is
//! given each batch, its outputs and its loss. And what a diagnosis takes, of a training with a validation.
//!
//!     cargo run --release --example bench_doctor

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::{log_softmax, relu};
use burn_tricks::diagnose::{Doctor, DoctorConfig, EpochMetrics, Probe};
use burn_tricks::force_init;
use clap::Parser;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// What a doctor and its probes cost: the time of a training step with them over that without, of an MLP 784-512-512-10
/// with Adam and batches of 64, and the time of a diagnosis.
#[derive(Parser)]
struct Options {
    /// Pairs of steps that are timed, with and without; of the steps that are all recorded, a fifth of it.
    #[arg(default_value = "1000")]
    steps: NonZeroUsize,
}

#[derive(Module, Debug)]
struct Net {
    layers: Vec<Linear>,
    probe: Option<Probe>,
}

impl Net {
    fn new(probe: Option<Probe>, device: &Device) -> Self {
        let layer = |(inputs, outputs)| LinearConfig::new(inputs, outputs).init(device);
        let layers = [(784, 512), (512, 512), (512, 10)].map(layer).to_vec();
        let net = Self { layers, probe };
        force_init(&net);
        net
    }

    fn forward(&self, mut signal: Tensor<2>) -> Tensor<2> {
        for (at, layer) in self.layers.iter().enumerate() {
            signal = layer.forward(signal);
            if at < 2 {
                signal = relu(signal);
            }
            if let Some(probe) = &self.probe {
                signal = probe.record(["first", "second", "scores"][at], signal);
            }
        }
        signal
    }
}

/// A training of which one step is timed at a time.
struct Run {
    net: Option<Net>,
    optim: ModuleOptimizer,
    doctor: Option<Doctor>,
}

impl Run {
    fn new(probe: Option<Probe>, doctor: Option<usize>, device: &Device) -> Self {
        let net = Net::new(probe, device);
        let doctor = doctor.map(|every| {
            let mut doctor = DoctorConfig::new()
                .with_every(every)
                .init(&net)
                .expect("a valid interval");
            if let Some(probe) = &net.probe {
                doctor.attach(probe);
            }
            doctor
        });
        Self {
            net: Some(net),
            optim: AdamConfig::new().init(),
            doctor,
        }
    }

    fn step(&mut self, images: &Tensor<2>, labels: &Tensor<1, Int>) -> Duration {
        let start = Instant::now();
        let mut net = self.net.take().expect("a net between steps");
        if let Some(doctor) = &mut self.doctor {
            doctor.observe_batch(images, labels);
        }
        let scores = net.forward(images.clone());
        if let Some(doctor) = &mut self.doctor {
            doctor.observe_outputs(&scores);
        }
        let loss = log_softmax(scores, 1)
            .gather(1, labels.clone().unsqueeze_dim(1))
            .mean()
            .neg();
        let grads = match &net.probe {
            Some(probe) => probe.backward(&loss),
            None => loss.backward(),
        };
        let grads = GradientsParams::from_grads(grads, &net);
        if let Some(doctor) = &mut self.doctor {
            doctor.observe_loss(&loss);
            doctor.before_step(&net, &grads, 1e-3);
        }
        net = self.optim.step(1e-3, net, grads);
        if let Some(doctor) = &mut self.doctor {
            doctor.after_step(&net);
        }
        self.net = Some(net);
        start.elapsed()
    }
}

/// Times both in turn and prints the ratio of their times: of the sums, and its spread over ten parts.
fn compare(name: &str, mut with: Run, mut without: Run, steps: usize, device: &Device) {
    let images = Tensor::random([64, 784], Distribution::Normal(0.0, 1.0), device);
    let labels = Tensor::<1, Int>::zeros([64], device);
    // The first steps are all recorded: each takes what a step takes in the last line, where every step is.
    for _ in 0..20 {
        with.step(&images, &labels);
        without.step(&images, &labels);
    }
    let mut parts = vec![[Duration::ZERO; 2]; 10];
    for step in 0..steps {
        let part = &mut parts[step * 10 / steps];
        if step % 2 == 0 {
            part[0] += with.step(&images, &labels);
            part[1] += without.step(&images, &labels);
        } else {
            part[1] += without.step(&images, &labels);
            part[0] += with.step(&images, &labels);
        }
    }
    let seconds = |at: usize| parts.iter().map(|part| part[at].as_secs_f64()).sum::<f64>();
    let mut ratios: Vec<f64> = parts
        .iter()
        .map(|part| part[0].as_secs_f64() / part[1].as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "{name:44} {:.3} (tenths of the steps: {:.3} to {:.3}), {:.2} ms a step without",
        seconds(0) / seconds(1),
        ratios[0],
        ratios[9],
        1e3 * seconds(1) / steps as f64,
    );
}

/// Prints what the first diagnosis takes, and one after a further epoch, of 21 steps and 2,100 rows to train and to
/// validate on: of each the first 2,048 are kept.
fn time_diagnoses(device: &Device) {
    let mut run = Run::new(Some(Probe::new()), Some(10), device);
    let draw = |rows: usize, device: &Device| {
        let images = Tensor::<2>::random([rows, 784], Distribution::Normal(0.0, 1.0), device);
        let classes: Tensor<2, Int> = images.clone().narrow(1, 0, 10).argmax(1);
        (images, classes.squeeze_dim::<1>(1))
    };
    let batches: Vec<_> = (0..21).map(|_| draw(100, device)).collect();
    let (images, labels) = draw(2100, &Device::flex());
    for when in ["the first diagnosis", "one after the next epoch"] {
        for (images, labels) in &batches {
            run.step(images, labels);
        }
        let (net, doctor) = (run.net.as_ref(), run.doctor.as_mut());
        let (net, doctor) = net.zip(doctor).expect("a net and a doctor");
        doctor.observe_validation_batch(&images, &labels);
        doctor.observe_validation_outputs(&net.valid().forward(images.clone()));
        doctor.observe_epoch(
            EpochMetrics::new()
                .with_train_loss(2.3)
                .with_valid_loss(2.3),
        );
        let start = Instant::now();
        let findings = doctor.diagnose(net).findings.len();
        println!(
            "{when}: {:.2} s, {findings} findings",
            start.elapsed().as_secs_f64()
        );
    }
}

fn main() {
    let steps = Options::parse().steps.get();
    let device = Device::flex().autodiff();
    let plain = || Run::new(None, None, &device);
    let probe = || Some(Probe::new());
    println!("time of a step over that of a step without, {steps} paired steps after the first 20");
    compare(
        "probes in the model, nobody records",
        Run::new(probe(), None, &device),
        plain(),
        steps,
        &device,
    );
    compare(
        "a doctor, every 10th step",
        Run::new(None, Some(10), &device),
        plain(),
        steps,
        &device,
    );
    compare(
        "a doctor and probes, every 10th step",
        Run::new(probe(), Some(10), &device),
        plain(),
        steps,
        &device,
    );
    compare(
        "a doctor and probes, every step",
        Run::new(probe(), Some(1), &device),
        plain(),
        steps.div_ceil(5),
        &device,
    );
    time_diagnoses(&device);
}
