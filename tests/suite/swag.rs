//! SWA-Gaussian, against its authors' formulas.

use crate::devices::{devices, training_devices};
use crate::models::{Net, Pair, alone, dtypes, tensor, values};
use crate::norms::{assert_json, assert_refused};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::Module;
use burn::nn::{BatchNormConfig, LinearConfig};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::average::{EnsembleConfig, Predict, Swag, SwagConfig};
use burn_tricks::kernels::{add_normal, key_of};
use serde_json::Value;

/// The weights of a step: the first two numbers are those of one parameter, the others of another.
fn pair(weights: &[f64], dtype: DType, device: &Device) -> Pair {
    Pair::new(&weights[..2], &weights[2..], dtype, device)
}

fn both(pair: &Pair) -> Vec<f64> {
    let (a, b) = pair.values();
    [a, b].concat()
}

/// What has seen the weights of the case, with steps between the samples that do not count.
fn collected(case: &Value, dtype: DType, device: &Device) -> Swag<Pair> {
    let rank = read(&case["settings"]["rank"]);
    let config = SwagConfig::new(2).with_start_after(1).with_rank(rank);
    let first = pair(&[9.0; 6], dtype, device);
    let mut swag = config.init(&first).unwrap();
    swag.update(&first);
    for weights in case["weights"].as_array().unwrap() {
        assert_eq!(swag.has_started(), swag.steps() > 1);
        swag.update(&pair(&[7.0; 6], dtype, device));
        swag.update(&pair(&numbers(weights), dtype, device));
    }
    swag
}

fn normal(count: usize, key: u64, device: &Device) -> Vec<f64> {
    let zeros = Tensor::<1>::zeros([count], device);
    values(add_normal(zeros, 1.0, key))
}

/// θ̄ + σ z₁/√2 + D z₂/√(2 (K − 1)), with the numbers z that belong to the seed.
fn drawn(case: &Value, seed: u64, device: &Device) -> Vec<f64> {
    let diagonal = read::<usize>(&case["settings"]["rank"]) == 0;
    let own = [
        normal(2, key_of(&[seed, 0]), device),
        normal(4, key_of(&[seed, 1]), device),
    ]
    .concat();
    let halved = if diagonal { 1.0 } else { 0.5_f64 };
    let (mean, variance) = (numbers(&case["mean"]), numbers(&case["variance"]));
    let mut weights: Vec<f64> = (0..6)
        .map(|i| mean[i] + (halved * variance[i].max(0.0)).sqrt() * own[i])
        .collect();
    let columns: Vec<Vec<f64>> = case["deviations"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .collect();
    for (column, deviation) in columns.iter().enumerate() {
        let z = normal(1, key_of(&[seed, u64::MAX, column as u64]), device)[0];
        let share = (0.5 / (columns.len() - 1) as f64).sqrt();
        for (weight, deviation) in weights.iter_mut().zip(deviation) {
            *weight += share * deviation * z;
        }
    }
    weights
}

#[test]
fn samples_are_those_of_the_authors_formulas() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for case_name in ["low_rank", "few_columns", "diagonal"] {
            let case = case("swag", case_name);
            let swag = collected(case, DType::F32, &device);
            let what = format!("{name} {case_name}");
            assert_eq!(
                swag.updates(),
                case["weights"].as_array().unwrap().len() as u64
            );
            assert_close(&both(&swag.model()), &numbers(&case["mean"]), 1e-5, &what);
            let inner = device.clone().inner();
            for seed in [0, 1, 7] {
                let got = both(&swag.sample(seed));
                assert_close(&got, &drawn(case, seed, &inner), 2e-5, &what);
                assert_eq!(got, both(&swag.sample(seed)), "{what}: one seed, one model");
            }
            assert_ne!(both(&swag.sample(1)), both(&swag.sample(2)), "{what}");
        }
    }
}

/// Mean and covariance of many models, within five standard errors of the authors' matrix.
#[test]
fn samples_have_the_covariance_of_the_paper() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    for case_name in ["low_rank", "diagonal"] {
        let case = case("swag", case_name);
        let swag = collected(case, DType::F32, &device);
        let (mean, covariance) = (
            numbers(&case["mean"]),
            case["covariance"].as_array().unwrap(),
        );
        let covariance: Vec<Vec<f64>> = covariance.iter().map(numbers).collect();
        let n = 4_000;
        let samples: Vec<Vec<f64>> = (0..n).map(|seed| both(&swag.sample(seed))).collect();
        let n = n as f64;
        for i in 0..6 {
            let of = |sample: &Vec<f64>| sample[i] - mean[i];
            let got = samples.iter().map(of).sum::<f64>() / n;
            let error = 5.0 * (covariance[i][i] / n).sqrt();
            assert!(got.abs() < error, "{case_name} {i}: {got}");
            for j in 0..=i {
                let product = |sample: &Vec<f64>| (sample[i] - mean[i]) * (sample[j] - mean[j]);
                let got = samples.iter().map(product).sum::<f64>() / n;
                let expected = covariance[i][j];
                let variance = covariance[i][i] * covariance[j][j] + expected * expected;
                let error = 5.0 * (variance / n).sqrt();
                assert!(
                    (got - expected).abs() < error,
                    "{case_name} {i} {j}: {got}, {expected}"
                );
            }
        }
    }
}

/// A mean of squares minus a squared mean has no digit left here.
#[test]
fn a_small_variance_around_a_large_mean_is_kept() {
    let device = Device::flex().autodiff();
    let first = Pair::new(&[100.0], &[100.0], DType::F32, &device);
    let config = SwagConfig::new(1).with_rank(0);
    let mut swag = config.init(&first).unwrap();
    for step in 0..100 {
        let weight = 100.0 + if step % 2 == 0 { 1e-3 } else { -1e-3 };
        swag.update(&Pair::new(&[weight], &[weight], DType::F32, &device));
    }
    let n = 2_000;
    let spread = |seed| (both(&swag.sample(seed))[0] - 100.0).powi(2);
    let variance = (0..n).map(spread).sum::<f64>() / n as f64;
    assert!((variance / 1e-6 - 1.0).abs() < 0.2, "{variance}");
}

#[test]
fn a_scale_of_zero_and_too_few_samples_give_the_mean() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let first = pair(&[0.5; 6], dtype, &device);
            let mut swag = SwagConfig::new(1).with_rank(3).init(&first).unwrap();
            assert_eq!(both(&swag.model()), [0.5; 6], "{name}");
            assert_eq!(both(&swag.sample(1)), [0.5; 6], "{name}");
            let second = pair(&[0.25; 6], dtype, &device);
            swag.update(&second);
            assert_eq!(both(&swag.sample(1)), [0.25; 6], "{name} {dtype:?}");
            assert_eq!(swag.sample(1).a.val().dtype(), dtype, "{name}");
            swag.restart(&first);
            assert_eq!((swag.steps(), swag.updates()), (0, 0), "{name}");

            let still = SwagConfig::new(1).with_scale(0.0);
            let mut still = still.init(&first).unwrap();
            still.update(&first);
            still.update(&second);
            assert_eq!(both(&still.sample(3)), both(&still.model()), "{name}");
            assert_eq!(both(&still.model()), [0.375; 6], "{name} {dtype:?}");
        }
    }
}

/// A layer that is used twice is drawn once, and running statistics are those of the last sampled step.
#[test]
fn tied_weights_stay_tied_and_statistics_are_not_drawn() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let layer = LinearConfig::new(3, 3).init(&device);
        let norm = BatchNormConfig::new(3).init(&device);
        let mut model = (layer.clone(), layer, norm);
        let mut swag = SwagConfig::new(1).with_rank(2).init(&model).unwrap();
        for step in 0..4 {
            let x = Tensor::<2>::full([4, 3], f64::from(step), &device);
            model.2.forward(x);
            let weight = tensor::<1>(&[f64::from(step); 9], DType::F32, &device).reshape([3, 3]);
            let param = model.0.weight.clone().map(|_| weight.require_grad());
            model.0.weight = param.clone();
            model.1.weight = param;
            swag.update(&model);
        }
        let sample = swag.sample(5);
        let weights = [&sample.0, &sample.1].map(|layer| values(layer.weight.val()));
        assert_eq!(weights[0], weights[1], "{name}");
        assert_ne!(weights[0], values(swag.model().0.weight.val()), "{name}");
        let statistics = |norm: &burn::nn::BatchNorm| values(norm.running_mean.value_sync());
        assert_eq!(
            statistics(&sample.2),
            statistics(&model.valid().2),
            "{name}"
        );
    }
}

#[test]
fn samples_are_the_members_of_an_ensemble() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let net = Net::new(0.0, &device);
        let mut swag = SwagConfig::new(1).init(&net).unwrap();
        swag.update(&net);
        swag.update(&Net::new(0.0, &device));
        let few = swag.samples(2, 9);
        let members = swag.samples(3, 9);
        let weight = |net: &Net| values(net.last.weight.val());
        assert_eq!(weight(&few[1]), weight(&members[1]), "{name}");
        assert_ne!(weight(&members[0]), weight(&members[1]), "{name}");
        let ensemble = EnsembleConfig::new().init(members).unwrap();
        let input = Tensor::ones([2, 4], &device.clone().inner());
        assert_eq!(ensemble.predict(input).dims(), [2, 3], "{name}");
    }
}

#[test]
fn a_recorded_distribution_goes_on() {
    for (name, device) in devices() {
        let device = device.autodiff();
        let case = case("swag", "low_rank");
        let whole = collected(case, DType::F32, &device);
        let weights: Vec<Vec<f64>> = case["weights"]
            .as_array()
            .unwrap()
            .iter()
            .map(numbers)
            .collect();
        let config = SwagConfig::new(1).with_rank(3);
        let first = pair(&weights[0], DType::F32, &device);
        for stop in 0..=weights.len() {
            let mut before = config.init(&first).unwrap();
            for weights in &weights[..stop] {
                before.update(&pair(weights, DType::F32, &device));
            }
            let bytes = before.to_record().into_bytes().unwrap();
            let record = ModuleRecord::from_bytes(bytes).unwrap();
            let mut after = config.init(&first).unwrap().load_record(record).unwrap();
            for weights in &weights[stop..] {
                after.update(&pair(weights, DType::F32, &device));
            }
            assert_eq!(
                both(&after.sample(4)),
                both(&whole.sample(4)),
                "{name} {stop}"
            );
            assert_eq!(after.updates(), 6, "{name}");
        }
        // A smaller rank keeps the newest deviations, and the record of something else is refused.
        let smaller = SwagConfig::new(1).with_rank(2).init(&first).unwrap();
        let smaller = smaller.load_record(whole.to_record()).unwrap();
        assert_eq!(both(&smaller.model()), both(&whole.model()), "{name}");
        let swa = burn_tricks::average::SwaConfig::new(1)
            .init(&first)
            .unwrap();
        let error = config.init(&first).unwrap().load_record(swa.to_record());
        assert!(error.unwrap_err().to_string().contains("Swag"), "{name}");
    }
}

#[test]
fn configs_go_through_json_and_refuse_nonsense() {
    assert_json(&SwagConfig::new(10).with_rank(0).with_scale(0.5));
    let model = pair(&[0.0; 6], DType::F32, &Device::flex());
    let refused = |config: SwagConfig, field: &str, got: &str| {
        assert_refused(config.init(&model).map(drop), field, got);
    };
    refused(SwagConfig::new(0), "update_every", "0");
    refused(SwagConfig::new(1).with_rank(1), "rank", "1");
    refused(SwagConfig::new(1).with_scale(-1.0), "scale", "-1.0");
}

/// A model that goes on training on another device takes its distribution along.
#[test]
fn it_follows_a_model_to_another_device() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for (other_name, other) in training_devices() {
            let what = format!("{name} to {other_name}");
            let case = case("swag", "low_rank");
            let weights = case["weights"].as_array().unwrap();
            let config = SwagConfig::new(1).with_rank(3);
            let mut stays = config.init(&pair(&[9.0; 6], DType::F32, &other)).unwrap();
            let mut moves = config.init(&pair(&[9.0; 6], DType::F32, &device)).unwrap();
            for (at, weights) in weights.iter().enumerate() {
                let on = if at < 3 { &device } else { &other };
                moves.update(&pair(&numbers(weights), DType::F32, on));
                stays.update(&pair(&numbers(weights), DType::F32, &other));
            }
            let (moved, stayed) = (moves.sample(4), stays.sample(4));
            assert_eq!(moved.devices(), stayed.devices(), "{what}");
            assert_close(&both(&moved), &both(&stayed), 1e-5, &what);
            assert_close(&both(&moves.model()), &both(&stays.model()), 1e-5, &what);
            let resumed = config.init(&pair(&[9.0; 6], DType::F32, &other)).unwrap();
            let resumed = resumed.load_record(moves.to_record()).unwrap();
            assert_close(&both(&resumed.sample(4)), &both(&moved), 1e-5, &what);
        }
    }
}

#[test]
fn it_follows_a_model_to_another_type_before_the_first_sample() {
    let device = Device::flex().autodiff();
    let config = SwagConfig::new(1).with_start_after(5);
    let mut swag = config.init(&pair(&[9.0; 6], DType::F32, &device)).unwrap();
    swag.update(&pair(&[2.0; 6], DType::F64, &device));
    assert_eq!(both(&swag.sample(1)), [2.0; 6]);
    assert_eq!(both(&swag.model()), [2.0; 6]);
}
