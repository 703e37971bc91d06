//! Training steps with a module of ours, and without it, timed in turn in one process.
//!
//!     cargo run --release --example bench_modules
//!
//! prints a table, `-- --json` one JSON object per line, `-- --help` the rest.

use burn::module::Param;
use burn::nn::Linear;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn_tricks::optim::SgdConfig;
use burn_tricks_examples::additions::{ADDITIONS, AddedMlp, Addition, Between, attached};
use burn_tricks_examples::bench::{at_least_one, in_turn, timed};
use burn_tricks_examples::device::Backend;
use clap::Parser;
use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait as _};
use serde::Serialize;
use std::alloc::System;
use std::error::Error;
use std::time::Duration;

#[global_allocator]
static MEMORY: PeakMemAlloc<System> = PeakMemAlloc::system();

/// Times training steps of a network with each module and without it, in turn: medians in milliseconds, and the memory
/// that a step takes at its peak (on a CPU).
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Only these cases, separated by commas: mlp (784-512-512-10, batches of 64), small (784-64-64-10, batches of 32),
    /// norms (the network of mlp with each batch norm of burn-tricks, in turn with Burn's batch norm, which counts as plain),
    /// size (one module, forward and backward, on 10 thousand to 10 million numbers).
    #[arg(long, value_name = "CASE", value_delimiter = ',', value_parser = ["mlp", "small", "norms", "size"])]
    only: Vec<String>,
    /// Only modules whose name contains this.
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// Rounds that count.
    #[arg(long, default_value_t = 60, value_parser = at_least_one)]
    rounds: usize,
    /// Smaller layers and tensors, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// One JSON object per line instead of the table.
    #[arg(long)]
    json: bool,
    /// The backend to run on.
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
}

/// A network in training.
struct Training {
    device: Device,
    net: Option<AddedMlp>,
    optim: ModuleOptimizer,
    images: Tensor<2>,
    labels: Tensor<1, Int>,
    loss: CrossEntropyLoss,
}

impl Training {
    fn new(
        addition: Option<Addition>,
        width: usize,
        batch: usize,
        device: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let training = device.clone().autodiff();
        Ok(Self {
            device: device.clone(),
            net: Some(AddedMlp::new(addition, 784, width, &training)?),
            optim: SgdConfig::new().init()?,
            images: Tensor::random([batch, 784], Distribution::Default, &training),
            labels: Tensor::arange(0..batch as i64, &training) % 10,
            loss: CrossEntropyLossConfig::new().init(&training),
        })
    }

    fn step(&mut self) -> Duration {
        let net = self.net.take().expect("given back below");
        let (net, time) = timed(&self.device.clone(), || {
            let predicted = net.forward(self.images.clone());
            let loss = self.loss.forward(predicted, self.labels.clone());
            let grads = GradientsParams::from_grads(loss.backward(), &net);
            self.optim.step(1e-3, net, grads)
        });
        self.net = Some(net);
        time
    }
}

/// One module, on its own: forward and backward on `rows` × 992 numbers.
struct Alone {
    device: Device,
    weight: Linear,
    between: Between,
    grad: Tensor<2>,
}

impl Alone {
    fn new(
        addition: Option<Addition>,
        rows: usize,
        device: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let training = device.clone().autodiff();
        let values = Tensor::random([rows, 992], Distribution::Normal(0.0, 1.0), device);
        let weight = Linear {
            weight: Param::from_tensor(Tensor::from_inner(values)),
            bias: None,
        };
        Ok(Self {
            device: device.clone(),
            weight: attached(addition, weight)?,
            between: Between::new(addition, 992, &training)?,
            grad: Tensor::from_inner(Tensor::random([rows, 992], Distribution::Default, device)),
        })
    }

    fn pass(&self) -> Duration {
        let ((), time) = timed(&self.device, || {
            let y = self.between.alone(self.weight.weight.val());
            let _ = (y * self.grad.clone()).sum().backward();
        });
        time
    }
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Row<'a> {
    /// Which network, or how many numbers.
    case: &'a str,
    /// What is added.
    module: &'a str,
    /// Median milliseconds with it.
    ms: f64,
    /// Median milliseconds without it; of `norms`, with Burn's batch norm instead.
    plain_ms: f64,
    /// `ms / plain_ms`.
    ratio: f64,
    /// Nanoseconds per number that the module adds; none for whole networks.
    ns_per_number: Option<f64>,
    /// Megabytes (10⁶ bytes) that a step allocates at its peak; none on a GPU, whose memory is not counted.
    peak_mb: Option<f64>,
    /// The same without the module.
    plain_peak_mb: Option<f64>,
    /// What the ratio should not exceed.
    limit: Option<f64>,
    /// Whether it does not.
    within_limit: Option<bool>,
}

impl Row<'_> {
    fn print(&self, json: bool) {
        if json {
            println!("{}", serde_json::to_string(self).expect("a row is JSON"));
            return;
        }
        let number = |value: Option<f64>, digits: usize| match value {
            Some(value) => format!("{value:.digits$}"),
            None => "-".to_owned(),
        };
        let limit = match (self.limit, self.within_limit) {
            (Some(limit), Some(false)) => format!("{limit} OVER"),
            (limit, _) => number(limit, 2),
        };
        println!(
            "{:<14} {:<24} {:>9.3} {:>9.3} {:>6.2} {:>8} {:>8} {:>8} {:>10}",
            self.case,
            self.module,
            self.ms,
            self.plain_ms,
            self.ratio,
            number(self.ns_per_number, 2),
            number(self.peak_mb, 2),
            number(self.plain_peak_mb, 2),
            limit,
        );
    }
}

/// What `step` allocates at its peak, in megabytes, if it runs on the CPU.
fn peak_of(device: Backend, mut step: impl FnMut() -> Duration) -> Option<f64> {
    if device.is_gpu() {
        return None;
    }
    MEMORY.reset_peak_memory();
    step();
    Some(MEMORY.get_peak_memory() as f64 / 1e6)
}

/// What the time of a step with a batch norm of burn-tricks should not exceed, relative to one with Burn's.
const LIMIT_OF_NORMS: f64 = 1.1;

fn networks(
    options: &Options,
    device: &Device,
    case: &str,
    (width, batch): (usize, usize),
    limited: bool,
) -> Result<(), Box<dyn Error>> {
    let of_norms = case == "norms";
    let plain = of_norms.then_some(Addition::BurnsBatchNorm);
    for (module, addition, limit) in additions(options) {
        if of_norms && !addition.is_batch_norm() {
            continue;
        }
        let limit = if of_norms {
            Some(LIMIT_OF_NORMS)
        } else {
            limit
        };
        let mut with = Training::new(Some(addition), width, batch, device)?;
        let mut plain = Training::new(plain, width, batch, device)?;
        let (ms, plain_ms) = in_turn(options.rounds, || with.step(), || plain.step());
        let ratio = ms / plain_ms;
        let limit = limit.filter(|_| limited);
        let row = Row {
            case,
            module,
            ms,
            plain_ms,
            ratio,
            ns_per_number: None,
            peak_mb: peak_of(options.device, || with.step()),
            plain_peak_mb: peak_of(options.device, || plain.step()),
            limit,
            within_limit: limit.map(|limit| ratio <= limit),
        };
        row.print(options.json);
    }
    Ok(())
}

fn sizes(options: &Options, device: &Device) -> Result<(), Box<dyn Error>> {
    let largest = if options.quick { 100_000 } else { 10_000_000 };
    for (module, addition, _) in additions(options) {
        let sizes = [10_000, 100_000, 1_000_000, 10_000_000];
        for numbers in sizes.into_iter().filter(|size| *size <= largest) {
            let rows = numbers / 1000;
            let with = Alone::new(Some(addition), rows, device)?;
            let plain = Alone::new(None, rows, device)?;
            let rounds = (options.rounds / 4).max(3);
            let (ms, plain_ms) = in_turn(rounds, || with.pass(), || plain.pass());
            let row = Row {
                case: &format!("size {numbers}"),
                module,
                ms,
                plain_ms,
                ratio: ms / plain_ms,
                ns_per_number: Some((ms - plain_ms) * 1e6 / (rows * 992) as f64),
                peak_mb: peak_of(options.device, || with.pass()),
                plain_peak_mb: peak_of(options.device, || plain.pass()),
                limit: None,
                within_limit: None,
            };
            row.print(options.json);
        }
    }
    Ok(())
}

/// The additions that are asked for.
fn additions(options: &Options) -> impl Iterator<Item = (&'static str, Addition, Option<f64>)> {
    let wanted = |name: &str| {
        options
            .of
            .as_ref()
            .is_none_or(|of| name.contains(of.as_str()))
    };
    ADDITIONS.into_iter().filter(move |(name, ..)| wanted(name))
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if additions(&options).next().is_none() {
        let names: Vec<_> = ADDITIONS.iter().map(|(name, ..)| *name).collect();
        let of = options.of.unwrap_or_default();
        return Err(format!("no module `{of}`; there are: {}", names.join("; ")).into());
    }
    let device = options.device.device()?;
    let wants =
        |case: &str| options.only.is_empty() || options.only.iter().any(|only| only == case);
    if !options.json {
        println!(
            "{:<14} {:<24} {:>9} {:>9} {:>6} {:>8} {:>8} {:>8} {:>10}",
            "case", "module", "ms", "plain/ms", "ratio", "ns/num", "peak/MB", "plain/MB", "limit"
        );
    }
    let width = if options.quick { 64 } else { 512 };
    // The limits are those of the kernels of `flex`.
    let limited = !options.quick && options.device == Backend::Flex;
    if wants("mlp") {
        networks(&options, &device, "mlp", (width, 64), limited)?;
    }
    if wants("norms") {
        networks(&options, &device, "norms", (width, 64), limited)?;
    }
    if wants("small") {
        networks(&options, &device, "small", (64, 32), false)?;
    }
    if wants("size") {
        sizes(&options, &device)?;
    }
    Ok(())
}
