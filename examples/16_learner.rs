//! Burn's `Learner` with every trick on, one line each: it can be killed at any time and is resumed when it
//! is started again.
//!
//!     cargo run --release --features dashboard --example 16_learner
//!
//! shows Burn's dashboard in a terminal; without the feature, or with `-- --plain`, it prints lines.
//! `-- --data DIR` reads MNIST's four files, `-- --fresh` begins anew.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, DatasetError};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::train::metric::{AccuracyMetric, LearningRateMetric};
use burn::train::{
    ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep,
};
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
    /// Delete the checkpoints and metrics that are there, and begin anew.
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

#[derive(Clone, Debug)]
struct Batch {
    images: Tensor<2>,
    labels: Tensor<1, Int>,
}

impl Classifier {
    fn classify(&self, batch: Batch) -> ClassificationOutput {
        let logits = self.mlp.predict(batch.images);
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = loss.forward(logits.clone(), batch.labels.clone());
        ClassificationOutput::new(loss, logits, batch.labels)
    }
}

impl TrainStep for Classifier {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Classifier {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.classify(batch)
    }
}

/// An image and its label.
struct Images(Samples);

impl Dataset<(Vec<f32>, u8)> for Images {
    fn get(&self, index: usize) -> Result<(Vec<f32>, u8), DatasetError> {
        let from = index * self.0.features;
        let pixels = self.0.pixels[from..from + self.0.features].to_vec();
        Ok((pixels, self.0.labels[index]))
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Clone)]
struct Batches;

impl Batcher<(Vec<f32>, u8), Batch> for Batches {
    fn batch(&self, items: Vec<(Vec<f32>, u8)>, device: &Device) -> Batch {
        let count = items.len();
        let (pixels, labels): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let labels: Vec<i32> = labels.into_iter().map(i32::from).collect();
        let images = Tensor::<1>::from_floats(pixels.concat().as_slice(), device);
        Batch {
            images: images.reshape([count as i32, -1]),
            labels: Tensor::from_ints(labels.as_slice(), device),
        }
    }
}

/// A number that is another one if any weight is.
fn checksum<M: Module>(model: &M) -> u32 {
    struct Sum(u32);

    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            for byte in param.val().into_data().as_bytes() {
                self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(16_777_619); // FNV-1a
            }
        }
    }

    let mut sum = Sum(2_166_136_261);
    model.visit(&mut sum);
    sum.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    if options.fresh {
        for folder in ["checkpoint", "train", "valid"] {
            match std::fs::remove_dir_all(options.directory.join(folder)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => (),
            }
        }
    }
    let source = match &options.data {
        Some(folder) => idx::read_folder(folder)?,
        None => Source::digits(),
    };
    let split = source.split(1).scaled();
    let device = Device::flex().autodiff();
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
    let loader = EpochLoaderConfig::new(32, 42).with_workers(2);
    let run = Run::of_batches(options.epochs, split.train.len(), 32, 2)?;
    let train = loader.init(Images(split.train), Batches, &device, &clock)?;
    let valid = EpochLoaderConfig::new(256, 0)
        .with_shuffle(false)
        .with_reseed_device(false)
        .init(Images(split.valid), Batches, &Device::flex(), &clock)?;

    // One line per trick.
    let (grad_norm, grad_norm_metric) = GradNorm::new();
    let (update_ratio, update_ratio_metric) = UpdateRatio::new();
    let clip = ClipGradNormConfig::new(2.0).init()?;
    let ema = EmaConfig::from_half_life(50.0, 1)?.init(&model)?;
    let schedule = CosineConfig::new(3e-3, run.steps())
        .init()?
        .with_warmup(WarmupConfig::new(run.fraction(0.05)?))?;
    let plateau = PlateauConfig::new(Goal::Minimize).with_patience(Patience::Reached(3));
    let plateau = SharedPlateau::new(schedule.reduced_on_plateau(&plateau)?);
    let patience = EarlyStoppingConfig::new(Goal::Minimize).with_patience(6);
    let stop = Any::init((patience.init()?, TimeLimitConfig::new(3600.0).init()?))?;
    let model = model.with_tricks((grad_norm, clip, update_ratio, ema));

    let optimizer = AdamConfig::new();
    let accumulation = 2;
    let mut training = SupervisedTraining::new(&options.directory, train.clone(), valid)
        .grads_accumulation(accumulation)
        .num_epochs(options.epochs);
    if options.plain || cfg!(not(feature = "dashboard")) {
        training = training.renderer(Box::new(PlainRenderer::default()));
    }
    let (session, _) = training
        .session_with(&train)
        .metrics((AccuracyMetric::new(), SampleLossMetric::new()))
        .metric_train_numeric(LearningRateMetric::new())
        .metric_train_numeric(grad_norm_metric)
        .metric_train_numeric(update_ratio_metric)
        .reduce_on_plateau(SampleLossMetric::new(), &plateau)
        .stop_early(SampleLossMetric::new(), stop);
    let session = session
        .resumable(&options.directory, 2)?
        .declare("optimizer", &optimizer)? // what the session cannot see
        .declare("accumulation", &accumulation)?
        .accept_changes(options.accept);
    let learner = Learner::new(model, optimizer.init(), plateau.clone());
    let finished = session.launch(learner)?; // a run that failed is an error

    for (epoch, problem) in &finished.incomplete {
        println!("the checkpoint of epoch {epoch} was passed over: {problem}");
    }
    for change in &finished.accepted {
        println!("accepted a change: {change}");
    }
    println!("{finished}");
    println!("the plateau's factor is {}", plateau.scale());
    println!("weights {:08x}", checksum(finished.model.model()));
    let best = finished.best_model()?;
    let (images, _) = split.test.all(&Device::flex());
    let probabilities = burn::tensor::activation::softmax(best.mlp.predict(images), 1);
    let score = Score::of(probabilities, &split.test.labels);
    println!(
        "average weights of the best epoch {:08x}: test accuracy {:.1} %, loss {:.3}",
        checksum(&best),
        100.0 * score.accuracy,
        score.loss
    );
    Ok(())
}
