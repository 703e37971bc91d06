//! A hand-written loop that can be killed at any time and resumes when it is started again.
//!
//!     cargo run --release --example 17_resume_a_loop
//!
//! Ctrl-C kills it. What it prints at its end is the same however often it was killed, bit for bit.
//! `-- --fresh` begins anew.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn_tricks::prelude::*;
use burn_tricks::stop::{BestWeights, StopReason};
use burn_tricks_examples::{
    checksum::checksum,
    data::{Samples, Source},
    mlp::{HiddenNorm, Mlp, MlpConfig},
    score::Score,
};
use clap::Parser;
use std::path::PathBuf;

const SEED: u64 = 42;
const BATCH: usize = 32;

/// A network on handwritten digits, in a loop that can be killed.
#[derive(Debug, Parser)]
struct Options {
    /// Epochs at most.
    #[arg(long, default_value_t = 60)]
    epochs: usize,
    /// Where the checkpoints are.
    #[arg(long, value_name = "DIR", default_value = "target/loop")]
    directory: PathBuf,
    /// Delete the checkpoints that are there, and begin anew.
    #[arg(long)]
    fresh: bool,
}

fn score(model: &Mlp, samples: &Samples) -> Score {
    let (images, _) = samples.all(&Device::flex());
    let probabilities = burn::tensor::activation::softmax(model.predict(images), 1);
    Score::of(probabilities, &samples.labels)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let folder = options.directory.join("checkpoint");
    if options.fresh && folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let split = Source::digits().split(1).scaled();
    let run = Run::of_batches(options.epochs, split.train.len(), BATCH, 1)?;
    let device = Device::flex().autodiff();
    device.seed(SEED);
    let config = MlpConfig {
        norm: HiddenNorm::Batch,
        dropout: 0.2,
        ..MlpConfig::new(split.train.features)
    };
    let mut model = config.init(&device);
    force_init(&model);
    let loss = CrossEntropyLossConfig::new().init(&device);

    // All that a step depends on, besides the number of its epoch.
    let adam = AdamConfig::new();
    let mut optim = adam.init();
    let warmup = run.fraction(0.05)?;
    let mut schedule = CosineConfig::new(3e-3, run.steps() - warmup)
        .init()?
        .with_warmup(warmup)?;
    let mut ema = EmaConfig::from_half_life(50.0, 1)?.init(&model)?;
    let mut stop = EarlyStoppingConfig::new(Goal::Minimize)
        .with_patience(6)
        .init()?;
    let mut best = BestWeights::new();
    let mut losses: Vec<f64> = Vec::new();
    let mut stopped: Option<StopReason> = None;
    let mut first = 1;

    let mut checkpoints = Checkpoints::open(&folder, 2)?;
    if let Some(saved) = checkpoints.newest()? {
        saved.unchanged("configuration", &(&adam, options.epochs, BATCH))?;
        model = saved.module("model", model)?;
        optim = saved.optimizer("optimizer", optim, &model)?;
        schedule = saved.schedule("schedule", schedule)?;
        ema = ema.load_record(saved.record("ema")?)?;
        stop = stop.with_state(saved.state("stop")?);
        stopped = saved.state("stopped")?;
        if let Some(check) = saved.state("best check")? {
            best = best.with_kept(&saved.module("best", model.clone().valid())?, check, ());
        }
        losses = saved.state("losses")?;
        first = saved.step() + 1;
        for (epoch, problem) in saved.damaged() {
            println!("the checkpoint of epoch {epoch} was passed over: {problem}");
        }
        println!("resumed after epoch {}", saved.step());
    }
    for epoch in first..=options.epochs {
        if stopped.is_some() {
            break; // perhaps before it was killed
        }
        // What dropout draws, and the order of the samples, depend on the seed and the epoch alone.
        device.seed((SEED << 32) + epoch as u64);
        for batch in split.train.batches(BATCH, SEED, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(schedule.step(), model, grads);
            ema.update(&model);
        }
        let validation = score(&ema.model(), &split.valid).loss;
        losses.push(validation);
        let decision = stop.observe(validation);
        best.keep(&decision, || ema.model());
        stopped = decision.stop;

        let mut step = checkpoints
            .step(epoch)
            .state("configuration", &(&adam, options.epochs, BATCH))
            .module("model", &model)
            .optimizer("optimizer", &optim)
            .schedule("schedule", &schedule)
            .record("ema", ema.to_record())
            .state("stop", &stop.state())
            .state("stopped", &stopped)
            .state("best check", &best.check())
            .state("losses", &losses);
        if let Some(best) = best.model() {
            step = step.module("best", &best);
        }
        step.save()?;
    }

    match stopped {
        Some(reason) => println!("stopped after epoch {}: {reason}", losses.len()),
        None => println!("ran to its last epoch, {}", losses.len()),
    }
    println!("weights {:08x}", checksum(&model));
    let best_model = best.model().ok_or("no validation was finite")?;
    let Score { loss, accuracy } = score(&best_model, &split.test);
    println!(
        "average weights of epoch {}, the best, {:08x}: test accuracy {:.1} %, loss {loss:.3}",
        best.check().unwrap_or(0),
        checksum(&best_model),
        100.0 * accuracy
    );
    Ok(())
}
