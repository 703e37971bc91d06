//! The corners of the normalised-gradient family, each equal to the algorithm that it is named for.

use crate::devices::{devices, training_devices};
use crate::models::{Noise, Pair, dtypes, tensor, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::optim::{
    AdaGradConfig, AdamConfig, GradientsParams, ModuleOptimizer, Optimizer, RmsPropConfig,
};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::optim::{
    Epsilon, Memory, MomentumMemory, NormScope, NormalizedGradientConfig, WeightDecayMode,
};

fn config() -> NormalizedGradientConfig {
    NormalizedGradientConfig::new()
}

fn outside(epsilon: f64) -> Epsilon {
    Epsilon::OutsideRoot(epsilon)
}

/// The weights after each step.
fn run(
    config: &NormalizedGradientConfig,
    start: &[f64],
    grads: &[Vec<f64>],
    lr: impl Fn(usize) -> f64,
    dtype: DType,
    device: &Device,
) -> Vec<Vec<f64>> {
    let optim = config.build().unwrap();
    let mut weight = tensor::<1>(start, dtype, device);
    let mut state = None;
    let step = |(at, grad): (usize, &Vec<f64>)| {
        let grad = tensor(grad, dtype, device);
        let (next, next_state) = optim.step(lr(at), weight.clone(), grad, state.take());
        (weight, state) = (next, next_state);
        values(weight.clone())
    };
    grads.iter().enumerate().map(step).collect()
}

/// The oracle's case, on every device, in f32.
fn check(name: &str, config: NormalizedGradientConfig) {
    let case = case("optimizers", name);
    let settings = &case["settings"];
    let lr = settings["lr"]
        .as_f64()
        .unwrap_or_else(|| read(&settings["learning_rate"]));
    // PyTorch's `lr_decay` is a schedule.
    let decay = settings["lr_decay"].as_f64().unwrap_or(0.0);
    let lr = |step: usize| lr / (1.0 + step as f64 * decay);
    let grads: Vec<Vec<f64>> = read(&case["gradients"]);
    let expected: Vec<Vec<f64>> = read(&case["weights"]);
    for (device_name, device) in devices() {
        let start = numbers(&case["start"]);
        let actual = run(&config, &start, &grads, lr, DType::F32, &device);
        for (step, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
            let what = format!("{name}, step {step}, on {device_name}");
            assert_close(actual, expected, 1e-6, &what);
        }
    }
}

#[test]
fn element_none_is_sign_sgd() {
    check("sign_sgd", config());
}

#[test]
fn element_none_with_momentum_is_signum() {
    check(
        "signum",
        config().with_momentum(MomentumMemory::OfGradient { beta: 0.9 }),
    );
}

#[test]
fn element_sum_is_adagrad() {
    check("adagrad", NormalizedGradientConfig::adagrad());
    let initial = NormalizedGradientConfig::adagrad().with_initial_accumulator(0.1);
    check("adagrad_initial", initial.clone());
    check("adagrad_initial_lr_decay", initial.clone());
    check(
        "adagrad_optax",
        initial.with_epsilon(Epsilon::InsideRoot(1e-7)),
    );
}

#[test]
fn element_decay_is_rmsprop() {
    let rms_prop = NormalizedGradientConfig::rms_prop(0.9);
    check("rmsprop", rms_prop.clone());
    check(
        "rmsprop_momentum",
        rms_prop.with_momentum(MomentumMemory::OfUpdate { mu: 0.9 }),
    );
}

#[test]
fn element_decay_with_momentum_and_correction_is_adam() {
    let adam = NormalizedGradientConfig::adam();
    check("adam", adam.clone());
    check(
        "adam_weight_decay",
        adam.clone()
            .with_weight_decay(0.01)
            .with_weight_decay_mode(WeightDecayMode::Coupled),
    );
    check(
        "adamw_weight_decay",
        adam.with_weight_decay(0.01)
            .with_weight_decay_mode(WeightDecayMode::Decoupled),
    );
}

#[test]
fn per_tensor_without_memory_is_the_rule_for_one_layer() {
    check(
        "normalized_gradient",
        NormalizedGradientConfig::per_tensor(),
    );
    check(
        "normalized_momentum",
        NormalizedGradientConfig::per_tensor()
            .with_momentum(MomentumMemory::OfGradient { beta: 0.9 }),
    );
}

#[test]
fn tensor_sum_is_adagrad_norm() {
    let adagrad_norm = NormalizedGradientConfig::adagrad_norm();
    check("adagrad_norm", adagrad_norm.clone());
    check(
        "adagrad_norm_initial",
        adagrad_norm.with_initial_accumulator(0.1),
    );
}

#[test]
fn tensor_decay_is_layer_wise_rmsprop() {
    let layer_wise = NormalizedGradientConfig::rms_prop(0.9).with_scope(NormScope::Tensor);
    check("layer_wise_rmsprop", layer_wise.clone());
    check(
        "layer_wise_rmsprop_bias_corrected",
        layer_wise.with_bias_correction(true),
    );
}

#[test]
fn in_a_module_each_tensor_has_its_own_norm() {
    let case = case("two_tensors", "per_tensor");
    let lr: f64 = read(&case["settings"]["lr"]);
    let rows = |field: &str, name: &str| -> Vec<Vec<f64>> { read(&case[field][name]) };
    for (name, device) in training_devices() {
        let (a, b) = (numbers(&case["start"]["a"]), numbers(&case["start"]["b"]));
        let mut pair = Pair::new(&a, &b, DType::F32, &device);
        let mut optim = NormalizedGradientConfig::per_tensor().init().unwrap();
        for step in 0..rows("gradients", "a").len() {
            let grads = pair.grads(&rows("gradients", "a")[step], &rows("gradients", "b")[step]);
            pair = optim.step(lr, pair, grads);
            let (a, b) = pair.values();
            assert_close(&a, &rows("weights", "a")[step], 1e-6, name);
            assert_close(&b, &rows("weights", "b")[step], 1e-6, name);
        }
    }
}

/// Ours and Burn's own optimizer, on the same random gradients.
fn equals_burns(ours: NormalizedGradientConfig, burns: impl Fn() -> ModuleOptimizer) {
    for (name, device) in training_devices() {
        // Burn corrects biases in f32; without f64 the roundings of 50 steps come between, too.
        let (dtype, relative) = if device.supports_dtype(DType::F64) {
            (DType::F64, 1e-6)
        } else {
            (DType::F32, 1e-4)
        };
        let mut noise = Noise(3);
        let (a, b) = (noise.take(20), noise.take(3));
        let mut left = Pair::new(&a, &b, dtype, &device);
        let mut right = left.clone();
        let (mut ours, mut burns) = (ours.init().unwrap(), burns());
        for _ in 0..50 {
            let (a, b) = (noise.take(20), noise.take(3));
            let (left_grads, right_grads) = (left.grads(&a, &b), right.grads(&a, &b));
            left = ours.step(0.01, left, left_grads);
            right = burns.step(0.01, right, right_grads);
        }
        let (left, right) = (left.values(), right.values());
        assert_close(&left.0, &right.0, relative, name);
        assert_close(&left.1, &right.1, relative, name);
    }
}

#[test]
fn the_corners_equal_burns_own() {
    // Burn keeps its settings in f32: these it can hold exactly.
    let (beta_1, beta_2, epsilon) = (0.875, 0.9375, 1.0 / 65_536.0);
    let with_epsilon =
        |config: NormalizedGradientConfig| config.with_epsilon(outside(epsilon.into()));

    let adagrad = with_epsilon(config().with_memory(Memory::Sum));
    equals_burns(adagrad, || {
        AdaGradConfig::new().with_epsilon(epsilon).init()
    });

    let rms_prop = NormalizedGradientConfig::rms_prop(beta_2.into());
    equals_burns(with_epsilon(rms_prop), || {
        RmsPropConfig::new()
            .with_alpha(beta_2)
            .with_epsilon(epsilon)
            .with_momentum(0.0)
            .init()
    });

    let adam = config()
        .with_memory(Memory::Decay {
            beta: beta_2.into(),
        })
        .with_momentum(MomentumMemory::OfGradient {
            beta: beta_1.into(),
        })
        .with_bias_correction(true);
    equals_burns(with_epsilon(adam), || {
        AdamConfig::new()
            .with_beta_1(beta_1)
            .with_beta_2(beta_2)
            .with_epsilon(epsilon)
            .init()
    });
}

/// The algorithm once more, in plain f64.
fn twin(
    config: &NormalizedGradientConfig,
    start: &[f64],
    grads: &[Vec<f64>],
    lr: f64,
) -> Vec<Vec<f64>> {
    let n = start.len();
    let mut w = start.to_vec();
    let mut v = vec![config.initial_accumulator; n];
    let (mut m, mut last) = (vec![0.0; n], vec![0.0; n]);
    let squared_norm = |x: &[f64]| match config.scope {
        NormScope::Element => x.iter().map(|x| x * x).collect::<Vec<_>>(),
        NormScope::Tensor => vec![x.iter().map(|x| x * x).sum(); n],
        NormScope::Model => unreachable!("refused"),
    };
    let mut out = Vec::new();
    for (t, g) in grads.iter().enumerate() {
        let correct = |beta: f64| {
            if config.bias_correction {
                1.0 - beta.powi(t as i32 + 1)
            } else {
                1.0
            }
        };
        let mut g = g.clone();
        let rate = config.weight_decay;
        if config.weight_decay_mode == WeightDecayMode::Coupled {
            g.iter_mut().zip(&w).for_each(|(g, w)| *g += rate * w);
        }
        let mut mean = g.clone();
        if let MomentumMemory::OfGradient { beta } = config.momentum {
            for i in 0..n {
                m[i] = beta * m[i] + (1.0 - beta) * g[i];
                mean[i] = m[i] / correct(beta);
            }
        }
        let squares = squared_norm(&g);
        let mut corrected = vec![0.0; n];
        for i in 0..n {
            corrected[i] = match config.memory {
                Memory::None => squared_norm(&mean)[i],
                Memory::Sum => {
                    v[i] += squares[i];
                    v[i]
                }
                Memory::Decay { beta } => {
                    v[i] = beta * v[i] + (1.0 - beta) * squares[i];
                    v[i] / correct(beta)
                }
            };
        }
        for i in 0..n {
            let divisor = match config.epsilon {
                Epsilon::OutsideRoot(epsilon) => corrected[i].sqrt() + epsilon,
                Epsilon::InsideRoot(epsilon) => (corrected[i] + epsilon).sqrt(),
            };
            let mut update = if divisor == 0.0 {
                0.0
            } else {
                mean[i] / divisor
            };
            if let MomentumMemory::OfUpdate { mu } = config.momentum {
                update += mu * last[i];
                last[i] = update;
            }
            if config.weight_decay_mode == WeightDecayMode::Decoupled {
                w[i] *= 1.0 - lr * rate;
            }
            w[i] -= lr * update;
        }
        out.push(w.clone());
    }
    out
}

/// Every combination that a configuration allows.
pub(crate) fn every_config() -> Vec<NormalizedGradientConfig> {
    let mut configs = Vec::new();
    for scope in [NormScope::Element, NormScope::Tensor] {
        for memory in [Memory::None, Memory::Sum, Memory::Decay { beta: 0.9 }] {
            for momentum in [
                MomentumMemory::None,
                MomentumMemory::OfGradient { beta: 0.8 },
                MomentumMemory::OfUpdate { mu: 0.5 },
            ] {
                for correct in [false, true] {
                    for epsilon in [outside(0.0), outside(1e-2), Epsilon::InsideRoot(1e-2)] {
                        for (decay, mode) in [
                            (0.0, WeightDecayMode::Coupled),
                            (0.1, WeightDecayMode::Coupled),
                            (0.1, WeightDecayMode::Decoupled),
                        ] {
                            configs.push(
                                config()
                                    .with_scope(scope)
                                    .with_memory(memory)
                                    .with_momentum(momentum)
                                    .with_bias_correction(correct)
                                    .with_epsilon(epsilon)
                                    .with_weight_decay(decay)
                                    .with_weight_decay_mode(mode),
                            );
                        }
                    }
                }
            }
        }
    }
    configs.retain(|config| config.build().is_ok());
    configs
}

#[test]
fn every_combination_equals_its_twin() {
    let mut noise = Noise(11);
    let start = noise.take(6);
    let grads: Vec<Vec<f64>> = (0..100).map(|_| noise.take(6)).collect();
    let configs = every_config();
    assert_eq!(
        configs.len(),
        2 * 3 * 3 * (4 + 4 + 6),
        "what a configuration allows"
    );
    for config in configs {
        let device = Device::flex();
        let actual = run(&config, &start, &grads, |_| 0.01, DType::F64, &device);
        let expected = twin(&config, &start, &grads, 0.01);
        for (actual, expected) in actual.iter().zip(&expected) {
            assert_close(actual, expected, 1e-9, &config.to_string());
        }
    }
}

#[test]
fn corners_equal_their_twins_on_every_device() {
    let mut noise = Noise(12);
    let start = noise.take(6);
    let grads: Vec<Vec<f64>> = (0..100).map(|_| noise.take(6)).collect();
    for (name, device) in devices() {
        for config in [
            NormalizedGradientConfig::per_tensor(),
            NormalizedGradientConfig::adagrad_norm(),
            NormalizedGradientConfig::adagrad(),
            NormalizedGradientConfig::adam()
                .with_weight_decay(0.1)
                .with_weight_decay_mode(WeightDecayMode::Decoupled),
        ] {
            let actual = run(&config, &start, &grads, |_| 0.01, DType::F32, &device);
            let expected = twin(&config, &start, &grads, 0.01);
            // A hundred roundings of f32.
            let what = format!("{config} on {name}");
            assert_close(&actual[99], &expected[99], 2e-5, &what);
        }
    }
}

#[test]
fn a_zero_norm_gives_a_zero_update() {
    for (name, device) in devices() {
        for config in every_config() {
            if config.weight_decay != 0.0 {
                continue;
            }
            let zeros = vec![vec![0.0; 2]; 3];
            let weights = run(&config, &[1.0, -2.0], &zeros, |_| 0.5, DType::F32, &device);
            assert_eq!(weights[2], [1.0, -2.0], "{config} on {name}");
        }
    }
}

#[test]
fn one_zero_element_moves_nothing_beside_the_others() {
    for (name, device) in devices() {
        for config in [config(), NormalizedGradientConfig::adagrad()] {
            let grads = [vec![0.0, 2.0]];
            let weights = run(&config, &[1.0, 1.0], &grads, |_| 0.1, DType::F32, &device);
            assert_close(&weights[0], &[1.0, 0.9], 1e-6, name);
        }
    }
}

#[test]
fn a_nan_shows() {
    for (name, device) in devices() {
        for config in every_config() {
            let grads = [vec![f64::NAN, 1.0]];
            let weights = run(&config, &[1.0, 1.0], &grads, |_| 0.1, DType::F32, &device);
            assert!(weights[0][0].is_nan(), "{config} on {name}: {weights:?}");
        }
    }
}

#[test]
fn the_memory_of_halves_is_f32() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            // 300² is beyond f16; in bf16 a sum of 90 000s stops growing.
            let grads = vec![vec![300.0, -300.0]; 400];
            let adagrad = NormalizedGradientConfig::adagrad().with_epsilon(outside(0.0));
            let lr = |_| 1.0 / 16.0;
            let weights = run(&adagrad, &[1.0, 1.0], &grads, lr, dtype, &device);
            let first = &weights[0];
            assert_close(first, &[1.0 - 0.0625, 1.0 + 0.0625], 4e-3, name);
            let optim = adagrad.build().unwrap();
            let weight = tensor::<1>(&[1.0], dtype, &device);
            let mut state = None;
            for _ in 0..400 {
                let grad = tensor(&[300.0], dtype, &device);
                state = optim.step(0.1, weight.clone(), grad, state).1;
            }
            let mut sink = burn::optim::StateSink::default();
            burn::optim::RecordState::state_flatten(&state.unwrap(), "", &mut sink);
            let sum: Vec<f64> = sink.tensors[0].1.iter::<f64>().collect();
            assert_close(
                &sum,
                &[400.0 * 90_000.0],
                1e-6,
                &format!("{dtype:?} {name}"),
            );
        }
    }
}

#[test]
fn huge_gradients_without_memory_keep_their_direction() {
    for (name, device) in devices() {
        for size in [2e19, 1e-25] {
            let grads = [vec![size, -size]];
            let per_tensor = NormalizedGradientConfig::per_tensor();
            let weights = run(
                &per_tensor,
                &[1.0, 1.0],
                &grads,
                |_| 0.1,
                DType::F32,
                &device,
            );
            let step = 0.1 / 2f64.sqrt();
            assert_close(&weights[0], &[1.0 - step, 1.0 + step], 1e-6, name);
        }
    }
}

#[test]
fn an_empty_tensor_is_left_alone() {
    let device = Device::flex();
    for config in every_config() {
        let optim = config.build().unwrap();
        let empty = Tensor::<1>::zeros([0], &device);
        let (weight, state) = optim.step(0.1, empty.clone(), empty, None);
        assert_eq!(weight.dims(), [0]);
        assert!(state.is_none());
    }
}

#[test]
fn no_gradient_no_step() {
    let device = Device::flex().autodiff();
    let pair = Pair::new(&[1.0], &[2.0], DType::F32, &device);
    let mut optim = NormalizedGradientConfig::adam()
        .with_weight_decay(0.5)
        .with_weight_decay_mode(WeightDecayMode::Decoupled)
        .init()
        .unwrap();
    let mut grads = GradientsParams::new();
    grads.register(pair.a.id, Tensor::<1>::ones([1], &Device::flex()));
    let pair = optim.step(0.1, pair, grads);
    assert_eq!(pair.values().1, [2.0], "not even decayed");
    assert!(pair.values().0[0] < 1.0);
    assert_eq!(
        optim.step(0.1, pair, GradientsParams::new()).values().1,
        [2.0]
    );
}

#[test]
fn a_meaningless_configuration_is_refused() {
    let field = |config: NormalizedGradientConfig| config.build().unwrap_err().field;
    assert_eq!(field(config().with_scope(NormScope::Model)), "scope");
    for beta in [1.0, -0.1, f64::NAN] {
        assert_eq!(
            field(config().with_memory(Memory::Decay { beta })),
            "memory.beta"
        );
        let momentum = MomentumMemory::OfGradient { beta };
        assert_eq!(field(config().with_momentum(momentum)), "momentum.beta");
        let momentum = MomentumMemory::OfUpdate { mu: beta };
        assert_eq!(field(config().with_momentum(momentum)), "momentum.mu");
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(field(config().with_epsilon(outside(bad))), "epsilon");
        assert_eq!(
            field(config().with_epsilon(Epsilon::InsideRoot(bad))),
            "epsilon"
        );
        assert_eq!(field(config().with_weight_decay(bad)), "weight_decay");
        let initial = config()
            .with_memory(Memory::Sum)
            .with_initial_accumulator(bad);
        assert_eq!(field(initial), "initial_accumulator");
    }
    assert_eq!(
        field(config().with_bias_correction(true)),
        "bias_correction"
    );
    assert_eq!(
        field(config().with_initial_accumulator(0.1)),
        "initial_accumulator"
    );
    let adam = NormalizedGradientConfig::adam().with_initial_accumulator(0.1);
    assert_eq!(field(adam), "initial_accumulator");
    assert!(
        NormalizedGradientConfig::adam()
            .with_epsilon(outside(-1.0))
            .init()
            .is_err()
    );
}

/// The lengths of the steps at a gradient of 1 and a rate of 0.1: the last with `before`, the first with `after`.
fn lengths(
    before: &NormalizedGradientConfig,
    after: &NormalizedGradientConfig,
    device: &Device,
) -> [f64; 2] {
    let one = || tensor::<1>(&[1.0], DType::F64, device);
    let (mut weight, mut state) = (one(), None);
    let mut lengths = Vec::new();
    for at in 0..100 {
        let config = if at < 99 { before } else { after };
        let from = values(weight.clone())[0];
        (weight, state) = config.build().unwrap().step(0.1, weight, one(), state);
        lengths.push(from - values(weight.clone())[0]);
    }
    [lengths[98], lengths[99]]
}

/// As in a run that is resumed with other settings, or that is `Scheduled`.
#[test]
fn what_new_settings_need_starts_anew_and_the_rest_stays() {
    let decay = Memory::Decay { beta: 0.999 };
    let mean = MomentumMemory::OfGradient { beta: 0.9 };
    for (name, device) in devices() {
        if !device.supports_dtype(DType::F64) {
            continue;
        }
        for scope in [NormScope::Element, NormScope::Tensor] {
            let of = |memory, momentum, corrected| {
                config()
                    .with_scope(scope)
                    .with_memory(memory)
                    .with_momentum(momentum)
                    .with_bias_correction(corrected)
                    .with_epsilon(outside(0.0))
            };
            let near = |lengths: [f64; 2], expected: [f64; 2]| {
                assert_close(&lengths, &expected, 1e-6, &format!("{scope:?} on {name}"));
            };
            let none = MomentumMemory::None;
            // The mean gradient starts, corrected as one of a hundred steps; the mean square stays.
            let (before, after) = (of(decay, none, true), of(decay, mean, true));
            let start = 0.01 / (1.0 - 0.9_f64.powi(100));
            near(lengths(&before, &after, &device), [0.1, start]);
            // A sum stays, too: of 99 squares, and then of 100.
            let update = MomentumMemory::OfUpdate { mu: 0.5 };
            let (before, after) = (of(Memory::Sum, none, false), of(Memory::Sum, update, false));
            near(
                lengths(&before, &after, &device),
                [0.1 / 99_f64.sqrt(), 0.01],
            );
            // A mean square that starts now is corrected as one of one step.
            let (before, after) = (of(Memory::None, mean, true), of(decay, mean, true));
            near(lengths(&before, &after, &device), [0.1, 0.1]);
        }
    }
}
