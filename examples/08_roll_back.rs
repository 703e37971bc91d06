//! Roll-back: a learning rate that is too large, with and without going back to the best weights.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::prelude::*;
use burn_tricks::prelude::*;
use burn_tricks::stop::{BestWeights, RollBackConfig};
use burn_tricks_examples::{
    data::{Samples, Source, Split},
    mlp::{Mlp, MlpConfig},
    score::Score,
};

const EPOCHS: usize = 30;
const LEARNING_RATE: f64 = 1.0;

fn score(model: &Mlp, samples: &Samples) -> Score {
    let (images, _) = samples.all(&Device::flex());
    let probabilities = burn::tensor::activation::softmax(model.predict(images), 1);
    Score::of(probabilities, &samples.labels)
}

fn optimizer() -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(MomentumConfig::new().with_momentum(0.9)))
        .init()
}

/// Trains, going back `times` times at most; the score of the best weights on the test samples.
fn train(split: &Split, times: usize) -> Result<Score, Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let mut optim = optimizer();
    let mut rate = LEARNING_RATE;
    let loss = CrossEntropyLossConfig::new().init(&device);
    // Guessing among ten classes has the loss ln 10 = 2.303: what is worse has unlearned.
    let mut stop = EarlyStoppingConfig::new(Goal::Minimize)
        .with_patience(5)
        .with_divergence_limit(Some(2.32))
        .init()?;
    let mut best = BestWeights::new();
    let mut back = RollBackConfig::new(times).init()?;

    // The untrained model is the first to go back to.
    let decision = stop.observe(score(&model.valid(), &split.valid).loss);
    best.keep_with(&decision, || (model.clone(), optim.clone()));
    for epoch in 1..=EPOCHS {
        for batch in split.train.batches(32, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(rate, model, grads);
        }
        let validation = score(&model.valid(), &split.valid).loss;
        let decision = stop.observe(validation);
        best.keep_with(&decision, || (model.clone(), optim.clone()));
        let restart = back.after_check(&decision, &best, &model, &mut stop, |scale| {
            rate = LEARNING_RATE * scale;
        });
        if let Some(restart) = restart {
            println!(
                "epoch {epoch}: validation loss {validation:.3}, {}; back to check {}, rate {rate}",
                restart.reason, restart.check
            );
            (model, optim) = (restart.model, restart.extra);
        } else if let Some(reason) = decision.stop {
            println!("epoch {epoch}: validation loss {validation:.3}, {reason}");
            break;
        }
    }
    let model = best.model().ok_or("no check was finite")?;
    Ok(score(&model, &split.test))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let split = Source::digits().split(1).scaled();
    for (what, times) in [("without roll-back", 0), ("with roll-back", 3)] {
        let Score { loss, accuracy } = train(&split, times)?;
        println!(
            "{what}: test loss {loss:.3}, accuracy {:.1} %\n",
            100.0 * accuracy
        );
    }
    Ok(())
}
