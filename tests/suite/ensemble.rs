//! Model-averaging ensembles.

use crate::devices::devices;
use crate::models::{Net, alone, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::{Module, Param};
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use burn_tricks::average::{Combine, CombineError, Ensemble, EnsembleConfig, Predict};

/// A model that says the same to everything.
#[derive(Module, Debug)]
struct Oracle {
    logits: Param<Tensor<2>>,
}

impl Predict for Oracle {
    type Input = ();

    fn predict(&self, (): ()) -> Tensor<2> {
        self.logits.val()
    }
}

fn says(logits: &[f64], device: &Device) -> Oracle {
    let logits = Tensor::<1>::from_data(logits, device).unsqueeze();
    Oracle {
        logits: Param::from_tensor(logits),
    }
}

fn combined(config: EnsembleConfig, rows: &[Vec<f64>], device: &Device) -> Vec<f64> {
    let members = rows.iter().map(|row| says(row, device)).collect();
    values(config.init(members).unwrap().predict(()))
}

fn config(combine: Combine) -> EnsembleConfig {
    EnsembleConfig::new().with_combine(combine)
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let sum: f64 = logits.iter().map(|z| z.exp()).sum();
    logits.iter().map(|z| z.exp() / sum).collect()
}

#[test]
fn each_mean_and_the_vote_are_right() {
    for name in ["agree", "disagree"] {
        let case = case("ensemble", name);
        let rows: Vec<Vec<f64>> = read(&case["logits"]);
        for (device_name, device) in devices() {
            let what = format!("{name} on {device_name}");
            let expect = |actual: Vec<f64>, field: &str| {
                assert_close(
                    &actual,
                    &numbers(&case[field]),
                    1e-6,
                    &format!("{field}, {what}"),
                );
            };
            let probabilities = combined(config(Combine::MeanProbabilities), &rows, &device);
            expect(probabilities, "mean_of_probabilities");
            let logits = combined(config(Combine::MeanLogits), &rows, &device);
            expect(softmax(&logits), "softmax_of_mean_logits");
            let votes = combined(config(Combine::MajorityVote), &rows, &device);
            let votes: Vec<f64> = votes.iter().map(|share| share * 3.0).collect();
            expect(votes, "votes");
            let weights = numbers(&case["weights"]);
            // Only their ratios matter.
            for scale in [1.0, 40.0] {
                let weights = weights.iter().map(|weight| weight * scale).collect();
                let weighted = EnsembleConfig::new().with_weights(Some(weights));
                expect(
                    combined(weighted, &rows, &device),
                    "weighted_mean_of_probabilities",
                );
            }
        }
    }
}

#[test]
fn one_member_is_itself_and_a_tie_goes_to_the_lower_class() {
    let device = Device::flex();
    let row = vec![vec![0.3, -1.0, 2.0]];
    assert_close(
        &combined(config(Combine::MeanLogits), &row, &device),
        &row[0],
        1e-6,
        "one member",
    );
    let tie = [vec![1.0, 1.0, 0.0]];
    assert_eq!(
        combined(config(Combine::MajorityVote), &tie, &device),
        [1.0, 0.0, 0.0]
    );
}

fn nets(count: usize, seed: u64, device: &Device) -> Ensemble<Net> {
    EnsembleConfig::new()
        .init_seeded(count, device, seed, |device| Net::new(0.0, device))
        .unwrap()
}

fn input(device: &Device) -> Tensor<2> {
    Tensor::<1>::from_floats([0.5, -1.0, 2.0, 0.1, 1.0, 1.0, -1.0, 3.0], device).reshape([2, 4])
}

#[test]
fn a_seed_makes_members_that_differ_and_the_same_ones_again() {
    let _alone = alone();
    for (name, device) in devices() {
        let outputs = |ensemble: &Ensemble<Net>| -> Vec<Vec<f64>> {
            let of = |member: &Net| values(member.forward(input(&device)));
            ensemble.members().iter().map(of).collect()
        };
        let first = nets(3, 1, &device);
        let seen = outputs(&first);
        assert_ne!(seen[0], seen[1], "{name}");
        assert_ne!(seen[1], seen[2], "{name}");
        assert_eq!(outputs(&nets(3, 1, &device)), seen, "{name}");
        assert_ne!(outputs(&nets(3, 9, &device)), seen, "{name}");
        // A member stays the same if there are more of them, and the first has the seed itself.
        assert_eq!(outputs(&nets(2, 1, &device)), seen[..2], "{name}");
        device.seed(1);
        let net = Net::new(0.0, &device);
        assert_eq!(values(net.forward(input(&device))), seen[0], "{name}");
    }
}

#[test]
fn ensembles_of_other_seeds_have_other_members() {
    let _alone = alone();
    let device = Device::flex();
    let mut seen = Vec::new();
    for seed in [0, 1, 2, 3, u64::MAX] {
        for member in nets(5, seed, &device).members() {
            let output = values(member.forward(input(&device)));
            assert!(!seen.contains(&output), "seed {seed}");
            seen.push(output);
        }
    }
}

#[test]
fn it_is_saved_and_loaded_as_one_record() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    for (name, device) in devices() {
        let ensemble = nets(3, 1, &device);
        let expected = values(ensemble.predict(input(&device)));
        let path = folder.path().join(name);
        ensemble.save_file(&path).unwrap();
        let other = nets(3, 100, &device);
        assert_ne!(values(other.predict(input(&device))), expected);
        let loaded = other.load_file(&path);
        assert_eq!(values(loaded.predict(input(&device))), expected, "{name}");
    }
}

#[test]
fn its_modes_are_its_members() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let ensemble = nets(2, 1, &device);
    assert!(ensemble.members()[1].first.weight.is_require_grad());
    let valid = ensemble.valid();
    assert!(!valid.members()[1].first.weight.is_require_grad());
    assert!(
        valid.train().into_members()[1]
            .first
            .weight
            .is_require_grad()
    );
}

#[test]
fn clones_are_refused() {
    let _alone = alone();
    let device = Device::flex();
    let net = Net::new(0.0, &device);
    let error = EnsembleConfig::new()
        .init(vec![Net::new(0.0, &device), net.clone(), net.clone()])
        .unwrap_err();
    assert!(
        matches!(&error, CombineError::SharedParameter { path, first: 1, second: 2 } if path == "first.weight")
    );
    assert_eq!(
        error.to_string(),
        "members 1 and 2 share the parameter `first.weight`: is one a clone of the other?"
    );
    let built = EnsembleConfig::new().init_seeded(2, &device, 0, |_| net.clone());
    assert!(matches!(built, Err(CombineError::SharedParameter { .. })));
}

#[test]
fn other_shapes_are_refused() {
    let _alone = alone();
    let device = Device::flex();
    let linear = |outputs, bias| LinearConfig::new(2, outputs).with_bias(bias).init(&device);
    let error = EnsembleConfig::new()
        .init(vec![linear(3, true), linear(3, true), linear(4, true)])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "model 2 and model 0: the architectures differ: expected `weight` [2, 3] F32, got \
         `weight` [2, 4] F32: models that are combined must be made by one configuration"
    );
    let error = EnsembleConfig::new()
        .init(vec![linear(3, true), linear(3, false)])
        .unwrap_err();
    assert!(
        error.to_string().contains("got no further parameter"),
        "{error}"
    );
}

#[test]
fn no_members_or_bad_weights_are_refused() {
    let device = Device::flex();
    let empty = EnsembleConfig::new().init(Vec::<Net>::new());
    assert!(matches!(empty, Err(CombineError::Empty)));
    for bad in [
        vec![1.0],
        vec![1.0, -0.5],
        vec![0.0, 0.0],
        vec![1.0, f64::NAN],
        vec![f64::INFINITY, 1.0],
    ] {
        let members = vec![says(&[1.0], &device), says(&[2.0], &device)];
        let error = EnsembleConfig::new()
            .with_weights(Some(bad.clone()))
            .init(members)
            .unwrap_err();
        assert!(matches!(error, CombineError::Config(_)), "{bad:?}");
        let got = format!("got {bad:?} for 2 members");
        assert!(error.to_string().ends_with(&got), "{error}");
    }
}

#[test]
fn the_configuration_survives_json() {
    let config = config(Combine::MajorityVote).with_weights(Some(vec![1.0, 2.5]));
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<EnsembleConfig>(&json).unwrap(),
        config
    );
}
