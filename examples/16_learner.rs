//! Burn's `Learner` with every trick on, one line each: it can be killed at any time and is resumed when it
//! is started again.
//!
//!     cargo run --release --features dashboard --example 16_learner
//!
//! shows Burn's dashboard in a terminal; without the feature, or with `-- --plain`, it prints lines.
//! `-- --data DIR` reads MNIST's four files, `-- --fresh` begins anew.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::train::metric::{AccuracyMetric, LearningRateMetric};
use burn::train::{ClassificationOutput, InferenceStep, Learner, TrainOutput, TrainStep};
use burn_tricks::prelude::*;
use burn_tricks::schedule::Patience;
use burn_tricks::stop::{Any, TimeLimitConfig};
use burn_tricks::train::{
    EpochClock, EpochLoaderConfig, GradNorm, SampleLossMetric, SharedPlateau, UpdateRatio,
};
use burn_tricks_examples::data::{Samples, Source};
use burn_tricks_examples::idx;
use burn_tricks_examples::mlp::{HiddenNorm, Mlp, MlpConfig};
use burn_tricks_examples::plain_renderer::PlainRenderer;
use burn_tricks_examples::score::Score;
use clap::Parser;
use std::path::PathBuf;

/// A network on handwritten digits, in Burn's Learner, with every trick on.
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
    /// Delete the directory if it is there, and begin anew.
    #[arg(long)]
    fresh: bool,
    /// A part of the configuration that may differ from the checkpoint's, by the name in the error:
    /// `learning rates` for more epochs, say.
    #[arg(long, value_name = "NAME")]
    accept: Vec<String>,
    /// Lines instead of the dashboard.
    #[arg(long)]
    plain: bool,
}

/// The network of the examples, as the Learner wants it: nothing in it knows of a trick.
#[derive(Module, Debug)]
struct Classifier {
    mlp: Mlp,
}

impl TrainStep for Classifier {
    type Input = (Tensor<2>, Tensor<1, Int>);
    type Output = ClassificationOutput;

    fn step(&self, batch: Self::Input) -> TrainOutput<ClassificationOutput> {
        let output = InferenceStep::step(self, batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Classifier {
    type Input = (Tensor<2>, Tensor<1, Int>);
    type Output = ClassificationOutput;

    fn step(&self, (images, labels): Self::Input) -> ClassificationOutput {
        let logits = self.mlp.predict(images);
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = loss.forward(logits.clone(), labels.clone());
        ClassificationOutput::new(loss, logits, labels)
    }
}

/// Batches of the samples whose numbers it is given.
struct Digits(Samples);

impl Batcher<usize, (Tensor<2>, Tensor<1, Int>)> for Digits {
    fn batch(&self, indices: Vec<usize>, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        self.0.batch(&indices, device)
    }
}

/// A number that is another one if any weight is: FNV-1a.
struct Checksum(u32);

impl ModuleVisitor for Checksum {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        for byte in param.val().into_data().as_bytes() {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(16_777_619);
        }
    }
}

fn checksum<M: Module>(model: &M) -> u32 {
    let mut sum = Checksum(2_166_136_261);
    model.visit(&mut sum);
    sum.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    if options.fresh && options.directory.exists() {
        std::fs::remove_dir_all(&options.directory)?;
    }
    let source =
        (options.data.as_deref()).map_or_else(|| Ok(Source::digits()), idx::read_folder)?;
    let split = source.split(1).scaled();
    let (device, samples) = (Device::flex().autodiff(), split.train.len());
    device.seed(1);
    let config = MlpConfig {
        norm: HiddenNorm::Batch,
        dropout: 0.2,
        ..MlpConfig::new(split.train.features)
    };
    let model = Classifier {
        mlp: config.init(&device),
    };
    force_init(&model);

    // The order of samples and what dropout draws depend on the seed and the epoch alone, by a clock that
    // the session moves on.
    let clock = EpochClock::new();
    let numbers = |samples: &Samples| InMemDataset::new((0..samples.len()).collect::<Vec<usize>>());
    let loader = EpochLoaderConfig::new(32, 42).with_workers(2);
    let train = loader.init(numbers(&split.train), Digits(split.train), &device, &clock)?;
    let loader = EpochLoaderConfig::new(256, 0)
        .with_shuffle(false)
        .with_reseed_device(false);
    let valid = loader.init(
        numbers(&split.valid),
        Digits(split.valid),
        &Device::flex(),
        &clock,
    )?;

    // One line per trick.
    let run = Run::of_batches(options.epochs, samples, 32, 2)?;
    let clip = ClipGradNormConfig::new(2.0).init()?;
    let ema = EmaConfig::from_half_life(50.0, 1)?.init(&model)?;
    let cosine = CosineConfig::new(3e-3, run.steps())
        .init()?
        .with_warmup(WarmupConfig::new(run.fraction(0.05)?))?;
    let plateau = PlateauConfig::new(Goal::Minimize).with_patience(Patience::Reached(3));
    let schedule = cosine.with_shared_plateau(&plateau)?;
    let patience = EarlyStoppingConfig::new(Goal::Minimize)
        .with_patience(6)
        .init()?;
    let stop = Any::init((patience, TimeLimitConfig::new(3600.0).init()?))?;
    let model = model.with_tricks((GradNorm::new(), clip, UpdateRatio::new(), ema));

    let (optimizer, accumulation) = (AdamConfig::new(), 2);
    let finished = Session::new(&options.directory, train, valid)
        .configure(|training| {
            training
                .num_epochs(options.epochs)
                .grads_accumulation(accumulation)
        })
        .configure(
            |training| match options.plain || cfg!(not(feature = "dashboard")) {
                true => training.renderer(Box::new(PlainRenderer::default())),
                false => training,
            },
        )
        .metrics((AccuracyMetric::new(), SampleLossMetric::new()))
        .metric_train_numeric(LearningRateMetric::new())
        .reduce_on_plateau(SampleLossMetric::new(), &schedule)
        .stop_early(SampleLossMetric::new(), stop)
        .resumable(2)?
        .declare("optimizer", &optimizer)? // what the session cannot see
        .declare("accumulation", &accumulation)?
        .accept_changes(options.accept)
        .launch(Learner::new(model, optimizer.init(), schedule))?; // a run that failed is an error

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
    let (images, _) = split.test.all(&Device::flex());
    let probabilities = burn::tensor::activation::softmax(best.mlp.predict(images), 1);
    let Score { accuracy, loss } = Score::of(probabilities, &split.test.labels);
    let (accuracy, best) = (100.0 * accuracy, checksum(&best));
    println!(
        "average weights of the best epoch {best:08x}: test accuracy {accuracy:.1} %, loss {loss:.3}"
    );
    Ok(())
}
