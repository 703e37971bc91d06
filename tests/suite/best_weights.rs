//! The best model comes back whole: weights, running statistics, and its mode.

use crate::devices::training_devices;
use crate::models::{Net, alone, values};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Tensor};
use burn_tricks::stop::{BestWeights, EarlyStopping, EarlyStoppingConfig, Goal, NonFiniteMetric};

fn stop() -> EarlyStopping {
    EarlyStoppingConfig::new(Goal::Minimize)
        .with_non_finite(NonFiniteMetric::Ignore)
        .init()
        .unwrap()
}

fn input(device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..32)
        .map(|i| (i as f32 * 0.7).sin() * 3.0 + 1.0)
        .collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([8, 4])
}

/// One step of training, which moves weights and running statistics.
fn train(model: Net, optim: &mut burn::optim::ModuleOptimizer, device: &Device) -> Net {
    let loss = model.forward(input(device)).square().mean();
    let grads = GradientsParams::from_grads(loss.backward(), &model);
    optim.step(0.05, model, grads)
}

fn outputs(model: &Net, device: &Device) -> Vec<f64> {
    values(model.forward(input(&device.clone().without_autodiff())))
}

/// Trains for `losses.len()` checks; gives the kept weights and the outputs at each check.
fn run(losses: &[f64], device: &Device) -> (BestWeights<Net>, Vec<Vec<f64>>, Net) {
    let mut model = Net::new(0.5, device);
    let mut optim = AdamConfig::new().init();
    let (mut stop, mut best) = (stop(), BestWeights::new());
    let mut seen = Vec::new();
    for loss in losses {
        model = train(model, &mut optim, device);
        seen.push(outputs(&model.valid(), device));
        best.keep(&stop.observe(*loss), || model.clone());
    }
    (best, seen, model)
}

#[test]
fn the_best_model_comes_back_as_it_was() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let (best, seen, last) = run(&[0.9, 0.4, 0.8, 0.7], &device);
        assert_eq!(best.check(), Some(2));
        let model = best.model().unwrap();
        assert_eq!(outputs(&model, &device), seen[1], "{name}");
        assert_ne!(
            outputs(&last.valid(), &device),
            seen[1],
            "{name}: it moved on"
        );
        let restored = best.restore().unwrap();
        assert_eq!(outputs(&restored.valid(), &device), seen[1], "{name}");
    }
}

#[test]
fn a_clone_would_not_do() {
    let _alone = alone();
    // Why the keeper takes `valid()`: a clone's running statistics go on changing with the training.
    let device = Device::flex().autodiff();
    let model = train(
        Net::new(0.0, &device),
        &mut AdamConfig::new().init(),
        &device,
    );
    let _ = model.valid();
    let (clone, kept) = (model.clone(), model.valid());
    let before = values(kept.norm.running_mean.value());
    assert_eq!(values(clone.norm.running_mean.value()), before);
    let model = train(model, &mut AdamConfig::new().init(), &device);
    let _ = model.valid();
    assert_ne!(values(clone.norm.running_mean.value()), before, "the trap");
    assert_eq!(values(kept.norm.running_mean.value()), before);
}

#[test]
fn the_restored_model_trains_dropout_drops_and_statistics_learn() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let (best, _, _) = run(&[0.9, 0.4, 0.8], &device);
        let model = best.restore().unwrap();
        let ones = Tensor::<2>::ones([64, 64], &device);
        let dropped = values(model.dropout.forward(ones.clone()));
        assert!(dropped.contains(&0.0), "{name}: dropout drops in training");
        assert!(model.first.weight.is_require_grad(), "{name}");
        let statistics = values(model.norm.running_mean.value());
        let trained = train(model, &mut AdamConfig::new().init(), &device);
        let after = values(trained.valid().norm.running_mean.value());
        assert_ne!(after, statistics, "{name}: running statistics learn");
        let quiet = best.model().unwrap();
        let all = values(quiet.dropout.forward(ones.inner()));
        assert!(!all.contains(&0.0), "{name}: and not in prediction");
    }
}

#[test]
fn training_on_from_the_best_leaves_the_kept_one_alone() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let (best, seen, _) = run(&[0.9, 0.4], &device);
    for _ in 0..2 {
        let model = best.restore().unwrap();
        let trained = train(model, &mut AdamConfig::new().init(), &device);
        let _ = trained.valid();
    }
    assert_eq!(outputs(&best.model().unwrap(), &device), seen[1]);
}

#[test]
fn restoring_goes_on_as_the_run_would_have_with_its_optimizer() {
    let _alone = alone();
    // Parameter ids are kept, so that the optimizer's state still fits.
    let device = Device::flex().autodiff();
    let mut optim = AdamConfig::new().init();
    let model = train(Net::new(0.0, &device), &mut optim, &device);
    let (mut stop, mut best) = (stop(), BestWeights::new());
    best.keep(&stop.observe(1.0), || model.clone());
    let mut twin_optim = AdamConfig::new().init().load_record(optim.to_record());
    let on = train(model, &mut optim, &device);
    let restored = train(best.restore().unwrap(), &mut twin_optim, &device);
    assert_eq!(
        outputs(&restored.valid(), &device),
        outputs(&on.valid(), &device)
    );
}

#[test]
fn a_nan_check_is_not_kept_and_nothing_is_nothing() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let (best, seen, _) = run(&[f64::NAN, 0.5, f64::NAN], &device);
    assert_eq!(outputs(&best.model().unwrap(), &device), seen[1]);
    let (best, ..) = run(&[f64::NAN], &device);
    assert!(best.model().is_none() && best.restore().is_none() && best.check().is_none());
}

#[test]
fn an_unhappy_check_does_not_ask_for_the_model() {
    let mut stop = stop();
    let mut best = BestWeights::<Net>::new();
    stop.observe(1.0);
    best.keep(&stop.observe(2.0), || panic!("the model was asked for"));
}

#[test]
fn a_kept_model_does_not_touch_the_run() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    device.seed(9);
    let mut plain = Net::new(0.0, &device);
    burn_tricks::force_init(&plain);
    let mut watched = plain.clone().fork(&device).valid().train();
    let (mut a, mut b) = (AdamConfig::new().init(), AdamConfig::new().init());
    let (mut stop, mut best) = (stop(), BestWeights::new());
    for step in 0..5 {
        plain = train(plain, &mut a, &device);
        watched = train(watched, &mut b, &device);
        best.keep(&stop.observe(-f64::from(step)), || watched.clone());
        let _ = best.restore();
    }
    assert_eq!(
        outputs(&plain.valid(), &device),
        outputs(&watched.valid(), &device)
    );
    let _ = Tensor::<1>::random([1], Distribution::Default, &device);
}

/// The optimizers whose state a clone must not share with the run: Burn's, and ours, which write in place.
fn optimizers() -> [(&'static str, ModuleOptimizer); 4] {
    use burn_tricks::optim::{
        AdamConfig as OurAdamConfig, NormalizedGradientConfig, RmsPropConfig,
    };
    [
        ("Burn's Adam", AdamConfig::new().init()),
        ("our Adam", OurAdamConfig::new().init().unwrap()),
        ("our RMSProp", RmsPropConfig::new().init().unwrap()),
        (
            "normalized gradient",
            NormalizedGradientConfig::new().init().unwrap(),
        ),
    ]
}

#[test]
fn the_optimizer_of_the_best_check_comes_back_with_it() {
    let _alone = alone();
    for (device_name, device) in training_devices() {
        for (name, mut optim) in optimizers() {
            let name = format!("{name} on {device_name}");
            let mut model = Net::new(0.0, &device);
            let (mut stop, mut best) = (stop(), BestWeights::new());
            let mut on = Vec::new();
            for loss in [0.9, 0.4, 0.8, 0.7] {
                model = train(model, &mut optim, &device);
                best.keep_with(&stop.observe(loss), || (model.clone(), optim.clone()));
                on.push(outputs(&model.valid(), &device));
            }
            assert_eq!(best.check(), Some(2), "{name}");
            // Twice: going on from what came back leaves what is kept alone.
            for _ in 0..2 {
                let (mut model, mut optim) = best.restore_with().unwrap();
                for expected in &on[2..] {
                    model = train(model, &mut optim, &device);
                    assert_eq!(outputs(&model.valid(), &device), *expected, "{name}");
                }
            }
        }
    }
}

#[test]
fn whatever_is_a_value_is_kept_beside_the_model() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = Net::new(0.0, &device);
    let (mut stop, mut best) = (stop(), BestWeights::new());
    assert!(best.restore_with().is_none() && best.extra().is_none());
    for (epoch, loss) in [(1, 0.9), (2, 0.4), (3, 0.5)] {
        best.keep_with(&stop.observe(loss), || (model.clone(), (epoch, "schedule")));
    }
    assert_eq!(best.extra(), Some(&(2, "schedule")));
    // In another run.
    let kept = best.model().unwrap();
    let resumed = BestWeights::new().with_kept(&kept, 2, (2, "schedule"));
    assert_eq!(
        (resumed.check(), resumed.extra()),
        (best.check(), best.extra())
    );
    let (restored, _) = resumed.restore_with().unwrap();
    assert!(restored.first.weight.is_require_grad());
    assert_eq!(outputs(&restored.valid(), &device), outputs(&kept, &device));
}

#[test]
fn the_best_weights_go_into_the_live_model() {
    let _alone = alone();
    let device = Device::flex().autodiff().gradient_checkpointing();
    let (best, seen, last) = run(&[0.9, 0.4, 0.8], &device);
    let before = outputs(&last.valid(), &device);
    let model = best.restore_into(&last).unwrap().unwrap();
    assert_eq!(outputs(&model.valid(), &device), seen[1]);
    assert_eq!(outputs(&last.valid(), &device), before);
    // Under another checkpointing strategy than its input's the pass would panic.
    let _ = train(model, &mut AdamConfig::new().init(), &device);
    let none = BestWeights::<Net>::new();
    assert!(none.restore_into(&last).unwrap().is_none());
}
