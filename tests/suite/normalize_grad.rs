//! The normalised gradient over the whole model.

use crate::devices::{devices, training_devices};
use crate::models::{Pair, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::optim::SgdConfig;
use burn::tensor::DType;
use burn_tricks::grad::{NonFinite, NormKind, NormScope, NormalizeGrad, NormalizeGradConfig};

fn normalize() -> NormalizeGrad {
    NormalizeGradConfig::new().init().unwrap()
}

/// Runs the oracle's steps with plain SGD behind the transform.
fn check(start: [&[f64]; 2], steps: Vec<[Vec<f64>; 2]>, weights: Vec<[Vec<f64>; 2]>, lr: f64) {
    for (name, device) in training_devices() {
        let mut pair = Pair::new(start[0], start[1], DType::F32, &device);
        let mut optim = SgdConfig::new().init();
        for ([grad_a, grad_b], [a, b]) in steps.iter().zip(&weights) {
            let grads = normalize().apply(&pair, pair.grads(grad_a, grad_b));
            pair = optim.step(lr, pair, grads);
            let values = pair.values();
            assert_close(&values.0, a, 1e-6, name);
            assert_close(&values.1, b, 1e-6, name);
        }
    }
}

#[test]
fn with_sgd_it_is_the_normalized_gradient_rule() {
    let case = case("optimizers", "normalized_gradient");
    let gradients: Vec<[f64; 2]> = read(&case["gradients"]);
    let weights: Vec<[f64; 2]> = read(&case["weights"]);
    assert_close(
        &weights[0],
        &[0.910_557_28, -0.955_278_64],
        1e-7,
        "first step",
    );
    // The two numbers in two parameters: the norm is over both.
    let split = |rows: Vec<[f64; 2]>| rows.into_iter().map(|[a, b]| [vec![a], vec![b]]).collect();
    let lr = read(&case["settings"]["lr"]);
    check([&[1.0], &[-1.0]], split(gradients), split(weights), lr);
}

#[test]
fn the_norm_is_over_the_whole_model() {
    let case = case("two_tensors", "whole_model");
    let rows = |field: &str| -> Vec<[Vec<f64>; 2]> {
        let a: Vec<Vec<f64>> = read(&case[field]["a"]);
        let b: Vec<Vec<f64>> = read(&case[field]["b"]);
        a.into_iter().zip(b).map(|(a, b)| [a, b]).collect()
    };
    let (a, b) = (numbers(&case["start"]["a"]), numbers(&case["start"]["b"]));
    let lr = read(&case["settings"]["lr"]);
    check([&a, &b], rows("gradients"), rows("weights"), lr);
}

#[test]
fn a_zero_gradient_gives_a_zero_update() {
    for (name, device) in devices() {
        for epsilon in [0.0, 1e-6] {
            let normalize = NormalizeGradConfig::new().with_epsilon(epsilon);
            let (pair, grads) = Pair::with_grads(&[0.0; 2], &[0.0], DType::F32, &device);
            let (grads, norm) = normalize.init().unwrap().apply_with_norm(&pair, grads);
            assert_eq!(pair.read_grads(&grads), (vec![0.0; 2], vec![0.0]), "{name}");
            assert_eq!(values(norm.unwrap()), [0.0]);
        }
    }
}

#[test]
fn the_scope_the_norm_and_epsilon_are_obeyed() {
    for (name, device) in devices() {
        let (pair, grads) = Pair::with_grads(&[3.0, 4.0], &[0.0, -10.0], DType::F32, &device);
        let per_tensor = NormalizeGradConfig::new().with_scope(NormScope::Tensor);
        let grads = per_tensor.init().unwrap().apply(&pair, grads);
        let (a, b) = pair.read_grads(&grads);
        assert_close(&a, &[0.6, 0.8], 1e-6, name);
        assert_close(&b, &[0.0, -1.0], 1e-6, name);

        let grads = pair.grads(&[3.0, 4.0], &[0.0, -10.0]);
        let largest = NormalizeGradConfig::new()
            .with_norm(NormKind::LInf)
            .with_epsilon(10.0);
        let (a, b) = pair.read_grads(&largest.init().unwrap().apply(&pair, grads));
        assert_close(&a, &[0.15, 0.2], 1e-6, name);
        assert_close(&b, &[0.0, -0.5], 1e-6, name);
    }
}

#[test]
fn a_bad_gradient_propagates_or_becomes_zero() {
    for (name, device) in devices() {
        let bad = [1.0, f64::NAN];
        let (pair, grads) = Pair::with_grads(&bad, &[1.0], DType::F32, &device);
        let (_, b) = pair.read_grads(&normalize().apply(&pair, grads));
        assert!(b[0].is_nan(), "{name}: {b:?}");
        let zero = NormalizeGradConfig::new().with_non_finite(NonFinite::ZeroGradient);
        let grads = zero.init().unwrap().apply(&pair, pair.grads(&bad, &[1.0]));
        assert_eq!(pair.read_grads(&grads), (vec![0.0; 2], vec![0.0]), "{name}");
    }
}

#[test]
fn a_meaningless_configuration_is_refused() {
    let epsilon = NormalizeGradConfig::new().with_epsilon(f64::NAN).init();
    assert_eq!(epsilon.unwrap_err().field, "epsilon");
    let p = NormalizeGradConfig::new()
        .with_norm(NormKind::Lp(0.0))
        .init();
    assert_eq!(p.unwrap_err().field, "norm");
    let element = NormalizeGradConfig::new()
        .with_scope(NormScope::Element)
        .init();
    assert_eq!(element.unwrap_err().field, "scope");
}

#[test]
fn the_configuration_survives_json() {
    let config = NormalizeGradConfig::new()
        .with_norm(NormKind::L1)
        .with_scope(NormScope::Tensor)
        .with_non_finite(NonFinite::ZeroGradient)
        .with_epsilon(0.5);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<NormalizeGradConfig>(&json).unwrap(),
        config
    );
}

#[test]
fn the_smallest_gradients_keep_their_direction_and_stay_finite() {
    for (name, device) in devices() {
        for size in [1e-37, 1e-39, 1e-44] {
            if size < 1e-38 && name != "flex" {
                continue; // other backends may flush what is not normal
            }
            let (pair, grads) = Pair::with_grads(&[size, 0.0], &[-size], DType::F32, &device);
            let (a, b) = pair.read_grads(&normalize().apply(&pair, grads));
            assert_eq!(a[1], 0.0, "{name}: {a:?}");
            assert!(
                a[0] > 0.0 && a[0] <= 1.0 && b[0] == -a[0],
                "{name}: {a:?}, {b:?}"
            );
        }
        for size in [1e-39, 1e-44] {
            let (pair, grads) = Pair::with_grads(&[size, 0.0], &[-size], DType::F32, &device);
            let (a, b) = pair.read_grads(&normalize().apply(&pair, grads));
            assert!(
                a.iter().chain(&b).all(|g| g.is_finite()),
                "{name}: {a:?}, {b:?}"
            );
        }
    }
}
