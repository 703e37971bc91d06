//! Early stopping: few samples, many weights, and the best weights back.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn_tricks::prelude::*;
use burn_tricks::stop::BestWeights;
use burn_tricks_examples::{
    data::{Samples, Source},
    mlp::{Mlp, MlpConfig},
    score::Score,
};

const MAX_EPOCHS: usize = 150;

fn score(model: &Mlp, samples: &Samples) -> Score {
    let (images, _) = samples.all(&Device::flex());
    let probabilities = burn::tensor::activation::softmax(model.predict(images), 1);
    Score::of(probabilities, &samples.labels)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let mut optim = AdamConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut stop = EarlyStoppingConfig::new(Goal::Minimize)
        .with_patience(5)
        .init()?;
    let mut best = BestWeights::new();
    let mut stopped = None;

    for epoch in 1..=MAX_EPOCHS {
        // Ten batches only: 320 samples, of which the network learns every one by heart.
        for batch in split.train.batches(32, 1, 1).iter().take(10) {
            let (images, labels) = split.train.batch(batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(3e-3, model, grads);
        }
        if stopped.is_some() {
            continue; // A real program would break; this one shows what would have come.
        }
        let decision = stop.observe(score(&model.valid(), &split.valid).loss);
        best.keep(&decision, || model.clone());
        if let Some(reason) = decision.stop {
            println!("stopped after epoch {epoch}: {reason}");
            if let (Some(loss), Some(check)) = (decision.best, decision.best_check) {
                println!("best validation loss {loss:.3}, check {check}");
            }
            let last = score(&model.valid(), &split.test);
            println!(
                "test loss when it stopped    {:.3}, accuracy {:.1} %",
                last.loss,
                100.0 * last.accuracy
            );
            stopped = Some(epoch);
        }
    }
    let best = best.model().ok_or("no check was finite")?;
    for (what, model) in [("best weights", best), ("150 epochs", model.valid())] {
        let Score { loss, accuracy } = score(&model, &split.test);
        println!(
            "test loss of {what:16}{loss:.3}, accuracy {:.1} %",
            100.0 * accuracy
        );
    }
    Ok(())
}
