//! Focal losses and class weights.

use crate::devices::{devices, training_devices};
use crate::oracle::{assert_close, case, numbers, read};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, IntDType, Tensor, TensorData};
use burn_tricks::data::{balanced_class_weights, class_counts};
use burn_tricks::nn::{SigmoidFocalLossConfig, SoftmaxFocalLossConfig};
use std::panic::{AssertUnwindSafe, catch_unwind};

const GAMMAS: [f64; 4] = [0.0, 1.0, 2.0, 3.5];

fn matrix(key: &str, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = read(&case("focal", "inputs")[key]);
    Tensor::from_data(TensorData::new(values, [4, 3]), device)
}

fn labels(device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i32> = read(&case("focal", "inputs")["labels"]);
    Tensor::from_data(TensorData::new(labels, [4]), device)
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Each within 2e-6 of its size and 1e-7: `f32` subtracts logits of up to 40 from each other.
fn assert_each(actual: &[f64], expected: &[f64], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (a, e) in actual.iter().zip(expected) {
        let close = (a - e).abs() <= 2e-6 * e.abs() + 1e-7;
        assert!(close, "{what}: got {actual:?}, expected {expected:?}");
    }
}

#[test]
fn the_sigmoid_form_is_that_of_torchvision() {
    for (name, device) in training_devices() {
        for gamma in GAMMAS {
            for (key, alpha) in [("-1.0", None), ("0.25", Some(0.25))] {
                let key = format!("sigmoid_{gamma:?}_{key}");
                let config = SigmoidFocalLossConfig::new().with_gamma(gamma);
                let loss = config.with_alpha(alpha).init().unwrap();
                let logits = matrix("logits", &device).require_grad();
                let losses = loss.forward_no_reduction(logits.clone(), matrix("targets", &device));
                let what = format!("{key} on {name}");
                let expected = case("focal", &key);
                assert_each(&flat(losses.clone()), &numbers(&expected["loss"]), &what);
                let grad = logits.grad(&losses.clone().sum().backward()).unwrap();
                assert_each(&flat(grad), &numbers(&expected["grad"]), &what);
                let mean = loss.forward(logits, matrix("targets", &device));
                let expected = flat(losses).iter().sum::<f64>() / 12.0;
                assert_close(&flat(mean), &[expected], 1e-6, &what);
            }
        }
    }
}

/// Class indices as a dataset has them.
#[test]
fn labels_of_any_integer_type_are_taken() {
    let device = Device::flex();
    let config = SoftmaxFocalLossConfig::new().with_class_weights(Some(vec![1.0, 2.0, 3.0]));
    let loss = config.init(&device).unwrap();
    let of = |labels| flat(loss.forward_no_reduction(matrix("logits", &device), labels));
    let expected = of(labels(&device));
    for dtype in [IntDType::U8, IntDType::I64, IntDType::U32] {
        assert_eq!(of(labels(&device).cast(dtype)), expected, "{dtype:?}");
    }
}

/// As an index it would be that of another sample's class.
#[test]
fn the_loss_of_a_label_that_is_no_class_is_nan() {
    for (name, device) in training_devices() {
        for weights in [None, Some(vec![0.5, 1.0, 4.0])] {
            for (gamma, wrong) in [(0.0, 3), (0.0, -100), (2.0, 3), (2.0, -1)] {
                let what = format!("γ = {gamma}, label {wrong} on {name}");
                let config = SoftmaxFocalLossConfig::new().with_gamma(gamma);
                let loss = config.with_class_weights(weights.clone());
                let loss = loss.init(&device).unwrap();
                let both = |labels: [i32; 2]| {
                    let logits = Tensor::<2>::from_data([[0.0, 2.0, -1.0]; 2], &device);
                    let logits = logits.require_grad();
                    let labels = Tensor::<1, Int>::from_data(labels, &device);
                    let losses = loss.forward_no_reduction(logits.clone(), labels);
                    let grad = logits.grad(&losses.clone().sum().backward()).unwrap();
                    (flat(losses), flat(grad))
                };
                let ((losses, grad), (right, right_grad)) = (both([0, wrong]), both([0, 1]));
                assert_eq!(
                    (losses[0], &grad[..3]),
                    (right[0], &right_grad[..3]),
                    "{what}"
                );
                let wrong = [&losses[1..], &grad[3..]].concat();
                assert!(
                    wrong.iter().all(|number| number.is_nan()),
                    "{what}: {wrong:?}"
                );
            }
        }
    }
}

#[test]
fn the_softmax_form_is_that_of_its_formula_in_pytorch() {
    for (name, device) in training_devices() {
        for gamma in GAMMAS {
            for (key, weights) in [("plain", None), ("weights", Some(vec![0.5, 1.0, 4.0]))] {
                let key = format!("softmax_{gamma:?}_{key}");
                let config = SoftmaxFocalLossConfig::new().with_gamma(gamma);
                let loss = config.with_class_weights(weights).init(&device).unwrap();
                let logits = matrix("logits", &device).require_grad();
                let losses = loss.forward_no_reduction(logits.clone(), labels(&device));
                let what = format!("{key} on {name}");
                let expected = case("focal", &key);
                assert_each(&flat(losses.clone()), &numbers(&expected["loss"]), &what);
                let grad = logits.grad(&losses.sum().backward()).unwrap();
                assert_each(&flat(grad), &numbers(&expected["grad"]), &what);
            }
        }
    }
}

#[test]
fn without_gamma_and_weights_it_is_the_cross_entropy() {
    for (name, device) in devices() {
        let loss = SoftmaxFocalLossConfig::new().with_gamma(0.0);
        let loss = loss.init(&device).unwrap();
        let focal = loss.forward(matrix("logits", &device), labels(&device));
        let entropy = CrossEntropyLossConfig::new().init(&device);
        let entropy = entropy.forward(matrix("logits", &device), labels(&device));
        assert_close(&flat(focal), &flat(entropy), 1e-6, name);
    }
}

/// γ miss^(γ − 1) is infinite where nothing is missed.
#[test]
fn gradients_are_finite_for_every_gamma_at_every_logit() {
    for (name, device) in training_devices() {
        for gamma in [0.0, 0.1, 0.5, 0.99, 1.0, 1.5, 5.0] {
            let extreme = [[-3e4, 0.0, 3e4], [200.0, -200.0, 0.0]];
            let logits = Tensor::<2>::from_data(extreme, &device).require_grad();
            let labels = Tensor::<1, Int>::from_data([2, 0], &device);
            let targets = Tensor::<2>::from_data([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]], &device);
            let sigmoid = SigmoidFocalLossConfig::new().with_gamma(gamma);
            let sigmoid = sigmoid.init().unwrap().forward(logits.clone(), targets);
            let softmax = SoftmaxFocalLossConfig::new().with_gamma(gamma);
            let softmax = softmax.init(&device).unwrap();
            let softmax = softmax.forward(logits.clone(), labels);
            for loss in [sigmoid, softmax] {
                let grad = flat(logits.grad(&loss.backward()).unwrap());
                let finite = grad.iter().all(|number| number.is_finite());
                assert!(finite, "{name}, γ = {gamma}: {grad:?}");
            }
        }
    }
}

#[test]
fn class_weights_are_those_of_scikit_learn() {
    for name in ["two", "four", "even"] {
        let case = case("class_weights", name);
        let weights = balanced_class_weights(&read::<Vec<usize>>(&case["counts"])).unwrap();
        let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
        assert_close(&weights, &numbers(&case["weights"]), 1e-7, name);
    }
    let counts = class_counts([0, 2, 2], 3).unwrap();
    let error = balanced_class_weights(&counts).unwrap_err().to_string();
    let told = "class 1 has no sample, got [1, 0, 2]";
    assert!(error.contains(told), "{error}");
    assert!(balanced_class_weights(&[]).is_err());
    let error = class_counts([0, 3], 3).unwrap_err().to_string();
    let told = "`labels` must be less than the number of classes, 3, got 3";
    assert_eq!(error, told);
}

#[test]
fn bad_settings_are_refused_by_name() {
    let sigmoid = |gamma: f64, alpha: f64| {
        let config = SigmoidFocalLossConfig::new().with_gamma(gamma);
        let made = config.with_alpha(Some(alpha)).init();
        made.unwrap_err().to_string()
    };
    assert!(sigmoid(-1.0, 0.5).contains("`gamma`"));
    assert!(sigmoid(2.0, 1.5).contains("`alpha` must lie in [0, 1], got 1.5"));
    let weights = SoftmaxFocalLossConfig::new().with_class_weights(Some(vec![1.0, f32::NAN]));
    let error = weights.init(&Device::flex()).unwrap_err().to_string();
    assert!(
        error.contains("`class_weights`") && error.contains("NaN"),
        "{error}"
    );
}

/// They would be broadcast: a loss of each logit with each target.
#[test]
fn a_target_for_each_logit_is_asked_for() {
    let device = Device::flex();
    let loss = SigmoidFocalLossConfig::new().init().unwrap();
    for (logits, targets) in [([4, 1], [1, 4]), ([4, 3], [4, 1]), ([1, 3], [4, 3])] {
        let logits = || Tensor::<2>::zeros(logits, &device);
        let targets = || Tensor::<2>::ones(targets, &device);
        let mean = || flat(loss.forward(logits(), targets()));
        let each = || flat(loss.forward_no_reduction(logits(), targets()));
        for panic in [
            catch_unwind(AssertUnwindSafe(mean)),
            catch_unwind(AssertUnwindSafe(each)),
        ] {
            let text = *panic.unwrap_err().downcast::<String>().unwrap();
            assert!(text.contains("needs one target for each logit"), "{text}");
        }
    }
}

#[test]
#[should_panic(expected = "a weight for each of 3 classes, got 2")]
fn a_weight_for_each_class_is_asked_for() {
    let device = Device::flex();
    let loss = SoftmaxFocalLossConfig::new().with_class_weights(Some(vec![1.0, 2.0]));
    let loss = loss.init(&device).unwrap();
    loss.forward(matrix("logits", &device), labels(&device));
}
