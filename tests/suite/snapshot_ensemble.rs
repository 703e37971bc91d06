//! Members of one training, and what can be said of their predictions.

use crate::devices::{devices, training_devices};
use crate::models::{Net, alone, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Int, Tensor, activation::softmax};
use burn_tricks::average::{
    CombineError, EmaConfig, EmaSet, EnsembleConfig, Predict, SnapshotEnsembleConfig, brier_score,
    disagreement, expected_calibration_error, negative_log_likelihood,
};
use std::process::Command;

fn input(device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..32).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([8, 4])
}

#[test]
fn the_members_are_the_models_of_the_last_troughs() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let plain = device.clone().without_autodiff();
        let mut model = Net::new(0.5, &device);
        let mut optim = AdamConfig::new().init();
        let mut snapshots = SnapshotEnsembleConfig::new(2).init(&model).unwrap();
        let mut kept = Vec::new();
        for step in 1..=6 {
            let loss = model.forward(input(&device)).square().mean();
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(0.05, model, grads);
            if step % 2 == 0 {
                snapshots.collect(&model);
                kept.push(softmax(model.valid().forward(input(&plain)), 1));
            }
        }
        assert_eq!((snapshots.len(), snapshots.collected()), (2, 3), "{name}");
        let ensemble = snapshots.into_ensemble(&EnsembleConfig::new()).unwrap();
        let [_, second, third] = kept.try_into().unwrap();
        let expected = values((second + third) / 2.0);
        assert_close(
            &values(ensemble.predict(input(&plain))),
            &expected,
            1e-6,
            name,
        );

        // Ids of their own: one optimizer can train them all.
        let [a, b] = ensemble.members() else {
            panic!("two members")
        };
        assert_ne!(a.first.weight.id, b.first.weight.id);
        let logits = ensemble.predict_each(input(&plain));
        assert_eq!(logits.len(), 2);
        assert_eq!(values(logits[1].clone()), values(b.forward(input(&plain))));
    }
}

#[test]
fn members_collected_do_not_follow_the_training() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = Net::new(0.0, &device);
    let mut snapshots = SnapshotEnsembleConfig::new(2).init(&model).unwrap();
    snapshots.collect(&model);
    let mean = |model: &Net| values(model.norm.running_mean.value());
    let before = mean(&model.valid());
    model.forward(input(&device));
    assert_ne!(mean(&model.valid()), before);
    let ensemble = snapshots.into_ensemble(&EnsembleConfig::new()).unwrap();
    assert_eq!(mean(&ensemble.members()[0]), before);
}

#[test]
fn no_member_and_no_room_are_errors() {
    let _alone = alone();
    let model = Net::new(0.0, &Device::flex());
    let error = SnapshotEnsembleConfig::new(0).init(&model).unwrap_err();
    assert_eq!(error.to_string(), "`last` must be at least 1, got 0");
    let snapshots = SnapshotEnsembleConfig::new(1).init(&model).unwrap();
    assert!(snapshots.is_empty());
    let result = snapshots.into_ensemble(&EnsembleConfig::new());
    assert_eq!(result.map(|_| ()).unwrap_err(), CombineError::Empty);
}

#[test]
fn likelihood_brier_score_and_calibration_agree_with_their_oracles() {
    for (backend, device) in devices() {
        let probabilities = |name: &str| {
            let rows: Vec<Vec<f32>> = read(&case("calibration", name)["probabilities"]);
            let (rows, flat) = (rows.len(), rows.concat());
            Tensor::<1>::from_floats(flat.as_slice(), &device).reshape([rows, flat.len() / rows])
        };
        let classes = |name: &str| -> Tensor<1, Int> {
            let classes: Vec<i32> = read(&case("calibration", name)["classes"]);
            Tensor::from_ints(classes.as_slice(), &device)
        };
        for (name, got) in [
            (
                "nll",
                negative_log_likelihood(probabilities("nll"), classes("nll")),
            ),
            (
                "brier",
                brier_score(probabilities("brier"), classes("brier")),
            ),
        ] {
            let expected = read(&case("calibration", name)["value"]);
            assert_close(
                &values(got),
                &[expected],
                1e-6,
                &format!("{name} on {backend}"),
            );
        }
        let case = case("calibration", "ece");
        let bins: Vec<usize> = read(&case["bins"]);
        for (bins, expected) in bins.into_iter().zip(numbers(&case["values"])) {
            let got = expected_calibration_error(probabilities("ece"), classes("ece"), bins);
            assert_close(
                &values(got),
                &[expected],
                2e-6,
                &format!("{bins} bins on {backend}"),
            );
        }
    }
}

#[test]
fn disagreement_agrees_with_its_oracle() {
    let case = case("calibration", "disagreement");
    let choices: Vec<Vec<i32>> = read(&case["choices"]);
    for (backend, device) in devices() {
        let member = |choices: &Vec<i32>| -> Tensor<2> {
            Tensor::<1, Int>::from_ints(choices.as_slice(), &device)
                .one_hot(3)
                .float()
        };
        let members: Vec<_> = choices.iter().map(member).collect();
        let expected: f64 = read(&case["value"]);
        assert_close(&values(disagreement(&members)), &[expected], 1e-6, backend);
        let alone = values(disagreement(&members[..1]))[0];
        assert!(alone.is_nan(), "{backend}: nobody to disagree with");
    }
}

#[test]
fn certainty_that_is_wrong_is_infinitely_unlikely() {
    let device = Device::flex();
    let p = Tensor::<2>::from_floats([[1.0, 0.0]], &device);
    let wrong = Tensor::<1, Int>::from_ints([1], &device);
    let nll = negative_log_likelihood(p.clone(), wrong.clone());
    assert_eq!(values(nll), [f64::INFINITY]);
    assert_eq!(
        values(brier_score(p.clone(), wrong.clone())),
        [2.0],
        "its largest"
    );
    assert_eq!(values(expected_calibration_error(p, wrong, 15)), [1.0]);
}

/// In a process in which there is no default device.
#[test]
fn before_the_first_member_the_record_is_made_on_the_model_s_device() {
    const DEVICE: &str = "BURN_DEVICE";
    const NONE: &str = "none of Burn's";
    if std::env::var_os(DEVICE).is_none_or(|device| device != NONE) {
        let (_, module) = module_path!().split_once("::").unwrap();
        let test = "before_the_first_member_the_record_is_made_on_the_model_s_device";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::{test}")])
            .env(DEVICE, NONE)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
        return;
    }
    assert!(std::panic::catch_unwind(Device::default).is_err());
    let _alone = alone();
    let model = Net::new(0.5, &Device::flex());
    let empty = || SnapshotEnsembleConfig::new(2).init(&model).unwrap();
    let loaded = empty().load_record(empty().to_record()).unwrap();
    assert!(loaded.is_empty());
    let mut some = loaded;
    some.collect(&model);
    let loaded = empty().load_record(some.to_record()).unwrap();
    assert_eq!(loaded.len(), 1);

    let set = || EmaSet::<Net>::init(&[], &model).unwrap();
    assert!(set().to_record().is_empty());
    let bytes = set().to_record().into_bytes().unwrap();
    let record = ModuleRecord::from_bytes(bytes).unwrap();
    assert_eq!(set().load_record(record).unwrap().iter().len(), 0);
    let error = set().load_record(some.to_record()).unwrap_err();
    assert!(
        error.to_string().contains("a set without averages"),
        "{error}"
    );
    let one = EmaSet::init(&[EmaConfig::new(0.9)], &model).unwrap();
    let error = one.load_record(set().to_record()).unwrap_err();
    assert!(
        error.to_string().contains("not that of an average"),
        "{error}"
    );
}
