//! Wrappers of optimizers: the numbers of optax, PyTorch and timm, and what each promises besides the laws.

use crate::devices::devices;
use crate::models::{Noise, dtypes, tensor, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::optim::{Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::ConfigError;
use burn_tricks::optim::{
    AdamConfig, AdamWConfig, Cautious, CautiousConfig, DecoupledWeightDecayConfig, LookaheadConfig,
    MasterWeightsConfig, MasterWeightsForm, OptimizerExt, Scheduled, Sgd, SgdConfig,
    TrustRatioConfig, WeightDecayScope,
};
use std::sync::{Arc, Mutex};

/// The oracle's case, on every device, in f32.
fn check<O: Optimizer>(name: &str, optim: Result<O, ConfigError>) {
    let (case, optim) = (case("wrappers", name), optim.expect(name));
    let grads: Vec<Vec<f64>> = read(&case["gradients"]);
    let rates: Vec<f64> = match case["settings"]["lr"].as_f64() {
        Some(lr) => vec![lr; grads.len()],
        None => read(&case["settings"]["lrs"]),
    };
    let expected: Vec<Vec<f64>> = read(&case["weights"]);
    for (device_name, device) in devices() {
        let mut weight = tensor::<1>(&numbers(&case["start"]), DType::F32, &device);
        let mut state = None;
        for (step, grad) in grads.iter().enumerate() {
            let grad = tensor(grad, DType::F32, &device);
            (weight, state) = optim.step(rates[step], weight, grad, state);
            let what = format!("{name}, step {step}, on {device_name}");
            assert_close(&values(weight.clone()), &expected[step], 1e-6, &what);
        }
    }
}

fn adam() -> burn_tricks::optim::Adam {
    AdamConfig::torch().build().unwrap()
}

fn momentum() -> burn_tricks::optim::Sgd {
    let config = SgdConfig::torch().with_momentum_factor(0.9);
    config.build().unwrap()
}

fn sgd() -> burn_tricks::optim::Sgd {
    SgdConfig::torch().build().unwrap()
}

#[test]
fn lookahead_is_optaxs() {
    check("lookahead_sgd", sgd().lookahead(3, 0.5));
    check("lookahead_adam", adam().lookahead(2, 0.8));
    let reset = LookaheadConfig::new(3).with_reset_inner(true);
    check("lookahead_reset", reset.build(momentum()));
}

/// The paper's example: after the third step the slow weight is half way between 1 and 0.512.
#[test]
fn slow_weights_start_at_the_initial_weights() {
    for (name, device) in devices() {
        let optim = sgd().lookahead(3, 0.5).unwrap();
        let (mut weight, mut state) = (tensor::<1>(&[1.0], DType::F32, &device), None);
        for _ in 0..3 {
            let grad = weight.clone() * 2.0;
            (weight, state) = optim.step(0.1, weight, grad, state);
        }
        assert_close(&values(weight), &[0.756], 1e-6, name);
    }
}

#[test]
fn decoupled_decay_is_adamws() {
    check("decoupled_adam", adam().decoupled_weight_decay(0.05));
    let config = DecoupledWeightDecayConfig::new(0.05).with_initial_lr(Some(0.1));
    check("fully_decoupled_adam", config.build(adam()));
}

#[test]
fn cautious_steps_are_timms() {
    let inside = adam().cautious();
    check("cautious_adam", inside.decoupled_weight_decay(0.05));
    check("cautious_momentum", Ok(momentum().cautious()));
}

/// timm and the authors leave out every number without a gradient, and divide the others by `max(mean(m), 10⁻³)`.
#[test]
fn sparse_gradients_lengthen_cautious_steps_as_much_as_timms() {
    for (name, device) in devices() {
        for (count, step) in [(4, 0.4), (100, 10.0), (5000, 100.0)] {
            let mut grad = vec![0.0; count];
            grad[0] = 1.0;
            let [weight, grad] =
                [&vec![1.0; count], &grad].map(|numbers| tensor::<1>(numbers, DType::F32, &device));
            let first = |optim: &Cautious<Sgd>| {
                let (weight, _) = optim.step(0.1, weight.clone(), grad.clone(), None);
                let weight = values(weight);
                assert!(weight[1..].iter().all(|w| *w == 1.0), "{name}, of {count}");
                weight[0]
            };
            let off = (first(&sgd().cautious()) - (1.0 - step)).abs();
            assert!(off < 1e-5 * step, "{name}, of {count}: {off}");
            // The steps of SGD.
            let off = (first(&CautiousConfig::new().with_rescale(false).build(sgd())) - 0.9).abs();
            assert!(off < 1e-6, "{name}, of {count}, not lengthened: {off}");
        }
    }
}

/// timm asks whether the step goes down before it is added to the weight, so that it does not matter whether it is lost there.
#[test]
fn steps_lost_in_rounding_do_not_lengthen_cautious_ones() {
    for (name, device) in devices() {
        let of = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
        let grad = of(&[1.0, 1e-8, -1e-8, 1e-8]);
        let (weight, _) = sgd().cautious().step(0.1, of(&[1.0; 4]), grad, None);
        assert_close(&values(weight), &[0.9, 1.0, 1.0, 1.0], 1e-6, name);
    }
}

#[test]
fn around_adamw_the_trust_ratio_is_lamb_and_around_sgd_lars() {
    let config = AdamWConfig::torch()
        .with_epsilon(1e-6)
        .with_weight_decay(0.01);
    check("lamb", Ok(config.build().unwrap().trust_ratio()));
    let lars = TrustRatioConfig::new()
        .with_coefficient(0.1)
        .with_epsilon(0.1);
    check("trust_ratio_sgd", lars.build(sgd()));
}

/// A ratio beyond the largest number would make NaN of the weights that do not move, or no step.
#[test]
fn the_trust_ratio_of_a_tiny_step_is_finite() {
    for (name, device) in devices() {
        let of = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
        let (weight, grad) = (of(&[1e10, 0.0]), of(&[0.0, 2e-38]));
        let (stepped, _) = sgd().trust_ratio().step(1.0, weight, grad, None);
        let stepped = values(stepped);
        assert_eq!(stepped[0], 1e10, "{name}");
        assert!((-1e10..0.0).contains(&stepped[1]), "{name}: {stepped:?}");
    }
}

/// Also where the largest ratio is less than 1.
#[test]
fn weights_that_are_zero_take_the_inner_step() {
    for (name, device) in devices() {
        let config = TrustRatioConfig::new().with_max_ratio(Some(0.5));
        let optim = config.build(sgd()).unwrap();
        let of = |number| tensor::<1>(&[number], DType::F32, &device);
        let stepped = |weight| values(optim.step(1.0, of(weight), of(1.0), None).0);
        assert_eq!(
            (stepped(0.0), stepped(1.0)),
            (vec![-1.0], vec![0.5]),
            "{name}"
        );
    }
}

/// Where only the device knows of the skip, the host cannot keep the inner state.
#[test]
fn a_lookahead_that_resets_cannot_skip() {
    let both = LookaheadConfig::new(2)
        .with_reset_inner(true)
        .with_skip_marked(true);
    let error = both.build(adam()).expect_err("both");
    assert_eq!(error.field, "reset_inner");
    assert!(error.to_string().contains("skip_marked"), "{error}");
    assert!(both.clone().with_reset_inner(false).build(adam()).is_ok());
    assert!(both.with_skip_marked(false).build(adam()).is_ok());
}

/// Its state holds the number of steps of the schedule.
#[test]
fn a_lookahead_that_resets_cannot_go_around_a_schedule() {
    let reset = || LookaheadConfig::new(3).with_reset_inner(true);
    let scheduled = || Scheduled::build(|_| Ok(adam())).unwrap();
    assert!(LookaheadConfig::new(3).build(scheduled()).is_ok());
    for (error, names) in [
        (reset().build(scheduled()).err(), "`Scheduled`"),
        (reset().build(scheduled().cautious()).err(), "`Scheduled`"),
        (reset().init(scheduled()).err(), "`Scheduled`"),
    ] {
        let error = error.expect(names);
        assert_eq!((error.field, &*error.got), ("reset_inner", "true"));
        assert!(error.to_string().contains(names), "{error}");
    }
    // The other way round the schedule goes on where the lookahead begins anew.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let steps = seen.clone();
    let optim = Scheduled::build(move |step| {
        steps.lock().unwrap().push(step);
        reset().build(adam())
    });
    let (optim, mut state) = (optim.unwrap(), None);
    let mut weight = tensor::<1>(&[1.0], DType::F32, &Device::flex());
    for _ in 0..7 {
        (weight, state) = optim.step(0.1, weight.clone(), weight, state);
    }
    assert_eq!(*seen.lock().unwrap(), [1, 1, 2, 3, 4, 5, 6, 7]);
}

/// Two weights, one of which goes with its gradient in the second step and one against it.
#[test]
fn without_rescaling_a_cautious_step_is_the_inner_step_or_none() {
    for (name, device) in devices() {
        let of = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
        let optim = CautiousConfig::new().with_rescale(false).build(momentum());
        let (first, state) = optim.step(0.1, of(&[1.0, 1.0]), of(&[1.0, 1.0]), None);
        assert_close(&values(first.clone()), &[0.9, 0.9], 1e-6, name);
        // The velocities are 0.9 + 0.5 and 0.9 - 0.5: the second goes up its gradient.
        let (second, state) = optim.step(0.1, first, of(&[0.5, -0.5]), state);
        assert_close(&values(second.clone()), &[0.76, 0.9], 1e-6, name);
        // A gradient that is NaN is not hidden by leaving its step out.
        let (third, _) = optim.step(0.1, second, of(&[f64::NAN, 1.0]), state);
        assert!(values(third)[0].is_nan(), "{name}");
    }
}

#[test]
fn a_zero_weight_and_a_vector_that_is_spared_step_as_without_the_ratio() {
    for (name, device) in devices() {
        let of = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
        let (weight, _) = adam()
            .trust_ratio()
            .step(0.1, of(&[0.0, 0.0]), of(&[1.0, -2.0]), None);
        assert_close(&values(weight.clone()), &[-0.1, 0.1], 1e-6, name);
        // To the bit, on the CPU: it is the difference of two weights, of which the old one is 0.
        let (bare, _) = adam().step(0.1, of(&[0.0, 0.0]), of(&[1.0, -2.0]), None);
        assert_eq!(values(weight), values(bare), "{name}");
        let spared = TrustRatioConfig::new()
            .with_vectors(false)
            .build(adam())
            .unwrap();
        let (mut weight, mut state) = (of(&[3.0, 4.0]), None);
        let (mut bare, mut of_bare) = (weight.clone(), None);
        for at in 0..4 {
            let grad = || of(&[1.0, -2.0 + f64::from(at)]);
            (weight, state) = spared.step(0.1, weight, grad(), state);
            (bare, of_bare) = adam().step(0.1, bare, grad(), of_bare);
            assert_eq!(values(weight.clone()), values(bare.clone()), "{name}");
            if at == 0 {
                assert_close(&values(weight.clone()), &[2.9, 4.1], 1e-6, name);
            }
        }
        // 5 / √2 without a bound.
        let bounded = TrustRatioConfig::new()
            .with_max_ratio(Some(2.0))
            .build(adam())
            .unwrap();
        let (weight, _) = bounded.step(0.1, of(&[3.0, 4.0]), of(&[1.0, -2.0]), None);
        assert_close(&values(weight), &[2.8, 4.2], 1e-6, name);
        let bare = TrustRatioConfig::new().build(sgd()).unwrap();
        let (weight, _) = bare.step(0.1, of(&[3.0, 4.0]), of(&[0.0, 0.0]), None);
        assert_eq!(values(weight), [3.0, 4.0], "{name}");
    }
}

#[test]
fn decay_spares_vectors_and_marked_steps() {
    for (name, device) in devices() {
        let config = DecoupledWeightDecayConfig::new(0.5)
            .with_scope(WeightDecayScope::Matrices)
            .with_skip_marked(true);
        let inner = || AdamConfig::torch().with_skip_marked(true).build().unwrap();
        let optim = config.build(inner()).unwrap();
        let zero = |shape: [usize; 2]| Tensor::<2>::zeros(shape, &device);
        let matrix = tensor::<1>(&[1.0, 2.0], DType::F32, &device).reshape([1, 2]);
        let (decayed, _) = optim.step(0.1, matrix.clone(), zero([1, 2]), None);
        assert_close(&values(decayed), &[0.95, 1.9], 1e-6, name);
        let marked = zero([1, 2]) / zero([1, 2]);
        let (skipped, _) = optim.step(0.1, matrix.clone(), marked, None);
        assert_eq!(values(skipped), values(matrix), "{name}");
        let vector = tensor::<1>(&[1.0, 2.0], DType::F32, &device);
        let (spared, _) = optim.step(0.1, vector.clone(), vector.zeros_like(), None);
        assert_eq!(values(spared), values(vector), "{name}");
    }
}

/// A marked gradient moves neither the weights nor the slow weights, wherever in the cycle it comes.
#[test]
fn a_marked_step_is_no_synchronisation() {
    for (name, device) in devices() {
        let number = |x: f64| tensor::<1>(&[x, x], DType::F32, &device);
        let sgd = || SgdConfig::torch().with_skip_marked(true).build().unwrap();
        let config = LookaheadConfig::new(2).with_skip_marked(true);
        let optim = config.build(sgd()).unwrap();
        let (mut weight, mut state) = (number(1.0), None);
        let mut seen = Vec::new();
        // The second and the third step are skipped; the second would have been a synchronisation.
        for grad in [1.0, f64::NAN, f64::NAN, 1.0] {
            (weight, state) = optim.step(0.25, weight, number(grad), state);
            seen.push(values(weight.clone())[0]);
        }
        // Of 1 the slow and 0.5 the fast weight it is the middle.
        assert_eq!(seen, [0.75, 0.75, 0.75, 0.75], "{name}");
        let unaware = LookaheadConfig::new(2).build(sgd()).unwrap();
        let (weight, state) = unaware.step(0.25, number(1.0), number(1.0), None);
        let (weight, _) = unaware.step(0.25, weight, number(f64::NAN), state);
        assert_eq!(values(weight)[0], 0.875, "{name}");
    }
}

/// The half-precision weights are those of an `f32` run, rounded.
#[test]
fn master_weights_are_an_f32_run() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            if !matches!(dtype, DType::F16 | DType::BF16) {
                continue;
            }
            let mut noise = Noise(3);
            let mut draw = || tensor::<1>(&noise.take(50), dtype, &device);
            let start = draw();
            let (mut half, mut state) = (start.clone(), None);
            let (mut exact, mut state_exact) = (start.cast(DType::F32), None);
            let optim = adam().master_weights();
            for step in 0..20 {
                let grad = draw();
                (half, state) = optim.step(1e-4, half, grad.clone(), state);
                let wide = grad.cast(DType::F32);
                (exact, state_exact) = adam().step(1e-4, exact, wide, state_exact);
                let rounded = values(exact.clone().cast(dtype));
                assert_eq!(
                    values(half.clone()),
                    rounded,
                    "{name}, {dtype:?}, step {step}"
                );
            }
        }
    }
}

/// Steps of a thousandth of what `bf16` can tell apart add up, as they do not without.
#[test]
fn small_steps_are_not_lost_in_half_precision() {
    for (name, device) in devices() {
        if !dtypes(&device).contains(&DType::BF16) {
            continue;
        }
        let run = |optim: &dyn Fn(Tensor<1>) -> Tensor<1>| {
            values(optim(tensor::<1>(&[1.0], DType::BF16, &device)))[0]
        };
        fn steps<O: Optimizer>(optim: &O, mut weight: Tensor<1>) -> Tensor<1> {
            let mut state = None;
            let grad = weight.ones_like();
            for _ in 0..200 {
                (weight, state) = optim.step(5e-4, weight, grad.clone(), state);
            }
            weight
        }
        let kahan = MasterWeightsConfig::new().with_form(MasterWeightsForm::Kahan);
        assert_eq!(run(&|w| steps(&sgd(), w)), 1.0, "{name}: bare");
        let expected = values(tensor::<1>(&[0.9], DType::BF16, &device));
        let master = run(&|w| steps(&sgd().master_weights(), w));
        let kahan = run(&|w| steps(&kahan.build(sgd()), w));
        assert_eq!([master, kahan], [expected[0]; 2], "{name}");
    }
}

#[test]
fn a_weight_that_somebody_else_changed_is_taken_over() {
    for (name, device) in devices() {
        if !dtypes(&device).contains(&DType::BF16) {
            continue;
        }
        let of = |numbers: &[f64]| tensor::<1>(numbers, DType::BF16, &device);
        // With Kahan the remainder of 0.9 stays, 0.0016: it is less than half of the distance from 0.5 to the next number.
        for (form, changed) in [
            (MasterWeightsForm::F32, 0.25),
            (MasterWeightsForm::Kahan, 0.251953125),
        ] {
            let optim = MasterWeightsConfig::new().with_form(form).build(sgd());
            let start = of(&[1.0, 2.0, 1.0, 1.0]);
            let (_, state) = optim.step(0.1, start, of(&[1.0; 4]), None);
            // Three are changed: clamped to 0.5, and set to a much smaller number and to 0.
            let weight = of(&[0.5, 1.8984375, 0.0009765625, 0.0]);
            let (weight, _) = optim.step(0.25, weight, of(&[1.0, 0.0, 0.0, 0.0]), state);
            let expected = [changed, 1.8984375, 0.0009765625, 0.0];
            assert_eq!(values(weight), expected, "{name}, {form:?}");
        }
    }
}

/// Among many weights some compensations round to half of the distance to the next number.
#[test]
fn a_skipped_step_leaves_every_half_precision_weight_as_it_is() {
    let inner = || AdamConfig::torch().with_skip_marked(true).build().unwrap();
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for form in [MasterWeightsForm::F32, MasterWeightsForm::Kahan] {
                let optim = MasterWeightsConfig::new().with_form(form).build(inner());
                let mut noise = Noise(17);
                let mut draw = || tensor::<1>(&noise.take(20_000), dtype, &device);
                let (mut weight, mut state) = (draw(), None);
                for step in 0..5 {
                    (weight, state) = optim.step(1e-3, weight, draw(), state);
                    let marked = weight.full_like(f64::NAN);
                    let before = values(weight.clone());
                    (weight, state) = optim.step(1e-3, weight, marked, state);
                    let after = values(weight.clone());
                    let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
                    assert_eq!(moved, 0, "{name}, {dtype:?}, {form:?}, step {step}");
                }
            }
        }
    }
}

/// The remainder of a weight that a constraint has set to 0 is not added to it in a step that is skipped.
#[test]
fn a_remainder_belongs_to_the_weight_that_it_was_left_over_from() {
    let inner = SgdConfig::torch().with_skip_marked(true).build().unwrap();
    let kahan = MasterWeightsConfig::new().with_form(MasterWeightsForm::Kahan);
    let optim = kahan.build(inner);
    for (name, device) in devices() {
        if !dtypes(&device).contains(&DType::BF16) {
            continue;
        }
        let of = |number: f64| tensor::<1>(&[number], DType::BF16, &device);
        let (_, state) = optim.step(1e-3, of(1.0), of(1.0), None);
        let (weight, _) = optim.step(1e-3, of(0.0), of(f64::NAN), state);
        assert_eq!(values(weight), [0.0], "{name}");
    }
}

/// Saved in mid-cycle and resumed, as laws have it for `f32`, with the state of half-precision weights.
#[test]
fn a_state_of_half_precision_weights_resumes_to_the_bit() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            for form in [MasterWeightsForm::F32, MasterWeightsForm::Kahan] {
                let master = MasterWeightsConfig::new().with_form(form);
                let optim = master.build(adam().lookahead(3, 0.5).unwrap());
                resumes(&optim, dtype, &device, name);
            }
        }
    }
}

fn resumes<O: Optimizer>(optim: &O, dtype: DType, device: &Device, name: &str) {
    for at in 1..7 {
        let mut noise = Noise(5);
        let mut draw = || tensor::<1>(&noise.take(6), dtype, device);
        let mut weight = draw();
        let (mut resumed, mut state, mut loaded) = (weight.clone(), None, None);
        for step in 0..7 {
            if step == at {
                loaded = state.clone().map(|state| reloaded::<O>(state, device));
                resumed = weight.clone();
            }
            let grad = draw();
            (weight, state) = optim.step(0.01, weight, grad.clone(), state);
            if step >= at {
                (resumed, loaded) = optim.step(0.01, resumed, grad, loaded);
            }
        }
        assert_eq!(
            values(resumed),
            values(weight),
            "{name}, {dtype:?}, at {at}"
        );
    }
}

fn reloaded<O: Optimizer>(state: O::State<1>, device: &Device) -> O::State<1> {
    let mut sink = StateSink::default();
    state.state_flatten("p", &mut sink);
    let mut source = StateSource::new(sink.scalars.into_iter().collect());
    for (name, data) in sink.tensors {
        source.insert_tensor(name, data);
    }
    let state = O::State::<1>::state_unflatten("p", &mut source, device).expect("its own record");
    O::to_device(state, device)
}

#[test]
fn a_schedule_of_momentum_is_followed_step_by_step() {
    let factors = [0.9, 0.5, 0.0, 0.7];
    let factor_at = move |step: u64| factors[(step as usize - 1).min(3)];
    let optim = Scheduled::build(move |step| {
        let config = SgdConfig::torch().with_momentum_factor(factor_at(step));
        config.build()
    });
    let optim = optim.unwrap();
    for (name, device) in devices() {
        let (mut weight, mut state) = (tensor::<1>(&[1.0], DType::F64, &device), None);
        let (mut w, mut v) = (1.0, 0.0);
        for (step, grad) in [1.0, 0.5, -0.25, 2.0].into_iter().enumerate() {
            let mu = factors[step];
            // Without momentum nothing is remembered.
            v = if mu == 0.0 { grad } else { mu * v + grad };
            w -= 0.1 * v;
            v = if mu == 0.0 { 0.0 } else { v };
            let grad = tensor(&[grad], DType::F64, &device);
            (weight, state) = optim.step(0.1, weight, grad, state);
            assert_close(
                &values(weight.clone()),
                &[w],
                1e-6,
                &format!("{name}, {step}"),
            );
        }
    }
}

#[test]
fn settings_that_mean_nothing_are_errors() {
    let text = |error: ConfigError| error.to_string();
    assert_eq!(
        text(sgd().lookahead(0, 0.5).unwrap_err()),
        "`k` must be at least 1, got 0"
    );
    for alpha in [-0.1, 1.5, f64::NAN] {
        let error = text(sgd().lookahead(1, alpha).unwrap_err());
        assert_eq!(error, format!("`alpha` must lie in [0, 1], got {alpha:?}"));
    }
    assert_eq!(
        text(sgd().decoupled_weight_decay(-1.0).unwrap_err()),
        "`weight_decay` must be a finite number of at least 0, got -1.0"
    );
    let decay = DecoupledWeightDecayConfig::new(0.1).with_initial_lr(Some(0.0));
    assert!(text(decay.build(sgd()).unwrap_err()).starts_with("`initial_lr` must"));
    for (config, field) in [
        (TrustRatioConfig::new().with_coefficient(0.0), "coefficient"),
        (TrustRatioConfig::new().with_epsilon(f64::NAN), "epsilon"),
        (
            TrustRatioConfig::new().with_max_ratio(Some(0.0)),
            "max_ratio",
        ),
    ] {
        let error = text(config.build(sgd()).unwrap_err());
        assert!(error.starts_with(&format!("`{field}` must")), "{error}");
    }
    let error = Scheduled::build(|_| SgdConfig::torch().with_momentum_factor(2.0).build());
    assert_eq!(error.unwrap_err().field, "momentum.momentum");
}

/// The error of a later step can only be a panic: `step` gives back a weight.
#[test]
#[should_panic(expected = "made none for step 2: `momentum.momentum` must lie in [0, 1], got 1.5")]
fn a_schedule_that_leaves_its_range_says_at_which_step() {
    let optim = Scheduled::build(|step| {
        let factor = 0.75 * step as f64;
        SgdConfig::torch().with_momentum_factor(factor).build()
    });
    let optim = optim.unwrap();
    let one = || Tensor::<1>::ones([1], &Device::flex());
    let (_, state) = optim.step(0.1, one(), one(), None);
    optim.step(0.1, one(), one(), state);
}

#[test]
fn the_inner_optimizer_can_be_had() {
    let optim = adam().lookahead(2, 0.5).unwrap().master_weights();
    assert_eq!(optim.inner().inner(), &adam());
    assert_eq!(optim.into_inner().into_inner(), adam());
}
