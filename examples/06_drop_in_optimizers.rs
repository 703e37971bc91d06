//! Drop-in optimizers: the same training with Burn's AdamW and with ours, and the time it took.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn_tricks::ConfigError;
use burn_tricks::optim::WeightDecayScope;
use burn_tricks::prelude::*;
use burn_tricks_examples::{data::Source, mlp::MlpConfig, score::Score};
use std::time::{Duration, Instant};

fn train(name: &str, mut optim: ModuleOptimizer) {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let config = MlpConfig {
        hidden: vec![512, 512],
        ..MlpConfig::new(split.train.features)
    };
    let mut model = config.init(&device);
    force_init(&model);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let (mut in_steps, start) = (Duration::ZERO, Instant::now());

    for epoch in 1..=3 {
        for batch in split.train.batches(32, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            let step = Instant::now();
            model = optim.step(1e-3, model, grads);
            in_steps += step.elapsed();
        }
    }
    let all = start.elapsed();
    let (images, _) = split.test.all(&Device::flex());
    let probabilities = burn::tensor::activation::softmax(model.valid().predict(images), 1);
    let score = Score::of(probabilities, &split.test.labels);
    println!(
        "{name:<22} test accuracy {:5.1} %, loss {:.4}; {:4.0} ms of {:4.0} ms in the optimizer",
        100.0 * score.accuracy,
        score.loss,
        1e3 * in_steps.as_secs_f64(),
        1e3 * all.as_secs_f64(),
    );
}

fn main() -> Result<(), ConfigError> {
    println!("digits, 3 epochs of AdamW, an MLP of 300,000 weights");
    train("Burn's", AdamWConfig::new().init());
    // The only change: whose configuration it is, and a `?`.
    train("ours", burn_tricks::optim::AdamWConfig::new().init()?);
    let spared = burn_tricks::optim::AdamWConfig::new()
        .with_weight_decay(0.1)
        .with_weight_decay_scope(WeightDecayScope::Matrices);
    train("ours, biases spared", spared.init()?);
    Ok(())
}
