//! Learning-rate decay: a normalised gradient keeps stepping over the minimum, unless its steps shrink.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn_tricks::prelude::*;
use burn_tricks_examples::{data::Source, mlp::MlpConfig, score::Score};

/// The test score after each tenth epoch.
fn train(gamma: f64) -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let mut optim = SgdConfig::new().init();
    let normalize = NormalizeGradConfig::new().init()?;
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut schedule = ExponentialDecayConfig::new(0.2)
        .with_gamma(gamma)
        .with_steps_per_epoch(split.train.len().div_ceil(32))
        .init()?;

    println!("\nlearning rate × {gamma} per epoch");
    let mut learning_rate = 0.0;
    for epoch in 1..=40 {
        for batch in split.train.batches(32, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            let grads = grads.normalize(&model, &normalize);
            learning_rate = schedule.step();
            model = optim.step(learning_rate, model, grads);
        }
        if epoch % 10 == 0 {
            let (images, _) = split.test.all(&Device::flex());
            let probabilities = burn::tensor::activation::softmax(model.valid().predict(images), 1);
            let score = Score::of(probabilities, &split.test.labels);
            println!(
                "epoch {epoch:2}: learning rate {learning_rate:.4}, test accuracy {:.1} %, loss {:.3}",
                100.0 * score.accuracy,
                score.loss
            );
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("digits, normalised gradient over the whole model, first learning rate 0.2");
    for gamma in [1.0, 0.98, 0.9] {
        train(gamma)?;
    }
    Ok(())
}
