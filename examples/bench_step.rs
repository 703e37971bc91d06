//! Steps of our optimizers and of Burn's, timed in turn in one process.
//!
//! `cargo run --release --example bench_step` prints a table, `-- --json` one JSON object per line,
//! `-- --help` the rest.

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{self as burns, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn_tricks::average::Predict;
use burn_tricks::grad::{ClipGradNorm, ClipGradNormConfig};
use burn_tricks::kernels::{TensorList, lerp_all};
use burn_tricks::optim as ours;
use burn_tricks_examples::bench::{Row, Weights, in_turn, live_weights, one_by_one, timed, triad};
use burn_tricks_examples::bench_pairs::{FAMILY, LACKING, PAIRS, Pair, other_name};
use burn_tricks_examples::device::Backend;
use burn_tricks_examples::mlp::{Mlp, MlpConfig};
use clap::Parser;
use std::error::Error;

/// Times optimizer steps: ours and Burn's in turn, medians in milliseconds.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Only these cases: a, b, c, d, pytorch, tricks, mlp, size; separated by commas.
    #[arg(long, value_name = "CASE", value_delimiter = ',', value_parser = CASES)]
    only: Vec<String>,
    /// Rounds that count.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Tensors of an eighth of the size, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// One JSON object per line instead of the table.
    #[arg(long)]
    json: bool,
    /// The backend to run on.
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
    /// Only take so many steps of one optimizer, on a matrix of 1024×1024 (with `--quick`, on 250 of
    /// 64×16), for a profiler. What two numbers of steps differ by is what a step takes.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Which optimizer `--steps` takes.
    #[arg(long, default_value = "Adam", requires = "steps")]
    of: String,
    /// Burn's, not ours.
    #[arg(long, requires = "steps")]
    burns: bool,
}

const CASES: [&str; 8] = ["a", "b", "c", "d", "pytorch", "tricks", "mlp", "size"];

struct Bench {
    device: Device,
    rounds: usize,
    json: bool,
    /// What a triad moves, in GB/s; none on another device.
    triad: Option<f64>,
}

impl Bench {
    fn report(&self, case: &str, name: &str, other: &str, (ours, others): (f64, f64), bytes: f64) {
        let gb_per_s = (bytes > 0.0).then(|| bytes / ours / 1e6);
        let row = Row {
            case: case.to_owned(),
            name: name.to_owned(),
            ours_ms: ours,
            other: other.to_owned(),
            other_ms: others,
            ratio: ours / others,
            gb_per_s,
            share_of_triad: gb_per_s.zip(self.triad).map(|(ours, triad)| ours / triad),
        };
        if self.json {
            println!("{}", serde_json::to_string(&row).expect("a row is JSON"));
            return;
        }
        let or_dash = |value: Option<f64>, scale: f64, digits: usize| match value {
            Some(value) => format!("{:.digits$}", value * scale),
            None => "-".to_owned(),
        };
        println!(
            "{case:<12} {name:<26} {ours:>9.3} {other:<14} {others:>9.3} {:>6.2} {:>7} {:>6}",
            row.ratio,
            or_dash(row.gb_per_s, 1.0, 1),
            or_dash(row.share_of_triad, 100.0, 0),
        );
    }

    /// One optimizer against another on matrices. `shared`: somebody else holds the weights during
    /// the step, as in Burn's `Learner`.
    fn optimizers(&self, case: &str, pair: &Pair, weights: &Weights, shared: bool) {
        let device = &self.device;
        let like = weights.like(device);
        let arm = |mut optim: ModuleOptimizer| {
            let mut model = Some(weights.copy());
            let (like, device) = (like.clone(), device.clone());
            move || {
                let before = model.take().expect("given back below");
                let grads = before.grads(&like);
                let held = shared.then(|| before.clone());
                let (after, time) = timed(&device, || optim.step(1e-3, before, grads));
                drop(held);
                model = Some(after);
                time
            }
        };
        let times = in_turn(self.rounds, arm((pair.ours)()), arm((pair.burns)()));
        let bytes = pair.bytes * weights.elements() as f64;
        let other = other_name(pair.name);
        self.report(case, pair.name, &other, times, bytes);
    }

    /// As PyTorch is timed by `bench_step.py`: gradients stay where they are, nothing is freed in a
    /// step, and one optimizer runs after the other.
    fn as_pytorch(&self, case: &str, pair: &Pair, weights: &Weights) {
        let device = &self.device;
        let kept: Vec<_> = (0..weights.count()).map(|_| weights.like(device)).collect();
        let arm = |mut optim: ModuleOptimizer| {
            let mut model = Some(weights.copy());
            let (device, kept) = (device.clone(), kept.clone());
            move || {
                let before = model.take().expect("given back below");
                let grads = before.kept_grads(&kept);
                let (after, time) = timed(&device, || optim.step(1e-3, before, grads));
                model = Some(after);
                time
            }
        };
        let times = one_by_one(self.rounds, arm((pair.ours)()), arm((pair.burns)()));
        let bytes = pair.bytes * weights.elements() as f64;
        let other = other_name(pair.name);
        self.report(case, pair.name, &other, times, bytes);
    }

    /// Clipping and averaging alone, on gradients that stay, as `bench_step.py` times PyTorch's; beside
    /// them Burn's operations for the same.
    fn alone(&self, case: &str, weights: &Weights) {
        let device = &self.device;
        let kept: Vec<_> = (0..weights.count()).map(|_| weights.like(device)).collect();
        let elements = weights.elements() as f64;
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
        self.report(
            case,
            "clip, nothing clipped",
            "square, sum",
            times,
            4.0 * elements,
        );

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
        self.report(case, "blend", "a x + b y", times, 12.0 * elements);
    }

    /// What clipping and averaging add to a bare step of our AdamW.
    fn tricks(&self, weights: &Weights) {
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
                        lerp_all(old_mean, live_weights(&after), 0.001)
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
            let times = in_turn(self.rounds, arm(max_norm, average), arm(None, false));
            let name = format!("AdamW + {name}");
            self.report("tricks", &name, "our AdamW", times, bytes * elements);
        }
    }

    /// Whole training steps of an MLP 784-512-512-10 with batches of 64.
    fn mlp(&self) {
        for (name, tricks) in [("MLP, AdamW", false), ("MLP, clip + blend + AdamW", true)] {
            let adam_w = ours::AdamWConfig::new().init().unwrap();
            let mut ours = Arm::new(&self.device, adam_w, tricks);
            let mut other = Arm::new(&self.device, burns::AdamWConfig::new().init(), false);
            let times = in_turn(self.rounds * 4, || ours.step(), || other.step());
            self.report("mlp", name, "Burn's AdamW", times, 0.0);
        }
    }
}

/// A network in training.
struct Arm {
    device: Device,
    model: Option<Mlp>,
    optim: ModuleOptimizer,
    tricks: Option<(ClipGradNorm, TensorList)>,
    images: Tensor<2>,
    labels: Tensor<1, Int>,
    loss: CrossEntropyLoss,
}

impl Arm {
    fn new(device: &Device, optim: ModuleOptimizer, tricks: bool) -> Self {
        let training = device.clone().autodiff();
        let config = MlpConfig {
            hidden: vec![512, 512],
            ..MlpConfig::new(784)
        };
        let model = config.init(&training);
        let clip = ClipGradNormConfig::new(1.0).init().unwrap();
        Self {
            device: device.clone(),
            tricks: tricks.then(|| (clip, live_weights(&model))),
            model: Some(model),
            optim,
            images: Tensor::random([64, 784], Distribution::Default, &training),
            labels: Tensor::arange(0..64, &training) % 10,
            loss: CrossEntropyLossConfig::new().init(&training),
        }
    }

    fn step(&mut self) -> std::time::Duration {
        let model = self.model.take().expect("given back below");
        let (model, time) = timed(&self.device.clone(), || {
            let loss = self
                .loss
                .forward(model.predict(self.images.clone()), self.labels.clone());
            let mut grads = GradientsParams::from_grads(loss.backward(), &model);
            if let Some((clip, _)) = &self.tricks {
                grads = clip.apply(&model, grads);
            }
            let model = self.optim.step(1e-4, model, grads);
            if let Some((_, mean)) = &mut self.tricks {
                *mean = lerp_all(std::mem::take(mean), live_weights(&model), 0.001);
            }
            model
        });
        self.model = Some(model);
        time
    }
}

/// Steps without a clock, for a profiler.
fn steps_alone(options: &Options, count: usize, device: &Device) -> Result<(), Box<dyn Error>> {
    let pair = PAIRS
        .iter()
        .chain(&FAMILY)
        .chain(&LACKING)
        .find(|pair| pair.name == options.of);
    let Some(pair) = pair else {
        let names: Vec<_> = PAIRS
            .iter()
            .chain(&FAMILY)
            .chain(&LACKING)
            .map(|pair| pair.name)
            .collect();
        return Err(format!(
            "no optimizer `{}`; there are: {}",
            options.of,
            names.join("; ")
        )
        .into());
    };
    let mut optim = if options.burns {
        (pair.burns)()
    } else {
        (pair.ours)()
    };
    let mut weights = if options.quick {
        Weights::new(250, [64, 16], device)
    } else {
        Weights::new(1, [1024, 1024], device)
    };
    let kept = vec![weights.like(device); weights.count()];
    for _ in 0..count {
        let grads = weights.kept_grads(&kept);
        weights = optim.step(1e-3, weights, grads);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let device = options.device.device()?;
    if let Some(count) = options.steps {
        return steps_alone(&options, count, &device);
    }
    let on_host = matches!(options.device, Backend::Flex | Backend::Ndarray);
    let scale = if options.quick { 8 } else { 1 };
    let wants =
        |case: &str| options.only.is_empty() || options.only.iter().any(|only| only == case);
    let bench = Bench {
        triad: on_host.then(|| triad((8 << 20) / scale, options.rounds)),
        device,
        rounds: options.rounds,
        json: options.json,
    };
    if !options.json {
        if let Some(triad) = bench.triad {
            println!("triad, 28 bytes per element in place: {triad:.1} GB/s");
        }
        println!(
            "{:<12} {:<26} {:>9} {:<14} {:>9} {:>6} {:>7} {:>6}",
            "case", "name", "ours/ms", "other", "other/ms", "ratio", "GB/s", "%triad"
        );
    }
    let device = &bench.device;
    let eight = || Weights::new(8, [1024 / scale, 1024], device);
    for (case, shared) in [("a", false), ("d", true)] {
        if wants(case) {
            let weights = eight();
            for pair in PAIRS.iter().chain(&FAMILY).chain(&LACKING) {
                bench.optimizers(case, pair, &weights, shared);
            }
        }
    }
    if wants("b") {
        let weights = Weights::new(2000 / scale, [64, 16], device);
        for pair in PAIRS.iter().chain(&FAMILY).chain(&LACKING) {
            bench.optimizers("b", pair, &weights, false);
        }
    }
    if wants("c") {
        let weights = Weights::new(1, [50_000 / scale, 1000], device);
        for pair in &PAIRS {
            bench.optimizers("c", pair, &weights, false);
        }
    }
    if wants("pytorch") {
        for (case, weights) in [
            ("pytorch a", eight()),
            ("pytorch b", Weights::new(2000 / scale, [64, 16], device)),
            ("pytorch c", Weights::new(1, [50_000 / scale, 1000], device)),
        ] {
            for pair in &PAIRS {
                bench.as_pytorch(case, pair, &weights);
            }
            bench.alone(case, &weights);
        }
    }
    if wants("tricks") {
        bench.tricks(&eight());
    }
    if wants("mlp") {
        bench.mlp();
    }
    if wants("size") {
        for elements in [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000] {
            let elements = elements / scale / 1000 * 1000; // rows of 1,000
            let weights = Weights::new(1, [elements / 1000, 1000], device);
            let case = format!("size {elements}");
            bench.optimizers(&case, &PAIRS[6], &weights, false);
        }
    }
    Ok(())
}
