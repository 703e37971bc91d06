//! How a moving average of the weights should begin: every warm-up, after few and after many epochs.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::ConfigError;
use burn_tricks::average::{EmaSet, EmaWarmup};
use burn_tricks::prelude::*;
use burn_tricks_examples::data::{Samples, Source, Split};
use burn_tricks_examples::mlp::{Mlp, MlpConfig};
use burn_tricks_examples::score::Score;
use clap::Parser;

const BATCH: usize = 32;
/// When the averages are looked at.
const EPOCHS: [usize; 6] = [1, 2, 5, 20, 50, 100];

/// Compares the warm-ups of a moving average of the weights.
#[derive(Debug, Parser)]
struct Options {
    /// Trainings over which the means are.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The learning rate of plain SGD, constant.
    #[arg(long, default_value_t = 0.5)]
    learning_rate: f64,
    /// The decay of the averages.
    #[arg(long, default_value_t = 0.999)]
    decay: f64,
}

/// The averages by name; behind the warm-ups those of [`EmaConfig::for_run`], one for each of [`EPOCHS`].
fn averages(decay: f64, steps_per_epoch: usize) -> Result<Vec<(String, EmaConfig)>, ConfigError> {
    let timm = |power| EmaWarmup::Timm { gamma: 1.0, power };
    let warmups = [
        ("None", EmaWarmup::None),
        ("FirstUpdateCopies", EmaWarmup::FirstUpdateCopies),
        ("BiasCorrected", EmaWarmup::BiasCorrected),
        ("Timm, p = 3/4", timm(0.75)),
        ("Timm, p = 2/3", timm(2.0 / 3.0)),
        ("TensorFlow", EmaWarmup::TensorFlow),
    ];
    let mut all: Vec<_> = warmups
        .map(|(name, warmup)| (name.to_owned(), EmaConfig::new(decay).with_warmup(warmup)))
        .into();
    for epochs in EPOCHS {
        let run = Run::init(epochs, steps_per_epoch)?;
        all.push((format!("for_run({epochs})"), EmaConfig::for_run(&run)));
    }
    Ok(all)
}

/// The scores of the weights and of each average, at each of [`EPOCHS`].
fn train(
    seed: u64,
    learning_rate: f64,
    averages: &[(String, EmaConfig)],
    split: &Split,
) -> Result<Vec<Vec<Score>>, ConfigError> {
    let device = Device::flex().autodiff();
    device.seed(seed);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let configs: Vec<_> = averages.iter().map(|(_, config)| config.clone()).collect();
    let mut emas = EmaSet::init(&configs, &model)?;

    let mut scores = Vec::new();
    for epoch in 1..=EPOCHS[EPOCHS.len() - 1] {
        for batch in split.train.batches(BATCH, seed, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(learning_rate, model, grads);
            emas.update(&model);
        }
        if EPOCHS.contains(&epoch) {
            let mut now = vec![score(&model.valid(), &split.valid)];
            now.extend(emas.iter().map(|ema| score(&ema.model(), &split.valid)));
            scores.push(now);
        }
    }
    Ok(scores)
}

fn score(model: &Mlp, samples: &Samples) -> Score {
    let (images, _) = samples.all(&Device::flex());
    Score::of(softmax(model.predict(images), 1), &samples.labels)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let split = Source::digits().split(1).scaled();
    let averages = averages(options.decay, split.train.len().div_ceil(BATCH))?;
    let runs: Vec<_> = (1..=options.seeds)
        .map(|seed| train(seed, options.learning_rate, &averages, &split))
        .collect::<Result<_, _>>()?;

    println!("accuracy, %, and loss on the validation set after epoch");
    print!("{:24}", "");
    EPOCHS.iter().for_each(|epoch| print!("{epoch:>14}"));
    println!();
    let names = averages.iter().map(|(name, _)| name.as_str());
    for (row, name) in std::iter::once("the weights themselves")
        .chain(names)
        .enumerate()
    {
        print!("{name:24}");
        for at in 0..EPOCHS.len() {
            let mean = |value: fn(&Score) -> f64| {
                runs.iter().map(|run| value(&run[at][row])).sum::<f64>() / runs.len() as f64
            };
            let accuracy = 100.0 * mean(|score| score.accuracy);
            print!("{accuracy:8.1} {:5.3}", mean(|score| score.loss));
        }
        println!();
    }
    Ok(())
}
