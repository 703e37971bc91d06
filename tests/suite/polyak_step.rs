//! Polyak's step: optax's numbers, and steps that must not be taken.

use crate::devices::{devices, is_gpu, training_devices};
use crate::models::{Pair, tensor};
use crate::oracle::{assert_close, case, read};
use crate::sharpness_aware::Small;
use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Tensor};
use burn::train::ModuleSharder;
use burn_tricks::grad::{PolyakStep, PolyakStepConfig};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn matches_optax(name: &str, config: &PolyakStepConfig, lr: f64) {
    let polyak = config.init().unwrap();
    let rows: Vec<Vec<f64>> = read(&case("polyak", name)["weights"]);
    for (backend, device) in training_devices() {
        for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-6)] {
            if !device.supports_dtype(dtype) {
                continue;
            }
            let mut model = Small::new(dtype, &device);
            let mut optim = SgdConfig::new().init();
            for (step, row) in rows.iter().enumerate() {
                // In `f32` each step begins at optax's weights: steps of this length double a rounding error.
                if let (DType::F32, Some(before)) = (dtype, rows[..step].last()) {
                    model = model.with_numbers(before);
                }
                let loss = model.loss(step, dtype, &device);
                let grads = GradientsParams::from_grads(loss.backward(), &model);
                model = optim.step(lr, model.clone(), polyak.apply(&model, grads, &loss));
                let what = format!("{name}, step {step}, {dtype:?} on {backend}");
                model.is_near(row, tolerance, &what);
            }
        }
    }
}

#[test]
fn the_steps_are_optax_s() {
    let config = PolyakStepConfig::new();
    matches_optax("default", &config, 1.0);
    matches_optax("long_steps", &config.clone().with_max_step(10.0), 1.0);
    let all = config
        .with_max_step(0.7)
        .with_min_loss(0.3)
        .with_epsilon(0.05)
        .with_never_uphill(true);
    matches_optax("all", &all, 1.0);
}

/// The gradients of a loss of this value, scaled.
fn scaled(polyak: &PolyakStep, grads: [f64; 2], loss: f64, dtype: DType) -> Vec<[f64; 2]> {
    let devices = devices().into_iter();
    devices
        .filter(|(_, device)| device.supports_dtype(dtype))
        .map(|(_, device)| {
            let pair = Pair::new(&[0.0], &[0.0], dtype, &device);
            let loss = Tensor::<1>::from_data([loss], (&device, dtype));
            let grads = polyak.apply(&pair, pair.grads(&[grads[0]], &[grads[1]]), &loss);
            let (a, b) = pair.read_grads(&grads);
            [a[0], b[0]]
        })
        .collect()
}

#[test]
fn the_step_is_the_gap_over_the_squared_norm_up_to_the_longest() {
    let polyak = PolyakStepConfig::new()
        .with_min_loss(1.0)
        .with_max_step(0.5);
    let polyak = polyak.init().unwrap();
    for (loss, step) in [(6.0, 0.2), (1.0, 0.0), (-4.0, -0.2), (1e6, 0.5)] {
        for got in scaled(&polyak, [3.0, -4.0], loss, DType::F32) {
            assert_close(
                &got,
                &[3.0 * step, -4.0 * step],
                1e-6,
                &format!("loss {loss}"),
            );
        }
    }
    let never_uphill = PolyakStepConfig::new()
        .with_never_uphill(true)
        .init()
        .unwrap();
    for got in scaled(&never_uphill, [3.0, -4.0], -0.1, DType::F32) {
        assert_eq!(got.map(f64::abs), [0.0, 0.0]);
    }
}

#[test]
fn a_gradient_of_zero_makes_no_step_and_one_beyond_the_squares_the_right_one() {
    for epsilon in [0.0, 1e-3] {
        let polyak = PolyakStepConfig::new()
            .with_epsilon(epsilon)
            .init()
            .unwrap();
        for loss in [2.0, 0.0, -1.0] {
            for got in scaled(&polyak, [0.0, 0.0], loss, DType::F32) {
                assert_eq!(got.map(f64::abs), [0.0, 0.0], "loss {loss}");
            }
        }
    }
    let polyak = PolyakStepConfig::new().init().unwrap();
    // ‖g‖² is 2.5e41, beyond f32, and the step 0.25e-11 times the gradient.
    for got in scaled(&polyak, [3e20, -4e20], 6.25e29, DType::F32) {
        let step = 6.25e29 / 2.5e41;
        assert_close(
            &got,
            &[3e20 * step, -4e20 * step],
            1e-6,
            "beyond the squares",
        );
    }
    // At the minimum there is no step, even if 1 / ‖g‖ overflows.
    for (tiny, dtype) in [(1e-39, DType::F32), (1e-310, DType::F64)] {
        for got in scaled(&polyak, [tiny, 0.0], 0.0, dtype) {
            assert_eq!(got, [0.0, 0.0], "{tiny}");
        }
    }
}

#[test]
fn a_loss_or_gradient_that_is_not_finite_shows() {
    let polyak = PolyakStepConfig::new().init().unwrap();
    let of_loss = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|loss| ([1.0, 1.0], loss));
    let of_grad = [([f64::NAN, 1.0], 1.0)];
    for (grads, loss) in of_grad.into_iter().chain(of_loss) {
        for got in scaled(&polyak, grads, loss, DType::F32) {
            assert!(
                got.iter().all(|grad| grad.is_nan()),
                "{grads:?} {loss}: {got:?}"
            );
        }
    }
}

#[test]
fn an_infinite_loss_shows_with_every_setting() {
    for epsilon in [0.0, 0.1] {
        let config = PolyakStepConfig::new().with_epsilon(epsilon);
        let polyak = config.with_never_uphill(true).init().unwrap();
        for loss in [f64::INFINITY, f64::NEG_INFINITY] {
            for got in scaled(&polyak, [1.0, 1.0], loss, DType::F32) {
                assert!(got.iter().all(|grad| grad.is_nan()), "{loss}: {got:?}");
            }
        }
    }
    // An infinity in a gradient: NaN there and 0 elsewhere.
    let polyak = PolyakStepConfig::new().init().unwrap();
    for [a, b] in scaled(&polyak, [f64::INFINITY, 1.0], 1.0, DType::F32) {
        assert!(a.is_nan() && b == 0.0, "{a} {b}");
    }
}

#[test]
fn half_precision_measures_in_single() {
    let polyak = PolyakStepConfig::new().init().unwrap();
    // ‖g‖² overflows f16.
    for got in scaled(&polyak, [300.0, -400.0], 2500.0, DType::F16) {
        assert_close(&got, &[3.0, -4.0], 2e-3, "f16");
    }
}

#[test]
fn what_means_nothing_is_refused() {
    let refused = |config: PolyakStepConfig| config.init().unwrap_err().to_string();
    assert_eq!(
        refused(PolyakStepConfig::new().with_max_step(0.0)),
        "`max_step` must be a finite number greater than 0, got 0.0"
    );
    assert!(refused(PolyakStepConfig::new().with_min_loss(f64::NAN)).starts_with("`min_loss`"));
    assert!(refused(PolyakStepConfig::new().with_epsilon(-1.0)).starts_with("`epsilon`"));
}

/// As in optax: the bound is one of steps downhill.
#[test]
fn a_loss_below_the_lowest_one_makes_a_step_uphill_without_a_bound() {
    let below = PolyakStepConfig::new().with_min_loss(0.3);
    for got in scaled(&below.init().unwrap(), [1e-4, 0.0], 0.29, DType::F64) {
        assert_close(&got, &[-100.0, 0.0], 1e-6, "-10⁶ times the gradient");
    }
    let never = below.with_never_uphill(true).init().unwrap();
    for got in scaled(&never, [1e-4, 0.0], 0.29, DType::F64) {
        assert_eq!(got.map(f64::abs), [0.0, 0.0]);
    }
}

/// A step uphill that is beyond the largest number would make NaN of zeros.
#[test]
fn a_step_uphill_is_finite() {
    let polyak = PolyakStepConfig::new().with_min_loss(0.3).init().unwrap();
    // -0.01 / 10⁻⁴² is beyond `f32`, whose largest number takes its place.
    for got in scaled(&polyak, [1e-21, 0.0], 0.29, DType::F32) {
        assert_close(&got, &[-3.402_823_5e17, 0.0], 1e-6, "as far as it goes");
    }
}

/// Burn reduces the gradients of `ddp`, which runs on GPUs alone, before a worker has them: its loss is not theirs.
#[test]
fn a_worker_is_refused() {
    for (name, device) in training_devices() {
        let polyak = PolyakStepConfig::new().init().unwrap();
        let loss = tensor::<1>(&[0.5], DType::F32, &device);
        let step = |model: Pair| {
            let grads = model.grads(&[1.0], &[2.0]);
            catch_unwind(AssertUnwindSafe(|| {
                drop(polyak.apply(&model, grads, &loss))
            }))
        };
        let model = Pair::new(&[1.0], &[2.0], DType::F32, &device);
        assert!(step(model.clone()).is_ok(), "{name}");
        if is_gpu(name) {
            let panic = step(model.map(&mut ModuleSharder)).unwrap_err();
            let text = panic.downcast_ref::<&str>().copied().unwrap_or_default();
            assert!(text.contains("cannot be used with `ddp`"), "{name}: {text}");
        }
    }
}
