//! Burn's `Learner` with clipping, an average, a warm-up, a plateau, early stopping and accumulated gradients, a line or two
//! each: it can be killed at any time and is resumed when it is started again.
//!
//!     cargo run --release --features dashboard --example 16_learner
//!
//! shows Burn's dashboard in a terminal; without the feature it prints lines. `-- --help` says what else.

use burn::data::dataset::InMemDataset;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::train::Learner;
use burn::train::metric::{AccuracyMetric, LearningRateMetric};
use burn_tricks::{prelude::*, schedule::Patience, stop::*, train::*};
use burn_tricks_examples::classifier::{Classifier, Digits};
use burn_tricks_examples::data::{Samples, Source};
use burn_tricks_examples::mlp::{HiddenNorm, MlpConfig};
use burn_tricks_examples::plain_renderer::PlainRenderer;
use burn_tricks_examples::{checksum::checksum, idx, score::Score};
use clap::Parser;
use std::path::PathBuf;

/// A network on handwritten digits, in Burn's Learner, with tricks.
#[derive(Debug, Parser)]
struct Options {
    /// Epochs at most.
    #[arg(long, default_value_t = 60)]
    epochs: usize,
    /// A folder with MNIST's four IDX files, gzipped or not, instead of the digits.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where checkpoints and metrics are written, and resumed from.
    #[arg(long, value_name = "DIR", default_value = "target/learner")]
    directory: PathBuf,
    /// Delete the checkpoints and metrics that are there, and begin anew.
    #[arg(long)]
    fresh: bool,
    /// A change of the configuration to accept, by its name in the error: `learning rates`, say.
    #[arg(long, value_name = "NAME")]
    accept: Vec<String>,
    /// Lines instead of the dashboard.
    #[arg(long)]
    plain: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    for folder in ["checkpoint", "train", "valid"].map(|name| options.directory.join(name)) {
        if options.fresh && folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
    }
    let source = options.data.as_deref();
    let source = source.map_or_else(|| Ok(Source::digits()), idx::read_folder)?;
    let split = source.split(1).scaled();
    let run = Run::of_batches(options.epochs, split.train.len(), 32, 2)?;
    let (device, host) = (Device::flex().autodiff(), Device::flex());
    device.seed(1);
    let mut config = MlpConfig::new(split.train.features);
    (config.norm, config.dropout) = (HiddenNorm::Batch, 0.2);
    let mlp = config.init(&device);
    let model = Classifier { mlp };
    force_init(&model);

    // What is drawn depends on seed and epoch alone, by a clock that the session moves on.
    let clock = EpochClock::new();
    let loader = |config: EpochLoaderConfig, samples: Samples, device: &Device| {
        let numbers = InMemDataset::new((0..samples.len()).collect());
        config.init(numbers, Digits(samples), device, &clock)
    };
    let config = EpochLoaderConfig::new(32, 42).with_workers(2);
    let train = loader(config, split.train, &device)?;
    let valid = loader(EpochLoaderConfig::in_order(256), split.valid, &host)?;

    // A line or two per trick. Burn sums the gradients of two batches, so this threshold is 1 for their mean, which the trick
    // `MeanOfAccumulated` would give.
    let clip = ClipGradNormConfig::new(2.0).init()?;
    let ema = EmaConfig::from_half_life(50.0, 1)?.init(&model)?;
    let warmup = run.fraction(0.05)?;
    let cosine = CosineConfig::new(3e-3, run.steps() - warmup).init()?;
    let warmed_up = cosine.with_warmup(warmup)?;
    let plateau = PlateauConfig::new(Goal::Minimize).with_patience(Patience::Reached(3));
    let schedule = warmed_up.with_shared_plateau(&plateau)?;
    let patience = EarlyStoppingConfig::new(Goal::Minimize).with_patience(6);
    let stop = Any::init((patience.init()?, TimeLimitConfig::new(3600.0).init()?))?;
    let model = model.with_tricks((GradNorm::new(), clip, UpdateRatio::new(), ema));

    let (optimizer, accumulation) = (AdamConfig::new(), 2);
    let plain = options.plain || cfg!(not(feature = "dashboard"));
    let finished = Session::new(&options.directory, train, valid)
        .num_epochs(options.epochs)
        .configure(|training| training.grads_accumulation(accumulation))
        .configure(|training| {
            if plain {
                training.renderer(Box::new(PlainRenderer::default()))
            } else {
                training
            }
        })
        .metrics((AccuracyMetric::new(), SampleLossMetric::new()))
        .metric_train_numeric(LearningRateMetric::new())
        .reduce_on_plateau(SampleLossMetric::new(), &schedule)
        .stop_early(SampleLossMetric::new(), stop)
        .resumable(2)?
        .declare("optimizer", &optimizer)? // what the session cannot see
        .declare("accumulation", &accumulation)?
        .accept_changes(options.accept)
        .launch(Learner::new(model, optimizer.init(), schedule))?; // a run that failed is an error

    if let Some(epoch) = finished.resumed_after {
        println!("resumed after epoch {epoch}");
    }
    for (epoch, problem) in &finished.incomplete {
        println!("the checkpoint of epoch {epoch} was passed over: {problem}");
    }
    for change in &finished.accepted {
        println!("accepted a change: {change}");
    }
    println!("{finished}");
    println!("the plateau's factor is {}", finished.plateaus[0].scale);
    println!("weights {:08x}", checksum(finished.model.model()));
    let best = finished.best_model()?;
    let (images, _) = split.test.all(&host);
    let probabilities = burn::tensor::activation::softmax(best.mlp.predict(images), 1);
    let score = Score::of(probabilities, &split.test.labels);
    let sum = checksum(&best);
    println!("average weights of the best epoch {sum:08x}: test {score}");
    Ok(())
}
