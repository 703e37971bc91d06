//! Batch norms of few values per channel: one has no spread, two are ±1 whatever they are.

use crate::devices::training_devices;
use crate::models::{alone, values};
use crate::norms::{assert_near, grid};
use burn::module::Module;
use burn::tensor::{DType, Device, Distribution, Tensor};
use burn_tricks::nn::{
    Affine, BatchVariance, GhostBatchNorm, GhostBatchNormConfig, ResNetConfig, ResNetVersion,
    TorchBatchNorm, TorchBatchNormConfig, freeze_batch_norms,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

const NORMAL: Distribution = Distribution::Normal(0.0, 1.0);

fn ghost(size: usize, device: &Device) -> GhostBatchNorm {
    GhostBatchNormConfig::new(1, size).init(device).unwrap()
}

fn torch(device: &Device) -> TorchBatchNorm {
    TorchBatchNormConfig::new(1).init(device).unwrap()
}

fn column(values: &[f64], device: &Device) -> Tensor<2> {
    let rows = Tensor::<1>::from_data(values, (device, DType::F32));
    rows.reshape([values.len(), 1])
}

#[test]
fn parts_of_a_ghost_have_three_values_per_channel() {
    for (name, device) in training_devices() {
        for samples in 3..=10 {
            for size in 1..=11 {
                let what = format!("{name}: {samples} samples at size {size}");
                let input: Vec<f64> = (0..samples).map(|i| f64::from(i * i % 7)).collect();
                let x = column(&input, &device).require_grad();
                let y = ghost(size, &device).forward(x.clone());
                let outputs = values(y.clone());
                let weights = grid([samples as usize, 1], 0.9, 1.0, (&device, DType::F32));
                let grads = (y * weights).sum().backward();
                let gradient = values(x.grad(&grads).unwrap());
                // The same function as batch norm on as many even parts as there may be.
                let parts = (samples as usize).div_ceil(size).min(samples as usize / 3);
                let bound = |part: usize| part * samples as usize / parts;
                let expected: Vec<f64> = (0..parts)
                    .flat_map(|part| {
                        let part = &input[bound(part)..bound(part + 1)];
                        values(torch(&device).forward(column(part, &device)))
                    })
                    .collect();
                assert_near(&outputs, &expected, 1e-6, &what);
                for part in 0..parts {
                    let gradient = &gradient[bound(part)..bound(part + 1)];
                    assert!(
                        gradient.iter().any(|g| g.abs() > 1e-3),
                        "{what}: {gradient:?}"
                    );
                }
            }
        }
    }
}

/// A map of 2×2 has four values, one of 1×1 one.
#[test]
fn places_count_as_values() {
    for (name, device) in training_devices() {
        let maps = grid([4, 1, 2, 2], 0.7, 2.0, (&device, DType::F32));
        let each: Vec<f64> = (0..4)
            .flat_map(|i| values(torch(&device).forward(maps.clone().narrow(0, i, 1))))
            .collect();
        let got = values(ghost(1, &device).forward(maps));
        assert_near(&got, &each, 1e-6, name);
        let pairs = grid([4, 1, 2], 0.7, 2.0, (&device, DType::F32));
        let each: Vec<f64> = (0..2)
            .flat_map(|i| values(torch(&device).forward(pairs.clone().narrow(0, 2 * i, 2))))
            .collect();
        let got = values(ghost(1, &device).forward(pairs));
        assert_near(&got, &each, 1e-6, name);
        let points = grid([4, 1, 1, 1], 0.7, 2.0, (&device, DType::F32));
        let whole = values(torch(&device).forward(points.clone()));
        assert_near(
            &values(ghost(1, &device).forward(points)),
            &whole,
            1e-6,
            name,
        );
    }
}

#[test]
fn a_single_value_in_training_panics_with_the_reason() {
    for (name, device) in training_devices() {
        let says = |forward: &dyn Fn() -> Vec<f64>| {
            let panic = catch_unwind(AssertUnwindSafe(forward)).expect_err("a panic");
            let text = panic.downcast::<String>().expect("a text");
            assert!(
                text.contains("at least 2 values per channel, got 1 (input [1, 1, 1])"),
                "{name}: {text}"
            );
        };
        let point = || Tensor::<3>::full([1, 1, 1], 3.0, &device);
        let norm = torch(&device);
        says(&|| values(norm.forward(point())));
        for variance in [BatchVariance::Biased, BatchVariance::Unbiased] {
            let config = GhostBatchNormConfig::new(1, 1).with_variance(variance);
            let norm = config.init(&device).unwrap();
            says(&|| values(norm.forward(point())));
        }
        // Nothing was learned of it; to predict, and with statistics that stay, one is enough.
        assert_eq!(values(norm.running_mean.value_sync()), [0.0], "{name}");
        let expected = [3.0 / (1.0f64 + 1e-5).sqrt()];
        let predicted = values(norm.valid().forward(point().inner()));
        assert_near(&predicted, &expected, 1e-6, name);
        let frozen = freeze_batch_norms(norm, Affine::Trainable);
        assert_near(&values(frozen.forward(point())), &expected, 1e-6, name);
    }
}

/// The text of the panic of `forward`.
fn panics(forward: impl FnOnce() -> Vec<f64>) -> String {
    let panic = catch_unwind(AssertUnwindSafe(forward)).expect_err("a panic");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().expect("a text").to_string(),
    }
}

#[test]
fn an_input_without_channels_panics_with_the_reason() {
    let expected = "batch norm needs samples and channels, got an input [5]";
    for (name, device) in training_devices() {
        let input = || Tensor::<1>::ones([5], &device);
        let text = panics(|| values(torch(&device).forward(input())));
        assert!(text.contains(expected), "{name}: {text}");
        let text = panics(|| values(ghost(2, &device).forward(input())));
        assert!(text.contains(expected), "{name}: {text}");
    }
}

/// The fields are public: a loop may set the momentum to 1 / t, beginning with t = 0.
#[test]
fn a_setting_out_of_its_range_panics_before_the_statistics_move() {
    for (name, device) in training_devices() {
        let input = || column(&[1.0, 2.0, 4.0, 8.0], &device);
        for momentum in [f64::INFINITY, 2.0, -0.1, f64::NAN] {
            let expected = format!("must lie in [0, 1], got {momentum:?}");
            let (mut torch, mut ghost) = (torch(&device), ghost(4, &device));
            torch.momentum = momentum;
            ghost.momentum = momentum;
            for text in [
                panics(|| values(torch.forward(input()))),
                panics(|| values(ghost.forward(input()))),
            ] {
                assert!(text.contains("`momentum`"), "{name}: {text}");
                assert!(text.contains(&expected), "{name}: {text}");
            }
            for (mean, variance) in [
                (&torch.running_mean, &torch.running_var),
                (&ghost.running_mean, &ghost.running_var),
            ] {
                assert_eq!(values(mean.value_sync()), [0.0], "{name}");
                assert_eq!(values(variance.value_sync()), [1.0], "{name}");
            }
            // What does not move them does not need it.
            values(torch.valid().forward(input().inner()));
        }
        for momentum in [0.0, 1.0] {
            let mut torch = torch(&device);
            torch.momentum = momentum;
            values(torch.forward(input()));
            let mean = values(torch.running_mean.value_sync());
            assert_near(&mean, &[momentum * 3.75], 1e-6, name);
        }
        let mut ghost = ghost(4, &device);
        ghost.ghost_size = 0;
        let text = panics(|| values(ghost.forward(input())));
        assert!(
            text.contains("`ghost_size`") && text.contains("at least 1, got 0"),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_batch_without_samples_changes_nothing() {
    for (name, device) in training_devices() {
        let empty = || Tensor::<2>::zeros([0, 1], &device);
        let (torch, ghost) = (torch(&device), ghost(2, &device));
        assert_eq!(torch.forward(empty()).dims(), [0, 1], "{name}");
        assert_eq!(ghost.forward(empty()).dims(), [0, 1], "{name}");
        for (mean, variance) in [
            (&torch.running_mean, &torch.running_var),
            (&ghost.running_mean, &ghost.running_var),
        ] {
            assert_eq!(values(mean.value_sync()), [0.0], "{name}");
            assert_eq!(values(variance.value_sync()), [1.0], "{name}");
        }
    }
}

/// Two stages halve a map of 4×4 twice: the last norm sees 1×1.
#[test]
fn networks_with_batch_norm_refuse_a_single_value_too() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for version in [ResNetVersion::V1, ResNetVersion::V2] {
            let config = ResNetConfig::new(1, 2).with_widths(vec![2, 2, 2]);
            let net = config.with_version(version).init(&device).unwrap();
            let images = |samples| Tensor::<4>::random([samples, 1, 4, 4], NORMAL, &device);
            let one = catch_unwind(AssertUnwindSafe(|| net.forward(images(1))));
            let text = *one.expect_err("a panic").downcast::<String>().unwrap();
            assert!(text.contains("(input [1, 2, 1, 1])"), "{name}: {text}");
            assert_eq!(net.forward(images(2)).dims(), [2, 2], "{name}");
            let valid = net.valid();
            assert_eq!(valid.forward(images(1).inner()).dims(), [1, 2], "{name}");
        }
    }
}
