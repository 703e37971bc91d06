//! What averages of weights cost: memory, counted at the allocator, and time, as ratios within one run.
//!
//!     cargo run --release --example bench_average
//!
//! Twenty checkpoint files of 100 MB are written to a temporary directory; `--quick` takes small ones.
//! Exits with an error if an EMA in a loop takes more than 1.1 copies of the weights, or averaging files
//! the memory of more than three of them.

use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use burn_tricks::average::{EmaConfig, EmaSet, average_checkpoints, uniform_soup};
use burn_tricks::kernels::lerp;
use burn_tricks::optim::SgdConfig;
use burn_tricks_examples::bench::{at_least_one, in_turn, timed};
use clap::Parser;
use peak_alloc::PeakAlloc;
use std::time::Instant;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory and time of averages of weights.
#[derive(Parser)]
struct Arguments {
    /// Checkpoint files to average.
    #[arg(long, default_value_t = 20)]
    files: usize,
    /// Megabytes (10⁶ bytes) of weights, in each file and in the model of the other measurements.
    #[arg(long, default_value_t = 100)]
    megabytes: usize,
    /// Timed repetitions.
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    rounds: usize,
    /// Five files of 4 MB, three repetitions.
    #[arg(long)]
    quick: bool,
}

/// Weights in eight tensors.
#[derive(Module, Debug)]
struct Weights {
    layers: Vec<Param<Tensor<1>>>,
}

const LAYERS: usize = 8;

impl Weights {
    fn new(megabytes: usize, device: &Device) -> Self {
        let numbers = megabytes * 1_000_000 / 4 / LAYERS;
        let layer = |_| {
            let values = Tensor::<1>::random([numbers], Distribution::Default, device);
            Param::initialized(
                ParamId::new(),
                values.set_require_grad(device.is_autodiff()),
            )
        };
        Self {
            layers: (0..LAYERS).map(layer).collect(),
        }
    }

    fn gradients(&self) -> GradientsParams {
        let mut grads = GradientsParams::new();
        for layer in &self.layers {
            grads.register(layer.id, layer.val().inner().ones_like());
        }
        grads
    }
}

/// Allocated now, in megabytes.
fn megabytes() -> f64 {
    MEMORY.current_usage() as f64 / 1e6
}

/// Allocated at most since the last reset, in megabytes.
fn peak() -> f64 {
    MEMORY.peak_usage() as f64 / 1e6
}

/// The weights of a training loop with and without an average.
fn memory_in_a_loop(size: usize, device: &Device) -> Result<(), Box<dyn std::error::Error>> {
    let mut model = Weights::new(size, device);
    let mut optim = SgdConfig::new().init()?;
    let mut step = |model: Weights| {
        let grads = model.gradients();
        optim.step(1e-3, model, grads)
    };
    model = step(model);
    MEMORY.reset_peak_usage();
    let (start, model_alone) = (megabytes(), {
        model = step(model);
        peak()
    });
    let mut ema = EmaConfig::new(0.999).init(&model)?;
    for _ in 0..3 {
        model = step(model);
        ema.update(&model);
    }
    let held = megabytes() - start;
    MEMORY.reset_peak_usage();
    for _ in 0..3 {
        model = step(model);
        ema.update(&model);
    }
    println!(
        "EMA of {size} MB in a loop: {held:.1} MB more between steps, {:.1} MB more at the peak of a step",
        peak() - model_alone
    );
    // One copy; a megabyte for what else the process does meanwhile.
    let limit = 1.1 * size as f64 + 1.0;
    at_most("an EMA in a loop", held.max(peak() - model_alone), limit)
}

/// An error if a measurement is above what the documentation promises.
fn at_most(what: &str, got: f64, limit: f64) -> Result<(), Box<dyn std::error::Error>> {
    if got > limit {
        return Err(format!("{what} took {got:.1} MB, the limit is {limit:.1} MB").into());
    }
    Ok(())
}

fn memory_of_files(
    size: usize,
    files: usize,
    device: &Device,
) -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let paths: Vec<_> = (0..files)
        .map(|file| directory.path().join(format!("model-{file}.bpk")))
        .collect();
    for path in &paths {
        Weights::new(size, device).save_file(path)?;
    }
    let start = megabytes();
    MEMORY.reset_peak_usage();
    let clock = Instant::now();
    let average = average_checkpoints(Weights::new(size, device), &paths)?;
    let seconds = clock.elapsed().as_secs_f64();
    let peak = peak() - start;
    println!(
        "{files} checkpoint files of {size} MB: a peak of {peak:.0} MB ({:.2} files), {seconds:.1} s",
        peak / size as f64
    );
    at_most("averaging files", peak, 3.0 * size as f64 + 1.0)?;
    drop(average);
    MEMORY.reset_peak_usage();
    let models: Vec<_> = (paths.iter().take(5))
        .map(|path| Weights::new(size, device).load_file(path))
        .collect();
    let _soup = uniform_soup(&models)?;
    let five = models.len();
    println!(
        "{five} of them loaded and averaged at once: a peak of {:.0} MB",
        MEMORY.peak_usage() as f64 / 1e6 - start
    );
    Ok(())
}

fn time_of_updates(
    size: usize,
    rounds: usize,
    device: &Device,
) -> Result<(), Box<dyn std::error::Error>> {
    let plain = device.clone().without_autodiff();
    let model = Weights::new(size, device);
    let mut ema = EmaConfig::new(0.999).init(&model)?;
    ema.update(&model);
    let mut means: Vec<Tensor<1>> = Weights::new(size, &plain)
        .layers
        .into_iter()
        .map(Param::into_value)
        .collect();
    type Mean = fn(Tensor<1>, Tensor<1>) -> Tensor<1>;
    let by_hand: [(&str, Mean); 2] = [
        ("the kernels alone", |mean, weight| {
            lerp(mean, weight, 0.001)
        }),
        // As one writes it in Burn.
        ("tensor operations", |mean, weight| {
            mean * 0.999 + weight * 0.001
        }),
    ];
    for (name, rule) in by_hand {
        let (ours, other) = in_turn(
            rounds,
            || timed(device, || ema.update(&model)).1,
            || {
                timed(device, || {
                    for (mean, layer) in means.iter_mut().zip(&model.layers) {
                        let old = std::mem::replace(mean, Tensor::empty([0], &plain));
                        *mean = rule(old, layer.val().inner());
                    }
                })
                .1
            },
        );
        println!(
            "EMA update {ours:.2} ms, {name} {other:.2} ms: {:.2}",
            ours / other
        );
    }

    let mut set = EmaSet::init(&[0.99, 0.999, 0.9999].map(EmaConfig::new), &model)?;
    let (three, one) = in_turn(
        rounds,
        || timed(device, || set.update(&model)).1,
        || timed(device, || ema.update(&model)).1,
    );
    println!(
        "three EMAs {three:.2} ms, one {one:.2} ms: {:.2}",
        three / one
    );

    let mut trained = model.clone();
    let mut optim = SgdConfig::new().init()?;
    let (ours, other) = in_turn(
        rounds,
        || timed(device, || ema.update(&model)).1,
        || {
            let grads = trained.gradients();
            let (stepped, time) = timed(device, || optim.step(1e-3, trained.clone(), grads));
            trained = stepped;
            time
        },
    );
    println!(
        "EMA update {ours:.2} ms, a step of plain SGD {other:.2} ms: {:.2}",
        ours / other
    );

    // Many small tensors: what the walk costs.
    let many = Weights {
        layers: (0..2000)
            .map(|_| {
                Param::initialized(
                    ParamId::new(),
                    Tensor::ones([64], device).set_require_grad(true),
                )
            })
            .collect(),
    };
    let mut ema = EmaConfig::new(0.999).init(&many)?;
    let mut trained = many.clone();
    let mut optim = SgdConfig::new().init()?;
    let (ours, other) = in_turn(
        rounds,
        || timed(device, || ema.update(&many)).1,
        || {
            let grads = trained.gradients();
            let (stepped, time) = timed(device, || optim.step(1e-3, trained.clone(), grads));
            trained = stepped;
            time
        },
    );
    println!(
        "2000 tensors of 64: EMA update {ours:.2} ms, a step of plain SGD {other:.2} ms: {:.2}",
        ours / other
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = Arguments::parse();
    if arguments.quick {
        (arguments.files, arguments.megabytes, arguments.rounds) = (5, 4, 3);
    }
    let device = Device::flex().autodiff();
    let plain = Device::flex();
    memory_in_a_loop(arguments.megabytes, &device)?;
    memory_of_files(arguments.megabytes, arguments.files, &plain)?;
    time_of_updates(arguments.megabytes, arguments.rounds, &device)
}
