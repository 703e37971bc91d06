//! Gradient clipping: a learning rate that is too high, without and with a threshold.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn_tricks::grad::NormScope;
use burn_tricks::prelude::*;
use burn_tricks_examples::{data::Source, mlp::MlpConfig, score::Score};

fn train(clip: &ClipGradNormConfig) -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let clip = clip.init()?;
    let mut norms = Vec::new();

    for epoch in 1..=10 {
        for batch in split.train.batches(32, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            let (grads, norm) = clip.apply_with_norm(&model, grads);
            model = optim.step(1.0, model, grads);
            norms.extend(norm); // tensors still: nothing waits for the device here
        }
    }
    // Now the run is over, and the norms may be read: all of them at once.
    let norms: Vec<f32> = Tensor::cat(norms, 0).into_data().iter().collect();
    let largest = norms.iter().copied().fold(0.0, f32::max);
    let above = norms.iter().filter(|norm| **norm > 1.0).count();

    let (images, _) = split.test.all(&Device::flex());
    let probabilities = burn::tensor::activation::softmax(model.valid().predict(images), 1);
    let score = Score::of(probabilities, &split.test.labels);
    println!(
        "test accuracy {:5.1} %, loss {:.3}; norm above 1 in {above:3} of {} steps, largest {largest:.1}",
        100.0 * score.accuracy,
        score.loss,
        norms.len(),
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("digits, 10 epochs of SGD with a learning rate of 1");
    print!("not clipped             ");
    train(&ClipGradNormConfig::new(f64::MAX))?;
    print!("whole model, to norm 1  ");
    train(&ClipGradNormConfig::new(1.0))?;
    print!("tensor by tensor        ");
    train(&ClipGradNormConfig::new(1.0).with_scope(NormScope::Tensor))?;
    print!("to unit norm, above 2   ");
    train(&ClipGradNormConfig::to_unit_norm(2.0))
}
