//! Numbers and shapes with which nothing can be calculated: a function and its twin refuse the same, in the same words, on
//! every backend.

use crate::devices::devices;
use crate::models::alone;
use burn::tensor::{Device, Tensor};
use burn_tricks::kernels::{
    Blocks, Noise, TensorList, UnitClip, UnitDeviation, add_normal, add_normal_twin, cautious,
    cautious_twin, clamp, clamp_twin, clip_units, clip_units_twin, drop_blocks, drop_blocks_twin,
    fixed_batch_norm, fixed_batch_norm_twin, ghost_batch_norm, ghost_batch_norm_twin, noise,
    noise_twin, spectral_norm, spectral_norm_twin, standardize_units, standardize_units_twin,
    unit_norms, weight_norm, weight_norm_twin,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The words of a panic, or none.
fn words(work: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(work)).err()?;
    let words = panic.downcast_ref::<String>().cloned();
    Some(words.unwrap_or_else(|| panic.downcast_ref::<&str>().expect("words").to_string()))
}

/// Both refuse, with these words.
fn refused(expected: &str, function: impl FnOnce(), twin: impl FnOnce()) {
    assert_eq!(words(function).as_deref(), Some(expected));
    assert_eq!(words(twin).as_deref(), Some(expected), "the twin");
}

/// Numbers that are neither finite nor negative, as they are written.
const NO_SIZES: [(f64, &str); 3] = [(f64::NAN, "NaN"), (-0.5, "-0.5"), (f64::INFINITY, "inf")];

fn vector(count: usize, device: &Device) -> Tensor<1> {
    Tensor::ones([count], device)
}

fn matrix(device: &Device) -> Tensor<2> {
    Tensor::ones([4, 3], device)
}

#[test]
fn noise_without_a_distribution_is_refused() {
    let _alone = alone();
    for (_, device) in devices() {
        let refuse = |kind: Noise, shared: usize, expected: &str| {
            refused(
                expected,
                || drop(noise(matrix(&device), kind, shared)),
                || drop(noise_twin(matrix(&device), kind, shared)),
            );
        };
        for (prob, text) in [(f64::NAN, "NaN"), (-0.1, "-0.1"), (1.5, "1.5")] {
            let expected = |range: &str| {
                format!("the probability of a number to be dropped must lie in {range}, got {text}")
            };
            refuse(Noise::Dropout { prob, kept: 1.0 }, 0, &expected("[0, 1]"));
            refuse(Noise::Alpha { prob }, 0, &expected("[0, 1)"));
        }
        for (kept, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
            let expected = format!("the factor of what stays must be finite, got {text}");
            refuse(Noise::Dropout { prob: 0.5, kept }, 0, &expected);
            let expected = format!("the mean of noise must be finite, got {text}");
            let (mean, deviation) = (kept, 1.0);
            refuse(Noise::Gaussian { mean, deviation }, 0, &expected);
        }
        for (deviation, text) in NO_SIZES {
            let expected =
                format!("the deviation of noise must be finite and not negative, got {text}");
            let mean = 1.0;
            refuse(Noise::Gaussian { mean, deviation }, 0, &expected);
            refused(
                &expected,
                || drop(add_normal(matrix(&device), deviation, 1)),
                || drop(add_normal_twin(matrix(&device), deviation, 1)),
            );
        }
        let kind = Noise::Alpha { prob: 0.5 };
        refuse(kind, 3, "a tensor of rank 2 has no 3 last dimensions");
        // 1 / (1 − p) is infinite where nothing stays.
        let (prob, kept) = (1.0, f64::INFINITY);
        for made in [noise, noise_twin] {
            let nothing = made(matrix(&device), Noise::Dropout { prob, kept }, 0);
            assert_eq!(nothing.sum().into_scalar::<f32>(), 0.0);
        }
    }
}

#[test]
fn blocks_that_cannot_be_dropped_are_refused() {
    for (_, device) in devices() {
        let refuse = |blocks: Blocks, expected: &str| {
            let maps = || Tensor::<4>::ones([4, 3, 2, 5], &device);
            refused(
                expected,
                || drop(drop_blocks(maps(), blocks)),
                || drop(drop_blocks_twin(maps(), blocks)),
            );
        };
        let blocks = Blocks {
            prob: 0.1,
            size: [1, 1],
            masks: [1, 1],
        };
        for (prob, text) in [(f64::NAN, "NaN"), (-0.1, "-0.1"), (1.0, "1"), (1.5, "1.5")] {
            let expected = format!(
                "the probability that a block begins at a place must lie in [0, 1), got {text}"
            );
            refuse(Blocks { prob, ..blocks }, &expected);
        }
        let size = [3, 2];
        refuse(Blocks { size, ..blocks }, "blocks of 3×2 in maps of 2×5");
        let masks = [2, 3];
        let expected = "[2, 3] masks for 4 samples and 3 channels";
        refuse(Blocks { masks, ..blocks }, expected);
    }
}

#[test]
fn weights_that_have_no_such_units_are_refused() {
    for (_, device) in devices() {
        let expected = "2 lengths for the units on axis 1 of a weight [4, 3]";
        refused(
            expected,
            || drop(weight_norm(matrix(&device), vector(2, &device), 1)),
            || drop(weight_norm_twin(matrix(&device), vector(2, &device), 1)),
        );
        let expected = "a weight [4, 3] with units on axis 1 has no vectors of 3 and 5 numbers";
        let vectors = || (vector(3, &device), vector(5, &device));
        let (u, v) = vectors();
        refused(
            expected,
            || drop(spectral_norm(matrix(&device), 1, u, v, 1)),
            || {
                let (u, v) = vectors();
                drop(spectral_norm_twin(matrix(&device), 1, u, v, 1));
            },
        );
        let expected = "a tensor of rank 2 has no axis 2";
        let no_norms = words(|| drop(unit_norms(matrix(&device), 2)));
        assert_eq!(no_norms.as_deref(), Some(expected));
        let refuse = |deviation: UnitDeviation, axis: usize, expected: &str| {
            refused(
                expected,
                || drop(standardize_units(deviation, matrix(&device), axis)),
                || drop(standardize_units_twin(deviation, matrix(&device), axis)),
            );
        };
        let fine = UnitDeviation {
            freedom: 0.0,
            inside: 0.0,
            outside: 0.0,
        };
        refuse(fine, 2, expected);
        for (number, text) in NO_SIZES {
            let expected =
                |what: &str| format!("{what} must be finite and not negative, got {text}");
            let (freedom, inside, outside) = (number, number, number);
            let freedom = UnitDeviation { freedom, ..fine };
            refuse(freedom, 1, &expected("the degrees of freedom"));
            let inside = UnitDeviation { inside, ..fine };
            refuse(inside, 1, &expected("what is added to the variance"));
            let outside = UnitDeviation { outside, ..fine };
            refuse(outside, 1, &expected("what is added to the deviation"));
        }
    }
}

#[test]
fn batch_norms_that_cannot_be_calculated_are_refused() {
    for (_, device) in devices() {
        let ghost = |channels: usize, epsilon: f64, parts: usize, expected: &str| {
            let vectors = || (vector(channels, &device), vector(channels, &device));
            refused(
                expected,
                || {
                    let (gamma, beta) = vectors();
                    drop(ghost_batch_norm(
                        matrix(&device),
                        gamma,
                        beta,
                        epsilon,
                        parts,
                    ));
                },
                || {
                    let (gamma, beta) = vectors();
                    let x = matrix(&device);
                    drop(ghost_batch_norm_twin(x, gamma, beta, epsilon, parts));
                },
            );
        };
        let fixed = |channels: usize, epsilon: f64, expected: &str| {
            let run = |twin: bool| {
                let batch_norm = if twin {
                    fixed_batch_norm_twin::<2>
                } else {
                    fixed_batch_norm::<2>
                };
                let [gamma, beta, mean, variance] = [(); 4].map(|()| vector(channels, &device));
                drop(batch_norm(
                    matrix(&device),
                    gamma,
                    beta,
                    mean,
                    variance,
                    epsilon,
                ));
            };
            refused(expected, || run(false), || run(true));
        };
        ghost(3, 1e-3, 0, "4 samples cannot be cut into 0 parts");
        ghost(3, 1e-3, 5, "4 samples cannot be cut into 5 parts");
        let expected = "an input [4, 3] has other channels than the layer: [2, 2]";
        ghost(2, 1e-3, 1, expected);
        let expected = "an input [4, 3] has other channels than the layer: [2, 2, 2, 2]";
        fixed(2, 1e-3, expected);
        for (epsilon, text) in NO_SIZES {
            let expected = format!("ε of batch norm must be finite and not negative, got {text}");
            ghost(3, epsilon, 1, &expected);
            fixed(3, epsilon, &expected);
        }
    }
}

#[test]
fn bounds_that_are_none_are_refused() {
    for (_, device) in devices() {
        for (bound, text) in &NO_SIZES[..2] {
            let expected = format!("a bound must not be negative, got {text}");
            refused(
                &expected,
                || drop(clamp(TensorList::from(matrix(&device)), *bound)),
                || drop(clamp_twin(matrix(&device), *bound)),
            );
        }
        let clip = |clip: UnitClip, axis: usize, expected: &str| {
            let run = |twin: bool| {
                let clip_units = if twin {
                    clip_units_twin::<2>
                } else {
                    clip_units::<2>
                };
                drop(clip_units(
                    clip,
                    matrix(&device),
                    matrix(&device),
                    Some(axis),
                ));
            };
            refused(expected, || run(false), || run(true));
        };
        let fine = UnitClip {
            clip_factor: 1.0,
            epsilon: 1e-3,
        };
        clip(fine, 2, "a tensor of rank 2 has no axis Some(2)");
        for (number, text) in NO_SIZES {
            let expected =
                |what: &str| format!("{what} must be finite and not negative, got {text}");
            let (clip_factor, epsilon) = (number, number);
            let factor = UnitClip {
                clip_factor,
                ..fine
            };
            clip(factor, 1, &expected("the factor λ of clipped units"));
            let least = UnitClip { epsilon, ..fine };
            clip(least, 1, &expected("ε of clipped units"));
            let run = |twin: bool| {
                let cautious = if twin {
                    cautious_twin::<2>
                } else {
                    cautious::<2>
                };
                let [new, old, grad] = [(); 3].map(|()| matrix(&device));
                drop(cautious(new, old, grad, Some(number)));
            };
            let expected = expected("the least share of steps");
            refused(&expected, || run(false), || run(true));
        }
    }
}
