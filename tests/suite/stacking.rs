//! Tricks on top of each other, in both orders.

use crate::models::{Net, Noise, Pair};
use crate::oracle::assert_close;
use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::prelude::*;

fn run(transform: impl Fn(&Pair, GradientsParams) -> GradientsParams) -> Vec<f64> {
    let device = Device::flex();
    let (pair, grads) = Pair::with_grads(&[3.0], &[4.0], DType::F32, &device);
    let (a, b) = pair.read_grads(&transform(&pair, grads));
    [a, b].concat()
}

#[test]
fn clip_then_normalize_is_normalize_alone() {
    let clip = ClipGradNormConfig::new(0.5).init().unwrap();
    let normalize = NormalizeGradConfig::new().init().unwrap();
    let clip_first = run(|pair, grads| grads.clip_norm(pair, &clip).normalize(pair, &normalize));
    let clip_last = run(|pair, grads| grads.normalize(pair, &normalize).clip_norm(pair, &clip));
    assert_close(
        &clip_first,
        &[0.6, 0.8],
        1e-6,
        "clipping first does nothing",
    );
    assert_close(
        &clip_last,
        &[0.3, 0.4],
        1e-6,
        "clipping last bounds the step",
    );
}

#[test]
fn per_tensor_and_whole_model_do_not_commute() {
    let model = ClipGradNormConfig::new(1.0).init().unwrap();
    let tensor = ClipGradNormConfig::new(3.5)
        .with_scope(NormScope::Tensor)
        .init()
        .unwrap();
    let model_first = run(|pair, grads| grads.clip_norm(pair, &model).clip_norm(pair, &tensor));
    let tensor_first = run(|pair, grads| grads.clip_norm(pair, &tensor).clip_norm(pair, &model));
    assert_close(&model_first, &[0.6, 0.8], 1e-6, "model first");
    let norm = (9.0f64 + 12.25).sqrt();
    assert_close(
        &tensor_first,
        &[3.0 / norm, 3.5 / norm],
        1e-6,
        "tensor first",
    );
}

#[test]
fn scaling_before_a_norm_without_memory_changes_nothing() {
    let device = Device::flex().autodiff();
    let step = |clip: Option<ClipGradNorm>| {
        let pair = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
        let mut grads = pair.grads(&[3.0, 4.0], &[12.0]);
        if let Some(clip) = clip {
            grads = grads.clip_norm(&pair, &clip);
        }
        let mut optim = NormalizedGradientConfig::lesson().init().unwrap();
        optim.step(0.1, pair, grads).values()
    };
    let (plain, clipped) = (step(None), step(ClipGradNormConfig::new(1e-3).init().ok()));
    assert_close(&clipped.0, &plain.0, 1e-6, "a");
    assert_close(&clipped.1, &plain.1, 1e-6, "b");
}

/// A few steps with every neutral trick on, or with none.
fn train(neutral: bool) -> Vec<f64> {
    let device = Device::flex().autodiff();
    let mut noise = Noise(4);
    let mut data = |shape: [usize; 2]| {
        let values = noise.take(shape[0] * shape[1]);
        Tensor::<1>::from_data(values.as_slice(), &device).reshape(shape)
    };
    let mut model = Net {
        first: burn::nn::LinearConfig::new(4, 8).init(&device),
        ..Net::new(0.0, &device)
    };
    model.first.weight = burn::module::Param::from_tensor(data([4, 8]));
    model.last.weight = burn::module::Param::from_tensor(data([8, 3]));
    for bias in [&mut model.first.bias, &mut model.last.bias] {
        *bias = bias
            .take()
            .map(|bias| bias.map(|value| value.zeros_like().require_grad()));
    }
    let mut optim = SgdConfig::new().init();
    let clip = ClipGradNormConfig::new(f64::MAX).init().unwrap();
    let mut constant = ExponentialDecayConfig::new(0.1)
        .with_gamma(1.0)
        .init()
        .unwrap();
    let mut stop = EarlyStoppingConfig::new(Goal::Minimize)
        .with_patience(usize::MAX)
        .init()
        .unwrap();
    let mut best = BestWeights::new();
    for step in 0..10 {
        let loss = model.forward(data([6, 4])).square().mean();
        let mut grads = GradientsParams::from_grads(loss.backward(), &model);
        let mut lr = 0.1;
        if neutral {
            grads = clip.apply(&model, grads);
            lr = burn::lr_scheduler::LrScheduler::step(&mut constant);
        }
        model = optim.step(lr, model, grads);
        if neutral {
            best.keep(&stop.observe(-f64::from(step)), || model.clone());
        }
    }
    let model = if neutral {
        best.model().unwrap()
    } else {
        model.valid()
    };
    crate::models::values(model.forward(data([5, 4]).inner()))
}

#[test]
fn neutral_tricks_are_the_plain_run_bit_for_bit() {
    assert_eq!(train(true), train(false));
}
