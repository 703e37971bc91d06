//! A penalty on activations.

use crate::devices::training_devices;
use crate::models::{alone, dtypes, values};
use crate::norms::{assert_gradient, assert_json, assert_refused, grid};
use crate::oracle::{assert_close, case, read};
use burn::tensor::{DType, Tensor};
use burn_tricks::nn::ActivityPenaltyConfig;

#[test]
fn penalties_of_activations_are_those_of_keras() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for case_name in ["l1", "l2", "both"] {
            let case = case("activity_penalty", case_name);
            let penalty = ActivityPenaltyConfig::new()
                .with_l1(read(&case["settings"]["l1"]))
                .with_l2(read(&case["settings"]["l2"]))
                .init()
                .unwrap();
            let a = grid::<3>([4, 3, 2], 0.7, 2.0, (&device, DType::F32));
            let expected = [read::<f64>(&case["penalty"])];
            let what = format!("{name} {case_name}");
            assert_close(&values(penalty.forward(a.clone())), &expected, 1e-6, &what);
            let loss = Tensor::<1>::full([1], 0.5, &device);
            let sum = values(penalty.add_to(loss, a));
            assert_close(&sum, &[0.5 + expected[0]], 1e-6, &what);
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let _alone = alone();
    let penalty = ActivityPenaltyConfig::new().with_l1(0.3).with_l2(0.2);
    let penalty = penalty.init().unwrap();
    for (name, device) in training_devices() {
        assert_gradient(|a: Tensor<2>| penalty.forward(a), [4, 3], &device, name);
    }
}

#[test]
fn sums_of_half_precision_do_not_overflow_and_no_sample_is_no_penalty() {
    let _alone = alone();
    let penalty = ActivityPenaltyConfig::new().with_l2(1e-3).init().unwrap();
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let a = Tensor::<2>::full([100, 8], 64.0, (&device, dtype));
            let got = values(penalty.forward(a));
            assert_close(&got, &[8.0 * 64.0 * 64.0 * 1e-3], 1e-6, name);
            let none = Tensor::<2>::zeros([0, 8], (&device, dtype));
            assert_eq!(values(penalty.forward(none)), [0.0], "{name}");
        }
        let nothing = ActivityPenaltyConfig::new().init().unwrap();
        let a = Tensor::<2>::ones([4, 3], &device);
        assert_eq!(values(nothing.forward(a.clone())), [0.0], "{name}");
        let loss = Tensor::<1>::full([1], 0.5, &device);
        assert_eq!(values(nothing.add_to(loss, a)), [0.5], "{name}");
    }
}

#[test]
fn configs_go_through_json_and_refuse_nonsense() {
    assert_json(&ActivityPenaltyConfig::new().with_l1(0.5));
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        let got = format!("{bad:?}");
        let l1 = ActivityPenaltyConfig::new().with_l1(bad);
        assert_refused(l1.init(), "l1", &got);
        let l2 = ActivityPenaltyConfig::new().with_l2(bad);
        assert_refused(l2.init(), "l2", &got);
    }
}
