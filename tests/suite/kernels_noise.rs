//! Noise from a counter on the CPU backend: its distribution, independence between calls and places, the same mask backwards,
//! also under gradient checkpointing, and the same bits whatever the number of threads.

use crate::devices::{devices, training_devices};
use crate::dropouts::assert_moments;
use crate::models::{alone, dtypes, values};
use crate::oracle::off;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor};
use burn_tricks::kernels::{Noise, add_normal, noise, noise_twin};
use burn_tricks::nn::{Dropout, DropoutConfig};

const DROPOUT: Noise = Noise::Dropout {
    prob: 0.3,
    kept: 1.0 / 0.7,
};
const GAUSSIAN: Noise = Noise::Gaussian {
    mean: 1.0,
    deviation: 0.5,
};
const ALL: [Noise; 3] = [DROPOUT, GAUSSIAN, Noise::Alpha { prob: 0.3 }];

/// The factors of so many places.
fn factors(kind: Noise, count: usize, device: &Device) -> Vec<f64> {
    values(noise(Tensor::<1>::ones([count], device), kind, 0))
}

/// Mean product of two centred sequences of unit variance, in standard errors.
fn correlation(a: &[f64], b: &[f64], variance: f64) -> f64 {
    let n = a.len().min(b.len());
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - 1.0) * (b - 1.0)).sum();
    sum / n as f64 / variance * (n as f64).sqrt()
}

#[test]
fn noise_has_the_moments_of_its_distribution() {
    let _alone = alone();
    for (name, device) in devices() {
        device.seed(3);
        let count = 200_000;
        for prob in [0.001, 0.1, 0.5, 0.9] {
            let kept = 1.0 / (1.0 - prob);
            let got = factors(Noise::Dropout { prob, kept }, count, &device);
            let variance = prob / (1.0 - prob);
            let fourth = prob + (1.0 - prob) * (kept - 1.0f64).powi(4);
            assert_moments(&got, 1.0, variance, fourth, &format!("{name} {prob}"));
        }
        let got = factors(GAUSSIAN, count, &device);
        assert_moments(&got, 1.0, 0.25, 3.0 * 0.0625, name);
        // Shape: skewness, kurtosis, tails.
        let z: Vec<f64> = got.iter().map(|x| (x - 1.0) / 0.5).collect();
        let moment = |k: i32| z.iter().map(|z| z.powi(k)).sum::<f64>() / count as f64;
        let error = |variance: f64| 5.0 * (variance / count as f64).sqrt();
        assert!(moment(3).abs() < error(15.0), "{name}: {}", moment(3));
        assert!(
            (moment(4) - 3.0).abs() < error(96.0),
            "{name}: {}",
            moment(4)
        );
        let beyond = |bound: f64| z.iter().filter(|z| z.abs() > bound).count() as f64;
        for (bound, share) in [(1.0, 0.317_311), (2.0, 0.045_500), (3.0, 0.002_700)] {
            let got = beyond(bound) / count as f64;
            let error = error(share * (1.0 - share));
            assert!((got - share).abs() < error, "{name} beyond {bound}: {got}");
        }
    }
}

#[test]
fn neighbours_distant_places_and_calls_are_independent() {
    let _alone = alone();
    let device = Device::flex();
    device.seed(11);
    let count = 1 << 18;
    for (kind, variance) in [(DROPOUT, 3.0 / 7.0), (GAUSSIAN, 0.25)] {
        let calls: Vec<Vec<f64>> = (0..4).map(|_| factors(kind, count, &device)).collect();
        for (i, a) in calls.iter().enumerate() {
            // Neighbours, the words of a block, pairs of Box and Muller, groups, pieces of threads.
            for distance in [1, 2, 3, 16, 64, 128, 192, 256, 512, 1 << 14, 1 << 17] {
                let error = correlation(a, &a[distance..], variance);
                assert!(error.abs() < 5.0, "{kind:?}, {distance} apart: {error}");
            }
            for b in &calls[..i] {
                let error = correlation(a, b, variance);
                assert!(error.abs() < 5.0, "{kind:?} of two calls: {error}");
            }
        }
    }
}

#[test]
fn the_mask_is_the_same_backwards_also_under_gradient_checkpointing() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for device in [device.clone(), device.gradient_checkpointing()] {
            for dtype in dtypes(&device) {
                for (kind, shared) in [(DROPOUT, 0), (DROPOUT, 1), (GAUSSIAN, 0), (GAUSSIAN, 2)] {
                    let x = Tensor::<3>::ones([5, 300, 3], (&device, dtype)).require_grad();
                    // Through operations that are computed again in the backward pass.
                    let y = noise(x.clone() * 2.0 - 1.0, kind, shared);
                    let loss = (y.clone() * 1.0).sum();
                    let grads = loss.backward();
                    let mask: Vec<f64> = values(y).iter().map(|y| 2.0 * y).collect();
                    let gradient = values(x.grad(&grads).unwrap());
                    assert_eq!(gradient, mask, "{name} {kind:?} {shared} {dtype:?}");
                }
            }
        }
    }
}

/// The product needs its factors in the backward pass: under gradient checkpointing the noise is made once more.
#[test]
fn noise_that_is_made_again_is_the_same() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for device in [device.clone(), device.gradient_checkpointing()] {
            for (kind, shared) in [(DROPOUT, 0), (DROPOUT, 1), (GAUSSIAN, 0), (GAUSSIAN, 2)] {
                let x = Tensor::<3>::ones([5, 300, 3], &device).require_grad();
                let first = noise(x.clone() * 2.0, kind, shared);
                let second = noise(first.clone() * 1.0, kind, 0);
                let grads = (second.clone() * second.clone() * 0.5).sum().backward();
                // d/dx of s²/2, where s is x times both factors.
                let expected: Vec<f64> = values(second).iter().map(|s| s * s).collect();
                let gradient = values(x.grad(&grads).unwrap());
                for (place, (got, expected)) in gradient.iter().zip(&expected).enumerate() {
                    let is_near = off(*got, *expected, expected.abs()) <= 1e-5;
                    assert!(
                        is_near,
                        "{name} {kind:?} {shared} at {place}: {got} {expected}"
                    );
                }
                assert!(values(first).iter().any(|y| *y != 2.0), "{name} {kind:?}");
            }
        }
    }
}

#[test]
fn two_uses_in_one_pass_have_masks_of_their_own() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let x = Tensor::<1>::ones([1000], &device).require_grad();
    let (y, z) = (noise(x.clone(), DROPOUT, 0), noise(x.clone(), DROPOUT, 0));
    assert_ne!(values(y.clone()), values(z.clone()));
    let grads = (y.clone() + z.clone() * 10.0).sum().backward();
    let expected: Vec<f64> = values(y + z * 10.0);
    let gradient = values(x.grad(&grads).unwrap());
    for (got, expected) in gradient.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    }
}

#[test]
fn numbers_that_share_their_noise_are_those_of_the_last_dimensions() {
    let _alone = alone();
    for (name, device) in devices() {
        device.seed(2);
        for (shared, run) in [(0, 1), (1, 70), (2, 350), (3, 7000)] {
            let ones = Tensor::<3>::ones([20, 5, 70], &device);
            let y = values(noise(ones, GAUSSIAN, shared));
            let of_runs: Vec<f64> = y.chunks(run).map(|run| run[0]).collect();
            for (place, y) in y.iter().enumerate() {
                assert_eq!(*y, of_runs[place / run], "{name} {shared} at {place}");
            }
            let mut different = of_runs.clone();
            different.sort_by(f64::total_cmp);
            different.dedup();
            assert!(
                different.len() * 100 >= of_runs.len() * 99,
                "{name} {shared}"
            );
        }
    }
}

#[test]
fn the_seed_of_the_device_determines_the_noise_whatever_the_number_of_threads() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            device.seed(8);
            let mut all = Vec::new();
            for kind in ALL {
                for (shape, shared) in [([1000, 170], 0), ([4000, 43], 1), ([3100, 170], 1)] {
                    let x = Tensor::<2>::ones(shape, &device).require_grad();
                    let y = noise(x.clone(), kind, shared);
                    let grads = y.clone().sum().backward();
                    all.extend([values(y), values(x.grad(&grads).unwrap())]);
                }
            }
            all
        })
    };
    let one = run(1);
    assert_eq!(run(1), one);
    for threads in [2, 5] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

/// Noise that many numbers share is a product in new buffers of up to 32 MiB. In larger ones it is a pass, as in a buffer that
/// is written in place: to the bit, where the product has negative zeros.
#[test]
fn shared_noise_in_a_new_buffer_of_more_than_32_mib_is_that_of_one_in_place() {
    let _alone = alone();
    let device = Device::flex();
    let numbers = |samples: usize| {
        let count = samples << 18;
        let numbers = Tensor::<1, Int>::arange(0..count as i64, &device).float();
        (numbers * 0.37).sin().reshape([samples, 1 << 18])
    };
    let bits = |x: Tensor<2>| {
        let numbers: Vec<f32> = x.into_data().try_into_vec().unwrap();
        numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    for (samples, is_product) in [(32, true), (33, false)] {
        for kind in [DROPOUT, GAUSSIAN] {
            let drawn = |x| {
                device.seed(6);
                bits(noise(x, kind, 1))
            };
            let held = numbers(samples);
            let (new, in_place) = (drawn(held.clone()), drawn(numbers(samples)));
            let is_zero = |(a, b): (&u32, &u32)| (a | b) << 1 == 0;
            let pairs = || new.iter().zip(&in_place);
            let what = format!("{kind:?} of {samples} MiB");
            assert!(pairs().all(|(a, b)| a == b || is_zero((a, b))), "{what}");
            let has_two_zeros = pairs().any(|(a, b)| a != b);
            assert_eq!(has_two_zeros, is_product && kind == DROPOUT, "{what}");
            assert!(bits(held) == bits(numbers(samples)), "{what}");
        }
    }
}

#[test]
fn buffers_that_somebody_holds_stay_and_layouts_do_not_matter() {
    let _alone = alone();
    let device = Device::flex();
    for kind in ALL {
        let make = || {
            let numbers = Tensor::<1, Int>::arange(0..1200, &device).float();
            numbers.reshape([30, 40])
        };
        let held = make();
        device.seed(4);
        let alone = values(noise(make(), kind, 0));
        device.seed(4);
        assert_eq!(values(noise(held.clone(), kind, 0)), alone, "{kind:?}");
        assert_eq!(values(held.clone()), values(make()), "{kind:?}");
        device.seed(4);
        let there = held.transpose().clone().swap_dims(0, 1);
        let there = noise(there, kind, 0);
        assert_eq!(values(there), alone, "{kind:?}");
        assert!(values(noise(Tensor::<2>::zeros([0, 3], &device), kind, 1)).is_empty());
    }
}

#[test]
fn a_probability_of_one_drops_everything_and_of_zero_nothing() {
    let _alone = alone();
    for (name, device) in devices() {
        for (prob, expected) in [(0.0, 1.0), (1.0, 0.0)] {
            // What keeps the mean: infinite where nothing stays.
            for kept in [1.0, 1.0 / (1.0 - prob)] {
                let y = factors(Noise::Dropout { prob, kept }, 5000, &device);
                assert!(y.iter().all(|y| *y == expected), "{name} {prob} {kept}");
            }
        }
        let twin = noise_twin(Tensor::<2>::ones([50, 3], &device), DROPOUT, 1);
        assert!(values(twin).chunks(3).all(|row| row[0] == row[1]), "{name}");
    }
}

/// 1/0.9 in `bf16` is off by 0.2 %, and so would be the mean of all that is kept.
#[test]
fn in_half_precision_the_twin_rounds_once() {
    let _alone = alone();
    let device = Device::flex();
    let dropout = Noise::Dropout {
        prob: 0.1,
        kept: 1.0 / 0.9,
    };
    for kind in [dropout, Noise::Alpha { prob: 0.25 }, GAUSSIAN] {
        for dtype in [DType::F16, DType::BF16] {
            let numbers: Vec<f32> = (0..3000).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
            let x = Tensor::<1>::from_data(numbers.as_slice(), (&device, dtype));
            device.seed(4);
            let half = noise_twin(x.clone(), kind, 0);
            device.seed(4);
            let wide = noise_twin(x.cast(FloatDType::F32), kind, 0);
            assert_eq!(half.dtype(), dtype);
            assert_eq!(
                values(half),
                values(wide.cast(dtype)),
                "{kind:?} in {dtype:?}"
            );
        }
    }
}

/// Philox4x32-10, one block: the numbers of this key and counter.
fn philox(key: u64, counter: u64) -> [u32; 4] {
    let mut key = [key as u32, (key >> 32) as u32];
    let mut words = [counter as u32, (counter >> 32) as u32, 0, 0];
    for _ in 0..10 {
        let [a, b, c, d] = words;
        let (first, second) = (u64::from(a) * 0xd251_1f53, u64::from(c) * 0xcd9e_8d57);
        words = [
            (second >> 32) as u32 ^ b ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ d ^ key[1],
            first as u32,
        ];
        key = [
            key[0].wrapping_add(0x9e37_79b9),
            key[1].wrapping_add(0xbb67_ae85),
        ];
    }
    words
}

/// The normal number at a place of the stream, in `f64`. Of 256 places in a row, 64 blocks make 64 numbers each with their
/// first, second, third and fourth words; the first two words of a block make its first two numbers.
fn normal_at(key: u64, place: u64) -> f64 {
    let (group, at) = (place / 256, place % 256);
    let words = philox(key, 64 * group + at % 64);
    let word = (at / 64) as usize;
    let [radius, angle] = [words[word / 2 * 2], words[word / 2 * 2 + 1]];
    let unit = |bits: u32| (f64::from(bits >> 1) + 0.5) / 2_147_483_648.0;
    let (radius, angle) = ((-2.0 * unit(radius).ln()).sqrt(), unit(angle));
    let angle = angle * std::f64::consts::TAU;
    radius
        * if word.is_multiple_of(2) {
            angle.cos()
        } else {
            angle.sin()
        }
}

#[test]
fn keyed_noise_is_that_of_philox_whatever_the_number_of_threads() {
    let device = Device::flex();
    let key = 0x0123_4567_89ab_cdef;
    for dtype in dtypes(&device) {
        for count in [0, 1, 2, 255, 256, 257, 40_001] {
            let x = Tensor::<1>::full([count], 0.25, (&device, dtype));
            let noisy = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let add = || values(add_normal(x.clone(), 0.5, key));
                pool.unwrap().install(add)
            };
            let got = noisy(1);
            assert_eq!(got, noisy(3), "{dtype:?}, {count}");
            assert_eq!(got.len(), count);
            let tolerance = match dtype {
                DType::F16 => 2e-3,
                DType::BF16 => 2e-2,
                _ => 3e-6,
            };
            for (place, got) in got.iter().enumerate() {
                let expected = 0.25 + 0.5 * normal_at(key, place as u64);
                let error = (got - expected).abs() / expected.abs().max(1.0);
                assert!(error < tolerance, "{dtype:?}, {place}: {got} {expected}");
            }
            // What somebody else holds is not changed.
            assert!(values(x).iter().all(|x| *x == 0.25));
        }
    }
}

#[test]
fn a_probability_that_is_none_is_refused() {
    let message = |kind: Noise| {
        let x = Tensor::<1>::ones([4], &Device::flex());
        for twin in [false, true] {
            let x = x.clone();
            let made = std::panic::catch_unwind(move || {
                if twin {
                    noise_twin(x, kind, 0)
                } else {
                    noise(x, kind, 0)
                }
            });
            let panic = made.expect_err("a panic");
            let text = panic.downcast_ref::<String>().expect("a text");
            assert!(text.contains("must lie in [0, 1"), "{text}");
        }
    };
    for prob in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        message(Noise::Dropout { prob, kept: 1.0 });
        message(Noise::Alpha { prob });
    }
    message(Noise::Alpha { prob: 1.0 });
}

#[test]
fn dropout_drops_in_training_only_and_refuses_probabilities_that_are_none() {
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(1);
        let layer: Dropout = DropoutConfig::new(0.25).init().unwrap();
        let x = Tensor::<2>::ones([300, 100], &device);
        let y = values(layer.forward(x.clone()));
        let share = y.iter().filter(|y| **y == 0.0).count() as f64 / 3e4;
        assert!(
            (share - 0.25).abs() < 5.0 * (0.1875f64 / 3e4).sqrt(),
            "{name}: {share}"
        );
        assert!(
            y.iter().all(|y| *y == 0.0 || (y - 4.0 / 3.0).abs() < 1e-6),
            "{name}"
        );
        assert_eq!(
            values(layer.forward(x.clone().inner())),
            values(x),
            "{name}"
        );
    }
    for prob in [-0.1, 1.0, f64::NAN] {
        let error = DropoutConfig::new(prob).init().unwrap_err();
        assert_eq!(error.field, "prob");
    }
    let shown = DropoutConfig::new(0.25).init().unwrap().to_string();
    assert_eq!(shown, "Dropout {prob: 0.25}");
}
