//! How sure is a prediction? A network that is too sure of itself, one number that calibrates it, and models drawn from
//! the distribution of its weights (SWAG), next to ensembles of five networks, without and with bagging.
//!
//!     cargo run --release --example 26_calibration

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::average::{ReliabilityDiagram, Swag, SwagConfig, Temperature};
use burn_tricks::nn::seeded;
use burn_tricks::prelude::*;
use burn_tricks_examples::{
    data::{Samples, Source},
    mlp::{Mlp, MlpConfig},
    score::Score,
};
use clap::Parser;
use std::error::Error;
use std::path::PathBuf;

/// How sure is a prediction? Temperature scaling, SWAG and bagging on handwritten digits.
#[derive(Parser)]
struct Args {
    /// The reliability diagram to write.
    #[arg(long, default_value = "target/reliability.svg")]
    out: PathBuf,
}

/// Few samples, so that the network learns them by heart.
const SAMPLES: usize = 200;
const EPOCHS: usize = 60;
const BATCH: usize = 20;
const STEPS: usize = EPOCHS * SAMPLES / BATCH;

/// Trains at a constant learning rate, which keeps the weights moving, on samples that `indices` chooses.
fn train(mut model: Mlp, samples: &Samples, indices: &[usize], seed: u64) -> (Mlp, Swag<Mlp>) {
    let device = Device::flex().autodiff();
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    // From three quarters of the run on, after each epoch.
    let swag = SwagConfig::new(STEPS / EPOCHS).with_start_after(STEPS * 3 / 4);
    let mut swag = swag.init(&model).expect("valid settings");
    for epoch in 1..=EPOCHS {
        for batch in samples.batches(BATCH, seed, epoch) {
            let batch: Vec<usize> = batch.into_iter().map(|at| indices[at]).collect();
            let (images, labels) = samples.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(0.2, model, grads);
            swag.update(&model);
        }
    }
    (model.valid(), swag)
}

/// The first samples in an order of their own: the training part is sorted by class.
fn first(samples: &Samples, count: usize) -> Samples {
    let order: Vec<usize> = samples.batches(1, 1, 0).concat();
    let indices = &order[..count];
    let pixels = |index: &usize| {
        let start = index * samples.features;
        samples.pixels[start..start + samples.features].to_vec()
    };
    Samples {
        pixels: indices.iter().flat_map(pixels).collect(),
        labels: samples.labels_of(indices).collect(),
        features: samples.features,
        ..Samples::default()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { out } = Args::parse();
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    let samples = first(&split.train, SAMPLES);
    let config = MlpConfig::new(samples.features);
    let all: Vec<usize> = (0..SAMPLES).collect();
    let model = seeded(&device, 1, || config.init(&device));
    let (model, swag) = train(model, &samples, &all, 1);

    let (valid_images, valid_labels) = split.valid.all(&Device::flex());
    let (images, labels) = split.test.all(&Device::flex());
    let diagram = |p: &Tensor<2>| ReliabilityDiagram::of(p.clone(), labels.clone(), 10);
    let show = |what: &str, p: &Tensor<2>| -> Result<f64, Box<dyn Error>> {
        let score = Score::of(p.clone(), &split.test.labels);
        let error = diagram(p)?.calibration_error();
        println!("{what:34} test {score}, calibration error {error:.3}");
        Ok(error)
    };

    let logits = model.predict(images.clone());
    let before = softmax(logits.clone(), 1);
    let too_sure = show("one network", &before)?;
    let temperature = Temperature::fit(model.predict(valid_images), valid_labels)?;
    let after = softmax(temperature.apply(logits), 1);
    let what = format!("the same at a temperature of {:.2}", temperature.value());
    let calibrated = show(&what, &after)?;

    show(
        "the mean of its weights",
        &softmax(swag.model().predict(images.clone()), 1),
    )?;
    let drawn = EnsembleConfig::new().init(swag.samples(20, 7))?;
    show("twenty models of SWAG", &drawn.predict(images.clone()))?;

    let init = |device: &Device| config.init(device);
    for (what, bagging) in [
        ("five networks, on all samples", false),
        ("five networks, by bagging", true),
    ] {
        let five = EnsembleConfig::new().train(5, &device, 42, init, |member, model| {
            let sample = member.bootstrap(SAMPLES);
            let indices = if bagging { sample.indices() } else { &all };
            let (model, _) = train(model, &samples, indices, member.seed);
            Ok::<_, Box<dyn Error>>(model)
        })?;
        show(what, &five.predict(images.clone()))?;
    }

    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let svg = diagram(&before)?
        .to_svg_with_after(&diagram(&after)?, "Before and after temperature scaling");
    std::fs::write(&out, svg)?;
    println!("reliability diagram: {}", out.display());
    if calibrated > too_sure {
        return Err("the temperature made it worse".into());
    }
    Ok(())
}
