//! Steps of our optimizers and of Burn's, timed in turn in one process.
//!
//! `cargo run --release --example bench_step` prints a table, `-- --json` one JSON object per line,
//! `-- --help` the rest.

mod optimizers;
mod pairs;
mod pytorch;
mod report;
mod training;
mod transforms;
mod walk;

use burn::tensor::Device;
use burn_tricks_examples::bench::{Weights, at_least_one, triad};
use burn_tricks_examples::device::Backend;
use clap::Parser;
use pairs::{FAMILY, FAMILY_OF_TENSORS, LACKING, PAIRS, Pair};
use report::Bench;
use std::error::Error;

/// Times optimizer steps: ours and Burn's in turn, medians in milliseconds.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Only these cases: a, b, c, d, per-byte, wrappers, transforms, agc-a, agc-b, walk, fused, pytorch-a,
    /// pytorch-b, pytorch-c, tricks, mlp, size; separated by commas.
    #[arg(long, value_name = "CASE", value_delimiter = ',', value_parser = CASES)]
    only: Vec<String>,
    /// Rounds that count.
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
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

const CASES: [&str; 17] = [
    "a",
    "b",
    "c",
    "d",
    "per-byte",
    "wrappers",
    "transforms",
    "agc-a",
    "agc-b",
    "walk",
    "fused",
    "pytorch-a",
    "pytorch-b",
    "pytorch-c",
    "tricks",
    "mlp",
    "size",
];

fn every_pair() -> impl Iterator<Item = &'static Pair> {
    let ours = PAIRS.iter().chain(&FAMILY).chain(&FAMILY_OF_TENSORS);
    ours.chain(&LACKING)
}

/// Steps without a clock, for a profiler.
fn steps_alone(options: &Options, count: usize, device: &Device) -> Result<(), Box<dyn Error>> {
    let pair = every_pair().find(|pair| pair.name == options.of);
    let Some(pair) = pair else {
        let names: Vec<_> = every_pair().map(|pair| pair.name).collect();
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
    bench.header();
    let device = &bench.device;
    let eight = || Weights::new(8, [1024 / scale, 1024], device);
    let small = || Weights::new(2000 / scale, [64, 16], device);
    for (case, shared) in [("a", false), ("d", true)] {
        if wants(case) {
            let weights = eight();
            for pair in every_pair() {
                bench.optimizers(case, pair, &weights, shared);
            }
        }
    }
    if wants("b") {
        let weights = small();
        for pair in every_pair() {
            bench.optimizers("b", pair, &weights, false);
        }
    }
    if wants("c") {
        let weights = Weights::new(1, [50_000 / scale, 1000], device);
        for pair in &PAIRS {
            bench.optimizers("c", pair, &weights, false);
        }
    }
    if wants("per-byte") {
        let weights = eight();
        for pair in every_pair() {
            bench.per_byte(pair, &weights);
        }
        bench.prodigy(&weights);
    }
    if wants("wrappers") {
        bench.wrappers(&eight());
    }
    if wants("transforms") {
        for (case, weights) in [("transforms a", eight()), ("transforms b", small())] {
            bench.all_transforms(case, &weights);
            bench.accumulation(case, &weights);
            bench.accumulation_of_changing_sets(case, &weights);
        }
    }
    if wants("agc-a") {
        bench.agc("agc-a", "columns", &eight());
        let filters = Weights::new(8, [1024 / scale, 256, 2, 2], device);
        bench.agc("agc-a", "rows", &filters);
    }
    if wants("agc-b") {
        bench.agc("agc-b", "columns", &small());
        let filters = Weights::new(2000 / scale, [16, 16, 2, 2], device);
        bench.agc("agc-b", "rows", &filters);
    }
    if wants("walk") {
        bench.walk(&small());
    }
    if wants("fused") {
        bench.fused(&small(), &eight());
    }
    if wants("pytorch-a") {
        bench.as_pytorch("pytorch-a", &eight());
    }
    if wants("pytorch-b") {
        bench.as_pytorch("pytorch-b", &small());
    }
    if wants("pytorch-c") {
        let weights = Weights::new(1, [50_000 / scale, 1000], device);
        bench.as_pytorch("pytorch-c", &weights);
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
