//! Sharpness-aware minimisation: few samples, and weights around which the loss stays low.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::ConfigError;
use burn_tricks::average::Predict;
use burn_tricks::grad::SamConfig;
use burn_tricks::prelude::*;
use burn_tricks_examples::{
    data::{Samples, Source},
    mlp::{Mlp, MlpConfig},
    score::Score,
};

const SAMPLES: usize = 200;
const EPOCHS: usize = 100;

/// Trains on the samples of these numbers.
fn train(
    sam: &SamConfig,
    samples: &Samples,
    chosen: &[usize],
    device: &Device,
) -> Result<Mlp, ConfigError> {
    device.seed(1);
    let mut model = MlpConfig::new(samples.features).init(device);
    force_init(&model);
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(device);
    let sam = sam.init()?;
    for _ in 0..EPOCHS {
        for batch in chosen.chunks(20) {
            let (images, labels) = samples.batch(batch, device);
            let (grads, _) = sam.gradients(&model, |model| {
                loss.forward(model.predict(images.clone()), labels.clone())
            });
            model = optim.step(0.1, model, grads);
        }
    }
    Ok(model)
}

/// The loss on these samples, at the weights and at a distance of 1 uphill from them.
fn losses(
    model: &Mlp,
    samples: &Samples,
    chosen: &[usize],
    device: &Device,
) -> Result<[f32; 2], ConfigError> {
    let (images, labels) = samples.batch(chosen, device);
    let loss = |model: &Mlp| {
        let loss = CrossEntropyLossConfig::new().init(device);
        loss.forward(model.predict(images.clone()), labels.clone())
    };
    let here = loss(model);
    let grads = GradientsParams::from_grads(here.clone().backward(), model);
    let uphill = SamConfig::new(1.0).init()?.perturbed(model, grads);
    Ok([here, loss(&uphill)].map(Tensor::into_scalar))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    let chosen = split.train.batches(SAMPLES, 1, 0).remove(0);
    println!("{SAMPLES} digits, {EPOCHS} epochs of SGD");
    for (what, sam) in [
        ("a plain backward pass", SamConfig::new(0.0)),
        ("SAM, ρ = 0.2", SamConfig::new(0.2)),
        ("ASAM, ρ = 1", SamConfig::asam().with_rho(1.0)),
    ] {
        let model = train(&sam, &split.train, &chosen, &device)?;
        let [here, uphill] = losses(&model, &split.train, &chosen, &device)?;
        let (images, _) = split.test.all(&Device::flex());
        let score = Score::of(
            softmax(model.valid().predict(images), 1),
            &split.test.labels,
        );
        println!(
            "{what:21} training loss {here:.3}, {uphill:.3} at distance 1 uphill; test accuracy {:.1} %, loss {:.3}",
            100.0 * score.accuracy,
            score.loss,
        );
    }
    Ok(())
}
