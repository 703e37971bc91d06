//! Gradient accumulation: batches of 64 in micro-batches of 8, as a mean and, as Burn does it, as a sum.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsAccumulator, GradientsParams, SgdConfig};
use burn::prelude::*;
use burn_tricks::grad::GradAccumulatorConfig;
use burn_tricks::prelude::*;
use burn_tricks_examples::{data::Source, mlp::Mlp, mlp::MlpConfig, score::Score};

#[derive(Clone, Copy, PartialEq)]
enum Way {
    LargeBatch,
    Mean,
    Sum,
}

/// Trains for 10 epochs and gives the images' logits.
fn train(way: Way) -> Result<Tensor<2>, Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let clip = ClipGradNormConfig::new(5.0).init()?;

    for epoch in 1..=10 {
        for batch in split.train.batches(64, 1, epoch) {
            let backward = |model: &Mlp, indices: &[usize]| {
                let (images, labels) = split.train.batch(indices, &device);
                loss.forward(model.predict(images), labels).backward()
            };
            let micro_batches = batch.chunks(8);
            let grads = match way {
                Way::LargeBatch => GradientsParams::from_grads(backward(&model, &batch), &model),
                Way::Mean => {
                    let mut mean = GradAccumulatorConfig::new(micro_batches.len()).init()?;
                    let last = micro_batches
                        .filter_map(|part| mean.add(&model, backward(&model, part), part.len()));
                    last.last().ok_or("a batch has samples")?
                }
                Way::Sum => {
                    let mut sum = GradientsAccumulator::new();
                    for part in micro_batches {
                        let grads = GradientsParams::from_grads(backward(&model, part), &model);
                        sum.accumulate(&model, grads);
                    }
                    sum.grads()
                }
            };
            // Once, on the gradient of the whole batch.
            let grads = clip.apply(&model, grads);
            model = optim.step(0.5, model, grads);
        }
    }
    let (images, _) = split.test.all(&Device::flex());
    let logits = model.valid().predict(images);
    let probabilities = burn::tensor::activation::softmax(logits.clone(), 1);
    let score = Score::of(probabilities, &split.test.labels);
    println!(
        "test accuracy {:5.1} %, loss {:.3}",
        100.0 * score.accuracy,
        score.loss
    );
    Ok(logits)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("digits, 10 epochs of SGD, gradients clipped to norm 5");
    print!("batches of 64             ");
    let large = train(Way::LargeBatch)?;
    print!("the mean of 8 times 8     ");
    let mean = train(Way::Mean)?;
    print!("their sum                 ");
    let sum = train(Way::Sum)?;
    let off = |logits: Tensor<2>| -> f32 { (logits - large.clone()).abs().max().into_scalar() };
    println!(
        "largest difference of a logit: mean {:.0e}, sum {:.1}",
        off(mean),
        off(sum)
    );
    Ok(())
}
