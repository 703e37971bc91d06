//! Training steps with a module of ours, and without it, timed in turn in one process.
//!
//!     cargo run --release --example bench_modules
//!
//! prints a table, `-- --json` one JSON object per line, `-- --help` the rest.

use burn::module::{Module, Param};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{
    self, BatchNorm, BatchNormConfig, DropoutConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig,
};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn_tricks::nn as ours;
use burn_tricks::optim::SgdConfig;
use burn_tricks_examples::bench::{in_turn, timed};
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
/// that a step takes at its peak.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Only these cases, separated by commas: mlp (784-512-512-10, batches of 64), small (784-64-64-10, batches of 32),
    /// size (one module, forward and backward, on 10 thousand to 10 million numbers).
    #[arg(long, value_name = "CASE", value_delimiter = ',', value_parser = ["mlp", "small", "size"])]
    only: Vec<String>,
    /// Only modules whose name contains this.
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// Rounds that count.
    #[arg(long, default_value_t = 60)]
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

/// What is added to the plain network.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Addition {
    WeightNorm,
    SpectralNorm,
    WeightStandardization,
    DropConnect,
    AlphaDropout,
    GaussianDropout,
    SpatialDropout,
    DropBlock,
    DropPath,
    Dropout,
    BurnsDropout,
    GhostBatchNorm,
    TorchBatchNorm,
    FrozenBatchNorm,
    BurnsBatchNorm,
    BurnsLayerNorm,
}

use Addition::*;

/// Name, addition, and what the time of a step of the large network should not exceed, relative to the plain one's.
const ADDITIONS: [(&str, Addition, Option<f64>); 16] = [
    ("weight norm", WeightNorm, Some(1.25)),
    ("spectral norm", SpectralNorm, Some(1.35)),
    ("weight standardisation", WeightStandardization, Some(1.25)),
    ("DropConnect", DropConnect, Some(1.4)),
    ("alpha dropout", AlphaDropout, Some(1.1)),
    ("Gaussian dropout", GaussianDropout, Some(1.1)),
    ("spatial dropout", SpatialDropout, Some(1.1)),
    ("DropBlock", DropBlock, Some(1.1)),
    ("drop-path", DropPath, Some(1.1)),
    ("dropout", Dropout, Some(1.1)),
    ("Burn's dropout", BurnsDropout, None),
    ("ghost batch norm", GhostBatchNorm, None),
    ("PyTorch's batch norm", TorchBatchNorm, None),
    ("frozen batch norm", FrozenBatchNorm, None),
    ("Burn's batch norm", BurnsBatchNorm, None),
    ("Burn's layer norm", BurnsLayerNorm, None),
];

/// The probability of every dropout.
const PROB: f64 = 0.2;
/// Samples in a part of ghost batch norm.
const GHOST: usize = 16;
/// Neighbouring features that spatial dropout drops together, and DropBlock in part.
const PLACES: usize = 16;

/// What stands between two linear layers.
#[derive(Module, Debug)]
enum Between {
    Nothing(Relu),
    AlphaDropout(ours::AlphaDropout),
    GaussianDropout(ours::GaussianDropout),
    SpatialDropout(ours::SpatialDropout),
    DropBlock(ours::DropBlock),
    DropPath(ours::DropPath),
    Dropout(ours::Dropout),
    BurnsDropout(nn::Dropout),
    GhostBatchNorm(ours::GhostBatchNorm),
    TorchBatchNorm(ours::TorchBatchNorm),
    FrozenBatchNorm(ours::FrozenBatchNorm),
    BurnsBatchNorm(BatchNorm),
    BurnsLayerNorm(LayerNorm),
}

/// Nothing but the activation, which every layer has.
#[derive(Module, Debug)]
struct Relu {}

impl Between {
    fn new(
        addition: Option<Addition>,
        width: usize,
        device: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let batch_norm = || BatchNormConfig::new(width).init(device);
        let Some(addition) = addition else {
            return Ok(Self::Nothing(Relu {}));
        };
        Ok(match addition {
            WeightNorm | SpectralNorm | WeightStandardization | DropConnect => {
                Self::Nothing(Relu {}) // these change the weights
            }
            AlphaDropout => Self::AlphaDropout(ours::AlphaDropoutConfig::new(PROB).init()?),
            GaussianDropout => {
                Self::GaussianDropout(ours::GaussianDropoutConfig::new(PROB).init()?)
            }
            SpatialDropout => Self::SpatialDropout(ours::SpatialDropoutConfig::new(PROB).init()?),
            DropBlock => {
                Self::DropBlock(ours::DropBlockConfig::new(PROB).with_block_size(2).init()?)
            }
            DropPath => Self::DropPath(ours::DropPathConfig::new(PROB).init()?),
            Dropout => Self::Dropout(ours::DropoutConfig::new(PROB).init()?),
            BurnsDropout => Self::BurnsDropout(DropoutConfig::new(PROB).init()),
            GhostBatchNorm => {
                Self::GhostBatchNorm(ours::GhostBatchNormConfig::new(width, GHOST).init(device)?)
            }
            TorchBatchNorm => {
                Self::TorchBatchNorm(ours::TorchBatchNormConfig::new(width).init(device)?)
            }
            FrozenBatchNorm => Self::FrozenBatchNorm(ours::FrozenBatchNorm::from(&batch_norm())),
            BurnsBatchNorm => Self::BurnsBatchNorm(batch_norm()),
            BurnsLayerNorm => Self::BurnsLayerNorm(LayerNormConfig::new(width).init(device)),
        })
    }

    /// Of features before the activation.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::GhostBatchNorm(_)
            | Self::TorchBatchNorm(_)
            | Self::FrozenBatchNorm(_)
            | Self::BurnsBatchNorm(_)
            | Self::BurnsLayerNorm(_) => relu(self.alone(x)),
            _ => self.alone(relu(x)),
        }
    }

    /// The module alone, without an activation.
    fn alone(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Nothing(_) => x,
            Self::AlphaDropout(dropout) => dropout.forward(x),
            Self::GaussianDropout(dropout) => dropout.forward(x),
            Self::SpatialDropout(dropout) => {
                let [samples, width] = x.dims();
                let maps = x.reshape([samples, width / PLACES, PLACES]);
                dropout.forward(maps).reshape([samples, width])
            }
            Self::DropBlock(dropout) => {
                let [samples, width] = x.dims();
                let maps = x.reshape([samples, width / PLACES, 4, PLACES / 4]);
                dropout.forward(maps).reshape([samples, width])
            }
            Self::DropPath(path) => path.forward(x),
            Self::Dropout(dropout) => dropout.forward(x),
            Self::BurnsDropout(dropout) => dropout.forward(x),
            Self::GhostBatchNorm(norm) => norm.forward(x),
            Self::TorchBatchNorm(norm) => norm.forward(x),
            Self::FrozenBatchNorm(norm) => norm.forward(x),
            Self::BurnsBatchNorm(norm) => norm.forward(x),
            Self::BurnsLayerNorm(norm) => norm.forward(x),
        }
    }
}

/// `model`, whose weights are used as the addition says.
fn attached<M: Module>(addition: Option<Addition>, model: M) -> Result<M, Box<dyn Error>> {
    Ok(match addition {
        Some(WeightNorm) => ours::WeightNormConfig::new().attach(model)?,
        Some(SpectralNorm) => ours::SpectralNormConfig::new().attach(model)?,
        Some(WeightStandardization) => ours::WeightStandardizationConfig::new().attach(model)?,
        Some(DropConnect) => ours::DropConnectConfig::new(PROB).attach(model)?,
        _ => model,
    })
}

/// A multi-layer perceptron.
#[derive(Module, Debug)]
struct Net {
    hidden: Vec<Linear>,
    between: Vec<Between>,
    output: Linear,
}

impl Net {
    fn forward(&self, mut x: Tensor<2>) -> Tensor<2> {
        for (linear, between) in self.hidden.iter().zip(&self.between) {
            x = between.forward(linear.forward(x));
        }
        self.output.forward(x)
    }
}

/// A network in training.
struct Training {
    device: Device,
    net: Option<Net>,
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
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&training);
        let between = || Between::new(addition, width, &training);
        let net = Net {
            hidden: vec![linear(784, width), linear(width, width)],
            between: vec![between()?, between()?],
            output: linear(width, 10),
        };
        Ok(Self {
            device: device.clone(),
            net: Some(attached(addition, net)?),
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

/// One module, on its own: forward and backward on `rows` × 1,000 numbers.
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
    /// Median milliseconds without it.
    plain_ms: f64,
    /// `ms / plain_ms`.
    ratio: f64,
    /// Nanoseconds per number that the module adds; none for whole networks.
    ns_per_number: Option<f64>,
    /// Megabytes (10⁶ bytes) that a step allocates at its peak.
    peak_mb: f64,
    /// The same without the module.
    plain_peak_mb: f64,
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
            "{:<14} {:<24} {:>9.3} {:>9.3} {:>6.2} {:>8} {:>8.2} {:>8.2} {:>10}",
            self.case,
            self.module,
            self.ms,
            self.plain_ms,
            self.ratio,
            number(self.ns_per_number, 2),
            self.peak_mb,
            self.plain_peak_mb,
            limit,
        );
    }
}

/// What `step` allocates at its peak, in megabytes.
fn peak_of(mut step: impl FnMut() -> Duration) -> f64 {
    MEMORY.reset_peak_memory();
    step();
    MEMORY.get_peak_memory() as f64 / 1e6
}

fn networks(
    options: &Options,
    device: &Device,
    case: &str,
    (width, batch): (usize, usize),
    limited: bool,
) -> Result<(), Box<dyn Error>> {
    for (module, addition, limit) in additions(options) {
        let mut with = Training::new(Some(addition), width, batch, device)?;
        let mut plain = Training::new(None, width, batch, device)?;
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
            peak_mb: peak_of(|| with.step()),
            plain_peak_mb: peak_of(|| plain.step()),
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
                peak_mb: peak_of(|| with.pass()),
                plain_peak_mb: peak_of(|| plain.pass()),
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
    if wants("mlp") {
        let width = if options.quick { 64 } else { 512 };
        networks(&options, &device, "mlp", (width, 64), !options.quick)?;
    }
    if wants("small") {
        networks(&options, &device, "small", (64, 32), false)?;
    }
    if wants("size") {
        sizes(&options, &device)?;
    }
    Ok(())
}
