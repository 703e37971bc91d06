//! Schedule-free learning: no length of the run to be known, and two sets of weights, one of them for validation.

use burn::lr_scheduler::LrScheduler;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::average::Predict;
use burn_tricks::optim::{ScheduleFreeConfig, SgdConfig};
use burn_tricks::prelude::*;
use burn_tricks_examples::{
    data::{Samples, Source},
    mlp::{Mlp, MlpConfig},
    score::Score,
};
use std::error::Error;

const EPOCHS: usize = 40;
const BATCH: usize = 32;

/// The score at these epochs, of the model and, if learning is schedule-free, of the model to evaluate.
fn train(
    name: &str,
    mut optim: ModuleOptimizer,
    mut schedule: impl LrScheduler,
    schedule_free: bool,
) -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let loss = CrossEntropyLossConfig::new().init(&device);
    for epoch in 1..=EPOCHS {
        for batch in split.train.batches(BATCH, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(schedule.step(), model, grads);
        }
        if [5, 10, 20, 40].contains(&epoch) {
            let trained = score(&model.valid(), &split.test);
            print!("{name:<22} epoch {epoch:>2}: in training {trained}");
            if schedule_free {
                // Made of the weights in training and the optimizer's state.
                let average = ScheduleFreeConfig::evaluation_model(&model, optim.to_record())?;
                print!("; average {}", score(&average, &split.test));
            }
            println!();
        }
    }
    Ok(())
}

fn score(model: &Mlp, test: &Samples) -> Score {
    let (images, _) = test.all(&Device::flex());
    Score::of(softmax(model.predict(images), 1), &test.labels)
}

fn main() -> Result<(), Box<dyn Error>> {
    let samples = Source::digits().split(1).scaled().train.labels.len();
    let steps = EPOCHS * samples.div_ceil(BATCH);
    println!("digits, {EPOCHS} epochs of SGD");
    let momentum = SgdConfig::torch().with_momentum_factor(0.9);
    train("constant rate", momentum.init()?, 0.1, false)?;
    let cosine = CosineConfig::new(0.1, steps).init()?;
    train("falling to 0", momentum.init()?, cosine, false)?;
    // One rate, no end that has to be known, and at each time a model to validate.
    let optim = ScheduleFreeConfig::new().init(SgdConfig::torch().build()?)?;
    train("schedule-free", optim, 1.0, true)?;
    Ok(())
}
