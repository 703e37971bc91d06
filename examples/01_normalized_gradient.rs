//! The normalised gradient: steps whose length does not depend on the gradient's.
//!
//! Trains on digits whose loss is multiplied by ever smaller numbers. Plain SGD slows down with the
//! gradient; normalised gradient descent `w ← w − η g/‖g‖` does not notice.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::prelude::*;
use burn_tricks::prelude::*;
use burn_tricks_examples::{data::Source, mlp::MlpConfig, score::Score};

/// The test accuracy after five epochs of a loss that is `scale` times too small.
fn train(
    scale: f64,
    mut optim: ModuleOptimizer,
    whole_model: bool,
) -> Result<f64, Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let normalize = NormalizeGradConfig::new().init()?;

    for epoch in 1..=5 {
        for batch in split.train.batches(32, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels) * scale;
            let mut grads = GradientsParams::from_grads(loss.backward(), &model);
            if whole_model {
                grads = grads.normalize(&model, &normalize);
            }
            model = optim.step(0.1, model, grads);
        }
    }
    let (images, _) = split.test.all(&Device::flex());
    let probabilities = burn::tensor::activation::softmax(model.valid().predict(images), 1);
    Ok(Score::of(probabilities, &split.test.labels).accuracy)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("test accuracy after 5 epochs, learning rate 0.1\n");
    println!("loss ×     SGD   whole model   layer by layer   AdaGrad-Norm");
    for scale in [1.0, 1e-2, 1e-4, 1e-6] {
        let sgd = || SgdConfig::new().init();
        println!(
            "{scale:<6} {:>6.1} %   {:>9.1} %   {:>12.1} %   {:>10.1} %",
            100.0 * train(scale, sgd(), false)?,
            100.0 * train(scale, sgd(), true)?,
            100.0 * train(scale, NormalizedGradientConfig::per_tensor().init()?, false)?,
            100.0
                * train(
                    scale,
                    NormalizedGradientConfig::adagrad_norm().init()?,
                    false
                )?,
        );
    }
    Ok(())
}
