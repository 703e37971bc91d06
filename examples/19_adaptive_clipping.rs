//! Adaptive gradient clipping: each unit's step is bounded by its own weights, at rates that are too high without.

use burn::module::ParamGroup;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn_tricks::grad::{AgcConfig, AutoClipConfig, GradientTransform, NoTransform, ParamPaths};
use burn_tricks::prelude::*;
use burn_tricks_examples::{data::Source, mlp::MlpConfig, score::Score};

/// The test accuracy after 10 epochs of SGD.
fn train(lr: f64, mut transform: impl GradientTransform) -> f64 {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);

    for epoch in 1..=10 {
        for batch in split.train.batches(32, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            let grads = transform.apply(&model, grads);
            model = optim.step(lr, model, grads);
        }
    }
    let (images, _) = split.test.all(&Device::flex());
    let probabilities = burn::tensor::activation::softmax(model.valid().predict(images), 1);
    100.0 * Score::of(probabilities, &split.test.labels).accuracy
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("digits, 10 epochs of SGD: test accuracy in per cent at three learning rates");
    let rates = [0.3, 1.0, 3.0];
    let like =
        MlpConfig::new(Source::digits().split(1).scaled().train.features).init(&Device::flex());
    let agc = |factor| {
        // As the paper has it: not on the last layer.
        let output = ParamPaths::init(&like, "group", &["output"])?.group();
        let body = ParamGroup::all().exclude(output);
        AgcConfig::new()
            .with_clip_factor(factor)
            .with_group(body)
            .init()
    };
    let (wide, narrow) = (agc(0.1)?, agc(0.02)?);
    let auto_clip = AutoClipConfig::new().init()?;
    let rows: [(&str, &dyn Fn(f64) -> f64); 4] = [
        ("not clipped", &|lr| train(lr, NoTransform)),
        ("AutoClip, 10th percentile", &|lr| {
            train(lr, auto_clip.clone())
        }),
        ("AGC, 0.1 of the weights", &|lr| train(lr, wide.clone())),
        ("AGC, 0.02 of the weights", &|lr| train(lr, narrow.clone())),
    ];
    for (name, train) in rows {
        let [low, middle, high] = rates.map(train);
        println!("{name:26} {low:5.1} {middle:5.1} {high:5.1}");
    }
    Ok(())
}
