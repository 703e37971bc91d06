//! Tricks on top of each other, in both orders.

use crate::devices::{devices, training_devices};
use crate::models::{Net, Noise, Pair, alone};
use crate::oracle::assert_close;
use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::grad::{ClipGradNorm, NormScope};
use burn_tricks::prelude::*;
use burn_tricks::stop::BestWeights;

fn run(device: &Device, transform: impl Fn(&Pair, GradientsParams) -> GradientsParams) -> Vec<f64> {
    let (pair, grads) = Pair::with_grads(&[3.0], &[4.0], DType::F32, device);
    let (a, b) = pair.read_grads(&transform(&pair, grads));
    [a, b].concat()
}

#[test]
fn clip_then_normalize_is_normalize_alone() {
    let clip = ClipGradNormConfig::new(0.5).init().unwrap();
    let normalize = NormalizeGradConfig::new().init().unwrap();
    for (name, device) in devices() {
        let clip_first = run(&device, |pair, grads| {
            grads.clip_norm(pair, &clip).normalize(pair, &normalize)
        });
        let clip_last = run(&device, |pair, grads| {
            grads.normalize(pair, &normalize).clip_norm(pair, &clip)
        });
        let what = format!("clipping first does nothing, on {name}");
        assert_close(&clip_first, &[0.6, 0.8], 1e-6, &what);
        let what = format!("clipping last bounds the step, on {name}");
        assert_close(&clip_last, &[0.3, 0.4], 1e-6, &what);
    }
}

#[test]
fn per_tensor_and_whole_model_do_not_commute() {
    let model = ClipGradNormConfig::new(1.0).init().unwrap();
    let tensor = ClipGradNormConfig::new(3.5)
        .with_scope(NormScope::Tensor)
        .init()
        .unwrap();
    for (name, device) in devices() {
        let model_first = run(&device, |pair, grads| {
            grads.clip_norm(pair, &model).clip_norm(pair, &tensor)
        });
        let tensor_first = run(&device, |pair, grads| {
            grads.clip_norm(pair, &tensor).clip_norm(pair, &model)
        });
        let what = format!("model first, on {name}");
        assert_close(&model_first, &[0.6, 0.8], 1e-6, &what);
        let norm = (9.0f64 + 12.25).sqrt();
        let what = format!("tensor first, on {name}");
        assert_close(&tensor_first, &[3.0 / norm, 3.5 / norm], 1e-6, &what);
    }
}

#[test]
fn scaling_before_a_norm_without_memory_changes_nothing() {
    for (name, device) in training_devices() {
        let step = |clip: Option<ClipGradNorm>| {
            let pair = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
            let mut grads = pair.grads(&[3.0, 4.0], &[12.0]);
            if let Some(clip) = clip {
                grads = grads.clip_norm(&pair, &clip);
            }
            let mut optim = NormalizedGradientConfig::per_tensor().init().unwrap();
            optim.step(0.1, pair, grads).values()
        };
        let (plain, clipped) = (step(None), step(ClipGradNormConfig::new(1e-3).init().ok()));
        assert_close(&clipped.0, &plain.0, 1e-6, &format!("a on {name}"));
        assert_close(&clipped.1, &plain.1, 1e-6, &format!("b on {name}"));
    }
}

/// A few steps with every neutral trick on, or with none.
fn train(neutral: bool, device: &Device) -> Vec<f64> {
    let mut noise = Noise(4);
    let mut data = |shape: [usize; 2]| {
        let values = noise.take(shape[0] * shape[1]);
        Tensor::<1>::from_data(values.as_slice(), device).reshape(shape)
    };
    let mut model = Net::new(0.0, device);
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
    let _alone = alone();
    for (name, device) in training_devices() {
        assert_eq!(train(true, &device), train(false, &device), "{name}");
    }
}
