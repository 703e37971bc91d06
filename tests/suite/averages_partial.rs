//! Averages of the trained weights alone, and averages and best weights that are held on another device.

use crate::devices::{devices, training_devices};
use crate::models::{Net, Pair, alone, dtypes, numbers, values};
use burn::module::{Lora, Module, Param, ParamGroup, QLora, Quantizer};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::quantization::{Calibration, QuantValue};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::average::{
    Average, AverageOn, AverageRule, EmaConfig, EmaWarmup, LawaConfig, SwaConfig, TrainedAverage,
};
use burn_tricks::stop::{BestWeights, EarlyStoppingConfig, Goal, StopWithBest};
use burn_tricks::train::{StepContext, Trick};

/// A network whose first layer is frozen, after a number of steps.
fn stepped(net: &Net, step: usize) -> Net {
    let mut net = net.clone();
    let shift = |layer: Linear| Linear {
        weight: layer.weight.map(|weight| {
            let trained = weight.is_require_grad();
            (weight + step as f64).detach().set_require_grad(trained)
        }),
        ..layer
    };
    (net.first, net.last) = (shift(net.first), shift(net.last));
    net
}

fn frozen_first(device: &Device) -> Net {
    let mut net = Net::new(0.5, device);
    net.first = net.first.no_grad();
    net
}

#[test]
fn the_trained_weights_are_averaged_as_those_of_the_whole_model_are() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let net = frozen_first(&device);
        let rule = EmaConfig::new(0.9).with_update_every(2).with_start_after(1);
        let mut all = rule.init(&net).unwrap();
        let mut trained = TrainedAverage::init(rule, &net).unwrap();
        let expected = ["norm.gamma", "norm.beta", "last.weight", "last.bias"];
        assert_eq!(trained.paths(), expected, "{name}");
        for step in 1..=7 {
            let live = stepped(&net, step);
            all.update(&live);
            trained.update(&live);
            let (whole, part) = (all.model(), trained.model(&live));
            let last = |net: &Net| values(net.last.weight.val());
            assert_eq!(last(&whole), last(&part), "{name} {step}");
            // What is frozen is the live model's, and so are its statistics.
            let first = |net: &Net| values(net.first.weight.val());
            assert_eq!(first(&part), first(&live), "{name} {step}");
            assert_eq!(
                (trained.steps(), trained.updates()),
                (all.steps(), all.updates())
            );
        }
        // Half of the parameters are frozen, and the record has no copy of them.
        let record = trained.to_record().into_bytes().unwrap();
        let of_all = all.to_record().into_bytes().unwrap();
        assert!(record.len() < of_all.len(), "{name}");
        let record = ModuleRecord::from_bytes(record).unwrap();
        let resumed = TrainedAverage::init(trained.config().clone(), &net).unwrap();
        let mut resumed = resumed.load_record(record).unwrap();
        let live = stepped(&net, 9);
        resumed.update(&live);
        trained.update(&live);
        assert_eq!(
            numbers(&resumed.model(&live)),
            numbers(&trained.model(&live)),
            "{name}"
        );
        trained.restart(&net);
        assert_eq!(
            numbers(&trained.model(&net)),
            numbers(&net.valid()),
            "{name}"
        );
    }
}

#[test]
fn only_the_factors_of_lora_are_averaged() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let layer: Linear = LinearConfig::new(6, 6).with_bias(false).init(&device);
        let group = ParamGroup::from_path("weight");
        let mut model = layer.apply_lora(Lora::new(2, 4.0).set_param_group(group));
        let mut ema = TrainedAverage::init(EmaConfig::new(0.5), &model).unwrap();
        assert_eq!(ema.paths().len(), 2, "{name}: {:?}", ema.paths());
        let mut optim = SgdConfig::new().init();
        let x = || Tensor::<2>::ones([3, 6], &device);
        for _ in 0..3 {
            let loss = model.forward(x()).square().mean();
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(0.5, model, grads);
            ema.update(&model);
        }
        let (live, averaged) = (model.valid(), ema.model(&model));
        let out = |layer: &Linear| values(layer.forward(x().inner()));
        assert_ne!(out(&live), out(&averaged), "{name}");
        // To train on: the next step moves the factors, and nothing else.
        let trained_on = ema.restore_into(&model);
        assert_eq!(out(&trained_on.valid()), out(&averaged), "{name}");
        let loss = trained_on.forward(x()).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &trained_on);
        assert_eq!(grads.len(), 2, "{name}");
        let next = optim.step(0.5, trained_on, grads);
        assert_ne!(out(&next.valid()), out(&averaged), "{name}");
    }
}

/// The base of QLoRA is quantised: Burn casts no such tensor and knows little else of it.
#[test]
fn the_factors_of_lora_are_averaged_on_a_quantised_base() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer: Linear = LinearConfig::new(8, 8).with_bias(false).init(&device);
    let scheme = device.settings().quantization.scheme;
    let quantizer = Quantizer::new(Calibration::MinMax, scheme.with_value(QuantValue::Q8S));
    let lora = Lora::new(2, 4.0).set_param_group(ParamGroup::from_path("weight"));
    let mut model = layer.apply_qlora(QLora::new(lora, quantizer));
    let mut ema = TrainedAverage::init(EmaConfig::new(0.5), &model).unwrap();
    let x = || Tensor::<2>::ones([3, 8], &device);
    let mut optim = SgdConfig::new().init();
    let step = |optim: &mut ModuleOptimizer, model: Linear| {
        let loss = model.forward(x()).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        assert_eq!(grads.len(), 2);
        optim.step(0.5, model, grads)
    };
    for _ in 0..3 {
        model = step(&mut optim, model);
        ema.update(&model);
    }
    let out = |layer: &Linear| values(layer.forward(x().inner()));
    let averaged = ema.model(&model);
    assert_ne!(out(&model.valid()), out(&averaged));
    let trained_on = ema.restore_into(&model);
    assert_eq!(out(&trained_on.valid()), out(&averaged));
    let next = step(&mut optim, trained_on);
    assert_ne!(out(&next.valid()), out(&averaged));
}

#[test]
fn half_precision_is_averaged_in_f32_and_tied_weights_once() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let pair = |value: f64| Pair::new(&[value], &[value], dtype, &device);
            let rule = EmaConfig::new(0.999).with_warmup(EmaWarmup::None);
            let mut ema = TrainedAverage::init(rule, &pair(1.0)).unwrap();
            for _ in 0..1_000 {
                ema.update(&pair(2.0));
            }
            let model = ema.model(&pair(2.0));
            assert_eq!(model.a.val().dtype(), dtype, "{name}");
            let got = model.values().0[0];
            assert!((got - 1.632).abs() < 0.01, "{name} {dtype:?}: {got}");
        }
        let layer: Linear = LinearConfig::new(2, 2).with_bias(false).init(&device);
        let tied = vec![layer.clone(), layer];
        let mut ema = TrainedAverage::init(SwaConfig::new(1), &tied).unwrap();
        assert_eq!(ema.paths(), ["0.weight"], "{name}");
        ema.update(&tied);
        let averaged = ema.model(&tied);
        let of = |at: usize| values(averaged[at].weight.val());
        assert_eq!(of(0), of(1), "{name}");
    }
}

#[test]
fn a_model_without_trained_weights_is_refused() {
    let _alone = alone();
    let device = Device::flex();
    let plain = TrainedAverage::init(SwaConfig::new(1), &Net::new(0.0, &device));
    let error = plain.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("`model` must have a weight that is trained"),
        "{error}"
    );
    let training = device.autodiff();
    let frozen = Net::new(0.0, &training).no_grad();
    assert!(TrainedAverage::init(SwaConfig::new(1), &frozen).is_err());
    let zero = TrainedAverage::init(SwaConfig::new(0), &Net::new(0.0, &training));
    assert_eq!(zero.map(drop).unwrap_err().field, "update_every");
    let net = Net::new(0.0, &training);
    let mut ema = TrainedAverage::init(SwaConfig::new(1), &net).unwrap();
    let other = Pair::new(&[1.0], &[1.0], DType::F32, &training);
    let update = std::panic::AssertUnwindSafe(|| ema.update(&other));
    let panic = std::panic::catch_unwind(update).unwrap_err();
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains("has no `first.weight`"), "{text}");
}

/// The same average, on every pair of the devices that are there.
fn elsewhere<R: AverageRule + Clone>(rule: R) {
    for (name, device) in training_devices() {
        for (other_name, other) in devices() {
            let what = format!("{rule:?}: {name} on {other_name}");
            let net = Net::new(0.0, &device);
            let mut here = Average::init(rule.clone(), &net).unwrap();
            let mut there = AverageOn::init(rule.clone(), &net, &other).unwrap();
            assert_eq!(there.device(), &other, "{what}");
            for step in 1..=9 {
                let live = stepped(&net, step);
                here.update(&live);
                there.update(&live);
                assert_eq!(there.average().steps(), here.steps(), "{what}");
                assert_eq!(there.average().updates(), here.updates(), "{what}");
                if here.has_started() {
                    let model = there.model();
                    assert_eq!(model.devices(), vec![other.clone()], "{what}");
                    assert_eq!(numbers(&model), numbers(&here.model()), "{what} {step}");
                    let back = there.restore_into(&live).unwrap();
                    assert_eq!(back.devices(), live.devices(), "{what}");
                    assert!(back.last.weight.is_require_grad(), "{what}");
                    assert_eq!(numbers(&back.valid()), numbers(&here.model()), "{what}");
                }
            }
            let record = there.to_record().into_bytes().unwrap();
            let record = ModuleRecord::from_bytes(record).unwrap();
            let resumed = AverageOn::init(rule.clone(), &net, &other).unwrap();
            let resumed = resumed.load_record(record).unwrap();
            assert_eq!(numbers(&resumed.model()), numbers(&there.model()), "{what}");
        }
    }
}

#[test]
fn an_average_elsewhere_is_the_same_average() {
    let _alone = alone();
    elsewhere(EmaConfig::new(0.9).with_update_every(3));
    elsewhere(EmaConfig::new(0.9).with_update_every(2).with_start_after(3));
    elsewhere(SwaConfig::new(2).with_start_after(2));
    elsewhere(LawaConfig::new(2, 2));
}

/// Before its first update an average holds the weights that it was made with, which nobody wants to validate.
#[test]
fn the_trained_model_is_validated_until_an_average_starts() {
    fn check(mut average: impl Trick<Net>, net: &Net, rule: &EmaConfig) {
        for step in 1..=3 {
            let live = stepped(net, step);
            assert!(average.validated(&live).is_none(), "{rule:?}, {step}");
            average.after(live, &StepContext::new(step as u64, 0.1));
        }
        let live = stepped(net, 3);
        let validated = average.validated(&live).unwrap();
        let weight = |net: &Net| values(net.last.weight.val());
        assert_ne!(
            weight(&validated),
            weight(net),
            "{rule:?}: what it was made with"
        );
        assert_ne!(weight(&validated), weight(&live), "{rule:?}: an average");
        assert_eq!(validated.devices(), vec![Device::flex()]);
    }
    let _alone = alone();
    let net = Net::new(0.0, &Device::flex().autodiff());
    let rules = [
        EmaConfig::new(0.9).with_update_every(3),
        EmaConfig::new(0.9).with_start_after(2),
    ];
    for rule in rules {
        check(rule.init(&net).unwrap(), &net, &rule);
        let trained = TrainedAverage::init(rule.clone(), &net).unwrap();
        check(trained, &net, &rule);
        let elsewhere = AverageOn::init(rule.clone(), &net, &Device::flex()).unwrap();
        check(elsewhere, &net, &rule);
    }
}

/// Where the weights of a step are not taken, the model is not looked at: nothing is copied.
#[test]
fn steps_that_are_not_taken_copy_nothing() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let pair = |count: usize| Pair::new(&vec![1.0; count], &[1.0], DType::F32, &device);
    let rule = SwaConfig::new(3).with_start_after(2);
    let mut average = AverageOn::init(rule, &pair(2), &Device::flex()).unwrap();
    for step in 1..=8_u64 {
        // Of other shapes: an average that looked at it would panic.
        let is_taken = step == 2 || step == 5 || step == 8;
        average.update(&pair(if is_taken { 2 } else { 5 }));
        assert_eq!(average.average().steps(), step);
    }
    assert_eq!(average.average().updates(), 2);
}

#[test]
fn the_best_weights_are_kept_on_another_device() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for (_, other) in devices() {
            let net = Net::new(0.5, &device);
            let stop = EarlyStoppingConfig::new(Goal::Minimize).init().unwrap();
            let mut best = BestWeights::on(&other);
            let mut both = StopWithBest::on(stop.clone(), &other);
            let mut stop = stop;
            for (step, loss) in [0.5, 0.3, 0.4].into_iter().enumerate() {
                let live = stepped(&net, step);
                best.keep(&stop.observe(loss), || live.clone());
                both.observe(loss, &live);
            }
            let expected = numbers(&stepped(&net, 1).valid());
            for best in [&best, both.best_weights()] {
                assert_eq!(best.check(), Some(2), "{name}");
                let model = best.model().unwrap();
                assert_eq!(model.devices(), vec![other.clone()], "{name}");
                assert_eq!(numbers(&model), expected, "{name}");
                let live = stepped(&net, 2);
                let back = best.restore_into(&live).unwrap().unwrap();
                assert_eq!(back.devices(), live.devices(), "{name}");
                assert!(back.devices()[0].is_autodiff(), "{name}");
                assert_eq!(numbers(&back.valid()), expected, "{name}");
            }
        }
    }
}

/// Layers of one size: by number, the average of one would go on as that of the other.
#[test]
fn the_record_of_other_trained_weights_is_refused() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = |trained: usize| -> Vec<Linear> {
        let layer = |at| {
            let layer: Linear = LinearConfig::new(2, 2).init(&device);
            if at == trained {
                layer
            } else {
                layer.no_grad()
            }
        };
        (0..3).map(layer).collect()
    };
    let average = |trained| TrainedAverage::init(SwaConfig::new(1), &model(trained)).unwrap();
    let mut of_last = average(2);
    of_last.update(&model(2));
    assert!(average(2).load_record(of_last.to_record()).is_ok());
    let error = average(1).load_record(of_last.to_record());
    let text = error.map(drop).unwrap_err().to_string();
    for part in ["`1.weight [2, 2]`", "`2.weight [2, 2]`"] {
        assert!(text.contains(part), "{text}");
    }
}

/// By its number of elements, it would be taken for the other one.
#[test]
fn a_trained_weight_of_another_shape_is_refused() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = |inputs, outputs| -> Linear {
        let config = LinearConfig::new(inputs, outputs).with_bias(false);
        config.init(&device)
    };
    let (wide, tall) = (layer(2, 8), layer(8, 2));
    let average = |layer: &Linear| TrainedAverage::init(SwaConfig::new(1), layer).unwrap();
    let mut of_wide = average(&wide);
    of_wide.update(&wide);
    assert!(average(&wide).load_record(of_wide.to_record()).is_ok());
    let error = average(&tall).load_record(of_wide.to_record());
    let text = error.map(drop).unwrap_err().to_string();
    for part in ["`weight [2, 8]`", "`weight [8, 2]`"] {
        assert!(text.contains(part), "{text}");
    }
    let update = std::panic::AssertUnwindSafe(|| of_wide.clone().update(&tall));
    let model = std::panic::AssertUnwindSafe(|| of_wide.model(&tall));
    let panics = [
        std::panic::catch_unwind(update).unwrap_err(),
        std::panic::catch_unwind(model).unwrap_err(),
    ];
    for panic in panics {
        let text = panic.downcast_ref::<String>().expect("a text");
        assert!(
            text.contains("`weight` had the shape [2, 8], got [8, 2]"),
            "{text}"
        );
    }
}

#[test]
fn the_record_of_a_weight_without_a_path_is_loaded() {
    let device = Device::flex().autodiff();
    let model = Param::from_tensor(Tensor::<1>::ones([2], &device));
    let average = || TrainedAverage::init(SwaConfig::new(1), &model).unwrap();
    let mut recorded = average();
    recorded.update(&model);
    assert!(average().load_record(recorded.to_record()).is_ok());
}
