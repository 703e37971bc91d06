//! Dynamic loss scaling: weights, loss and optimizer in `f32`, forward and backward pass in `f16`, where small gradients are
//! zeros without it. The scale grows until a gradient overflows, and the step is skipped.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::FloatDType;
use burn_tricks::grad::LossScalerConfig;
use burn_tricks::prelude::*;
use burn_tricks::{cast_copy, copy_statistics};
use burn_tricks_examples::{data::Source, mlp::Mlp, mlp::MlpConfig, score::Score};

/// The share of the gradients that are exactly 0, in per cent.
fn zeros(model: &Mlp, grads: &GradientsParams) -> f64 {
    let (mut zero, mut all) = (0, 0);
    struct Count<'a>(&'a GradientsParams, &'a mut usize, &'a mut usize);
    impl burn::module::ModuleVisitor for Count<'_> {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            let grad = self.0.get::<D>(param.id).expect("a gradient").into_data();
            *self.1 += grad.iter::<f64>().filter(|x| *x == 0.0).count();
            *self.2 += grad.iter::<f64>().count();
        }
    }
    model.visit(&mut Count(grads, &mut zero, &mut all));
    100.0 * zero as f64 / all as f64
}

fn train(dtype: FloatDType, scaled: bool) -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    device.seed(1);
    let mut model = MlpConfig::new(split.train.features).init(&device);
    force_init(&model);
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    // In so short a run, it grows after 10 steps instead of 2,000.
    let config = LossScalerConfig::new().with_growth_interval(10);
    let mut scaler = config.with_enabled(scaled).init()?;
    let (mut share, mut largest) = (0.0, scaler.loss_scale());

    // A small factor, as one of many terms of a loss has it; the learning rate makes up for it.
    let (weight, lr) = (1e-5, 2e4);
    for epoch in 1..=10 {
        for batch in split.train.batches(32, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            // The model in another type, whose gradients arrive at the parameters of `model`: mixed precision.
            let half = cast_copy(&model, dtype);
            let logits = half.predict(images.cast(dtype)).cast(FloatDType::F32);
            let loss = loss.forward(logits, labels) * weight;
            let grads = GradientsParams::from_grads(scaler.scale(loss).backward(), &model);
            share = zeros(&model, &grads);
            largest = largest.max(scaler.loss_scale());
            if let Some(grads) = scaler.unscale(&model, grads) {
                copy_statistics(&half, &model)?; // if there are batch norms
                drop(half); // its weights need no memory during the step
                model = optim.step(lr, model, grads);
            }
        }
    }
    let (images, _) = split.test.all(&Device::flex());
    let half = cast_copy(&model.valid(), dtype);
    let logits = half.predict(images.cast(dtype)).cast(FloatDType::F32);
    let probabilities = burn::tensor::activation::softmax(logits, 1);
    let score = Score::of(probabilities, &split.test.labels);
    println!(
        "test accuracy {:5.1} %; gradients of 0 at the end: {share:4.1} %; largest scale {largest}, last {}, {} steps skipped",
        100.0 * score.accuracy,
        scaler.loss_scale(),
        scaler.skipped(),
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("digits, 10 epochs of SGD");
    print!("f32                  ");
    train(FloatDType::F32, false)?;
    print!("f16                  ");
    train(FloatDType::F16, false)?;
    print!("f16 with loss scale  ");
    train(FloatDType::F16, true)
}
