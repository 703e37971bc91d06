//! A stack around one optimizer: LAMB with a β₂ that warms up, slow weights, saved in mid-cycle and resumed.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::ConfigError;
use burn_tricks::average::Predict;
use burn_tricks::optim::{AdamWConfig, OptimizerExt, Scheduled, WeightDecayScope};
use burn_tricks::prelude::*;
use burn_tricks_examples::{
    data::{Samples, Source},
    mlp::{Mlp, MlpConfig},
    score::Score,
};
use std::error::Error;

/// From the inside out: AdamW, made anew for each step; each tensor's step in proportion to its norm; slow
/// weights every fifth step.
fn optimizer() -> Result<ModuleOptimizer, ConfigError> {
    let adam_w = Scheduled::build(|step| {
        let beta_2 = (1.0 - 1.0 / step as f64).clamp(0.5, 0.99);
        AdamWConfig::torch()
            .with_epsilon(1e-6)
            .with_beta_2(beta_2)
            .with_weight_decay(0.01)
            .with_weight_decay_scope(WeightDecayScope::Matrices)
            .build()
    })?;
    Ok(adam_w.trust_ratio().lookahead(5, 0.5)?.init())
}

/// The model after the batches of these epochs, and the optimizer.
fn train(
    mut model: Mlp,
    mut optim: ModuleOptimizer,
    batches: &[Vec<usize>],
    samples: &Samples,
) -> (Mlp, ModuleOptimizer) {
    let device = Device::flex().autodiff();
    let loss = CrossEntropyLossConfig::new().init(&device);
    for batch in batches {
        let (images, labels) = samples.batch(batch, &device);
        let loss = loss.forward(model.predict(images), labels);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optim.step(0.02, model, grads);
    }
    (model, optim)
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let start = MlpConfig::new(split.train.features).init(&device);
    force_init(&start);
    let batches: Vec<_> = (1..=20)
        .flat_map(|epoch| split.train.batches(128, 1, epoch))
        .collect();
    let score = |model: &Mlp| {
        let (images, _) = split.test.all(&Device::flex());
        Score::of(
            softmax(model.valid().predict(images), 1),
            &split.test.labels,
        )
    };

    let (whole, _) = train(start.clone(), optimizer()?, &batches, &split.train);
    println!("{} steps in one go: {}", batches.len(), score(&whole));

    // Saved after 33 steps, three steps after a synchronisation of the slow weights.
    let (model, optim) = train(start, optimizer()?, &batches[..33], &split.train);
    let bytes = optim.into_bytes()?;
    println!(
        "after 33: {}, {} kB of optimizer state",
        score(&model),
        bytes.len() / 1000
    );
    let resumed = optimizer()?.try_from_bytes(&model, bytes)?;
    let (model, _) = train(model, resumed, &batches[33..], &split.train);
    let numbers = |model: &Mlp| {
        let (images, _) = split.test.all(&Device::flex());
        model.valid().predict(images).into_data()
    };
    let same = numbers(&model) == numbers(&whole);
    println!("resumed: {}, the same to the bit: {same}", score(&model));
    if !same {
        return Err("a resumed run must be the run that was not interrupted".into());
    }
    Ok(())
}
