//! The one-pass optimizers: PyTorch's and Keras's numbers, Burn's own optimizers step by step, and
//! Burn's own records, both ways.

use crate::devices::{devices, training_devices};
use crate::models::{Noise, Pair, dtypes, tensor, values};
use crate::oracle::{assert_close, case, largest, numbers, read, worst};
use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Param, ParamGroup};
use burn::optim::{
    self as burns, GradientsParams, ModuleOptimizer, Optimizer, RecordState, StateSink,
    StateSource, decay::WeightDecayConfig, momentum::MomentumConfig,
};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::optim::{
    AdaGradConfig, Adam, AdamConfig, AdamEpsilon, AdamWConfig, MomentumForm, MomentumMemory,
    NormalizedGradientConfig, OptimizerExt as _, RmsPropConfig, Scheduled, SgdConfig,
    WeightDecayMode, WeightDecayScope,
};
use tempfile::TempDir;

fn momentum(momentum: f64, dampening: f64, nesterov: bool) -> Option<MomentumConfig> {
    Some(
        MomentumConfig::new()
            .with_momentum(momentum)
            .with_dampening(dampening)
            .with_nesterov(nesterov),
    )
}

fn penalty(rate: f32) -> Option<WeightDecayConfig> {
    Some(WeightDecayConfig::new(rate))
}

/// The oracle's case, on every device, in f32.
fn check<O: Optimizer>(name: &str, optim: &O) {
    let case = case("optimizers", name);
    let settings = &case["settings"];
    let grads: Vec<Vec<f64>> = read(&case["gradients"]);
    let rates: Vec<f64> = match settings["lr"].as_f64() {
        Some(lr) => vec![lr; grads.len()],
        None => read(&settings["lrs"]),
    };
    let expected: Vec<Vec<f64>> = read(&case["weights"]);
    for (device_name, device) in devices() {
        let mut weight = tensor::<1>(&numbers(&case["start"]), DType::F32, &device);
        let mut state = None;
        for (step, grad) in grads.iter().enumerate() {
            let grad = tensor(grad, DType::F32, &device);
            (weight, state) = optim.step(rates[step], weight, grad, state.take());
            let what = format!("{name}, step {step}, on {device_name}");
            assert_close(&values(weight.clone()), &expected[step], 1e-6, &what);
        }
    }
}

#[test]
fn sgd_is_pytorchs() {
    check("sgd", &SgdConfig::torch().build().unwrap());
    let with = |factor| SgdConfig::torch().with_momentum_factor(factor);
    check("sgd_momentum", &with(0.9).build().unwrap());
    check("sgd_momentum_rates", &with(0.9).build().unwrap());
    let decay = SgdConfig::torch().with_weight_decay(penalty(0.01));
    check("sgd_weight_decay", &decay.build().unwrap());
    let both = with(0.9).with_weight_decay(penalty(0.01));
    check("sgd_momentum_weight_decay", &both.build().unwrap());
    let dampened = SgdConfig::new().with_momentum(momentum(0.9, 0.1, false));
    check("sgd_dampening", &dampened.build().unwrap());
    // Burn's default dampens.
    let default = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
    check("sgd_dampening", &default.build().unwrap());
    let nesterov = SgdConfig::new().with_momentum(momentum(0.9, 0.0, true));
    check("sgd_nesterov", &nesterov.build().unwrap());
}

#[test]
fn classical_momentum_is_kerass_and_differs_when_the_rate_changes() {
    let classical = SgdConfig::classical_momentum();
    check("sgd_momentum", &classical.build().unwrap());
    check("sgd_update_momentum_rates", &classical.build().unwrap());
    let nesterov = classical.with_momentum(momentum(0.9, 0.0, true));
    check("sgd_update_nesterov_rates", &nesterov.build().unwrap());
    let last = |name: &str| read::<Vec<Vec<f64>>>(&case("optimizers", name)["weights"])[3][0];
    assert!((last("sgd_update_momentum_rates") - 0.52435).abs() < 1e-9);
    assert!((last("sgd_momentum_rates") - 0.73981).abs() < 1e-9);
}

#[test]
fn adagrad_is_pytorchs() {
    let torch = AdaGradConfig::torch();
    check("adagrad", &torch.build().unwrap());
    let initial = torch.with_initial_accumulator(0.1);
    check("adagrad_initial", &initial.build().unwrap());
    let decay = initial.with_lr_decay(0.1);
    check("adagrad_initial_lr_decay", &decay.build().unwrap());
}

#[test]
fn adagrad_is_kerass_and_optaxs() {
    check("adagrad_keras", &AdaGradConfig::keras().build().unwrap());
    let large = AdaGradConfig::keras().with_epsilon(0.5);
    check("adagrad_keras_epsilon", &large.build().unwrap());
    let optax = AdaGradConfig::optax().build().unwrap();
    check("adagrad_optax_defaults", &optax);
}

#[test]
fn rms_prop_is_pytorchs() {
    let torch = || RmsPropConfig::torch().with_alpha(0.9);
    check("rmsprop", &torch().build().unwrap());
    check(
        "rmsprop_momentum",
        &torch().with_momentum(0.9).build().unwrap(),
    );
    let centered = torch().with_centered(true);
    check("rmsprop_centered", &centered.build().unwrap());
    let both = torch().with_centered(true).with_momentum(0.9);
    check("rmsprop_centered_momentum", &both.build().unwrap());
}

#[test]
fn adam_is_pytorchs() {
    check("adam", &AdamConfig::torch().build().unwrap());
    let decay = AdamConfig::torch().with_weight_decay(penalty(0.01));
    check("adam_weight_decay", &decay.build().unwrap());
    let decoupled = AdamConfig::torch()
        .with_weight_decay(penalty(0.01))
        .with_weight_decay_mode(WeightDecayMode::Decoupled);
    check("adamw_weight_decay", &decoupled.build().unwrap());
    check("adamw_weight_decay", &AdamWConfig::torch().build().unwrap());
    let amsgrad = AdamConfig::torch().with_beta_2(0.5).with_amsgrad(true);
    check("amsgrad", &amsgrad.build().unwrap());
    let amsgrad = AdamWConfig::torch()
        .with_beta_2(0.5)
        .with_amsgrad(true)
        .with_weight_decay(0.0);
    check("amsgrad", &amsgrad.build().unwrap());
}

#[test]
fn adam_is_kerass_and_optaxs() {
    check("adam_keras_defaults", &AdamConfig::keras().build().unwrap());
    let large = AdamConfig::keras().with_epsilon(0.05);
    check("adam_keras", &large.build().unwrap());
    let amsgrad = large.with_beta_2(0.5).with_amsgrad(true);
    check("adam_keras_amsgrad", &amsgrad.build().unwrap());
    check("adamw_keras", &AdamWConfig::keras().build().unwrap());
    check("adam", &AdamConfig::optax().build().unwrap());
    check("adamw_optax", &AdamWConfig::optax().build().unwrap());
    let amsgrad = AdamConfig::optax().with_beta_2(0.5).with_amsgrad(true);
    check("amsgrad_optax", &amsgrad.build().unwrap());
    let both = amsgrad.with_epsilon_form(AdamEpsilon::ToPlainRoot).build();
    assert_eq!(
        both.unwrap_err().to_string(),
        "`epsilon_form` must be `ToCorrectedRoot` with `AmsGradForm::CorrectThenMax`, whose root is of corrected \
         means, got ToPlainRoot"
    );
}

/// Where skipped steps are counted on the device, its corrections are those of the host.
#[test]
fn every_form_of_adam_skips_a_marked_step() {
    let forms = [
        AdamConfig::keras(),
        AdamConfig::keras().with_amsgrad(true),
        AdamConfig::optax().with_amsgrad(true),
    ];
    for (name, device) in devices() {
        for config in &forms {
            let of = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
            let optim = config.clone().with_beta_2(0.5).with_epsilon(0.05);
            let optim = optim.with_skip_marked(true).build().unwrap();
            let run = |grads: &[f64]| {
                let (mut weight, mut state) = (of(&[1.0, -2.0]), None);
                for grad in grads {
                    (weight, state) = optim.step(0.1, weight, of(&[*grad, 1.0 - grad]), state);
                }
                values(weight)
            };
            let skipped = run(&[0.5, f64::NAN, -0.25, f64::NAN, 2.0, 0.1]);
            let plain = run(&[0.5, -0.25, 2.0, 0.1]);
            assert_close(&skipped, &plain, 1e-6, &format!("{config:?} on {name}"));
        }
    }
}

/// Ours and Burn's of the same settings.
struct Both {
    name: &'static str,
    ours: fn() -> ModuleOptimizer,
    burns: fn() -> ModuleOptimizer,
}

const CLIP: GradientClippingConfig = GradientClippingConfig::Norm(0.5);

fn every_pair() -> Vec<Both> {
    macro_rules! both {
        ($name:literal, $config:ident $(.$with:ident($($value:expr),*))*) => {
            Both {
                name: $name,
                ours: || $config::new()$(.$with($($value),*))*.init().unwrap(),
                burns: || burns::$config::new()$(.$with($($value),*))*.init(),
            }
        };
    }
    vec![
        both!("sgd", SgdConfig),
        both!("sgd, decay", SgdConfig.with_weight_decay(penalty(0.1))),
        both!(
            "sgd, momentum",
            SgdConfig.with_momentum(momentum(0.9, 0.1, false))
        ),
        both!(
            "sgd, nesterov",
            SgdConfig.with_momentum(momentum(0.8, 0.1, true))
        ),
        both!("sgd, clipped", SgdConfig.with_gradient_clipping(Some(CLIP))),
        both!(
            "adagrad",
            AdaGradConfig
                .with_lr_decay(0.1)
                .with_weight_decay(penalty(0.1))
        ),
        both!(
            "adagrad, clipped",
            AdaGradConfig.with_grad_clipping(Some(CLIP))
        ),
        both!("rmsprop", RmsPropConfig.with_momentum(0.0)),
        both!(
            "rmsprop, momentum",
            RmsPropConfig.with_weight_decay(penalty(0.1))
        ),
        both!(
            "rmsprop, centred",
            RmsPropConfig.with_centered(true).with_momentum(0.0)
        ),
        both!(
            "rmsprop, both",
            RmsPropConfig
                .with_centered(true)
                .with_grad_clipping(Some(CLIP))
        ),
        both!("adam", AdamConfig),
        both!(
            "adam, decay",
            AdamConfig
                .with_weight_decay(penalty(0.1))
                .with_epsilon(1e-6)
        ),
        both!("amsgrad", AdamConfig.with_amsgrad(true).with_beta_2(0.9)),
        both!("adam, clipped", AdamConfig.with_grad_clipping(Some(CLIP))),
        both!("adamw", AdamWConfig.with_weight_decay(0.1)),
        both!(
            "adamw, cautious",
            AdamWConfig
                .with_weight_decay(0.5)
                .with_cautious_weight_decay(true)
        ),
        both!(
            "adamw, amsgrad",
            AdamWConfig.with_amsgrad(true).with_beta_2(0.9)
        ),
        both!("adamw, clipped", AdamWConfig.with_grad_clipping(Some(CLIP))),
    ]
}

/// Within 1e-6 of the size of the weights. (Of the distance moved, up to 4e-6: Burn's bias corrections
/// are in `f32`.)
fn assert_same(ours: &Pair, burns: &Pair, what: &str) {
    let ((a, b), (c, d)) = (ours.values(), burns.values());
    for (ours, burns) in [(a, c), (b, d)] {
        let size = largest(&burns);
        assert!(
            worst(&ours, &burns, |_| size) <= 1e-6,
            "{what}: {ours:?} and {burns:?}"
        );
    }
}

fn pair(noise: &mut Noise, dtype: DType, device: &Device) -> Pair {
    let size = if device == &Device::flex() { 300 } else { 40 };
    Pair::new(&noise.take(size), &noise.take(7), dtype, device)
}

/// The same numbers in parameters of the same identity.
fn twin_of(pair: &Pair, device: &Device) -> Pair {
    let twin = |param: &Param<Tensor<1>>| {
        let value = tensor::<1>(&values(param.val()), param.val().dtype(), device);
        Param::initialized(param.id, value.set_require_grad(true))
    };
    Pair {
        a: twin(&pair.a),
        b: twin(&pair.b),
    }
}

fn grads(pair: &Pair, noise: &mut Noise) -> (GradientsParams, GradientsParams) {
    let (a, b) = (noise.take(pair.a.val().dims()[0]), noise.take(7));
    (pair.grads(&a, &b), pair.grads(&a, &b))
}

#[test]
fn they_are_burns_step_by_step() {
    for (device_name, device) in training_devices() {
        for Both { name, ours, burns } in every_pair() {
            let mut noise = Noise(17);
            let mut mine = pair(&mut noise, DType::F32, &device);
            let mut theirs = twin_of(&mine, &device);
            let (mut ours, mut burns) = (ours(), burns());
            for step in 0..12 {
                let (g, h) = grads(&mine, &mut noise);
                let lr = 0.02 / (1.0 + step as f64);
                mine = ours.step(lr, mine, g);
                theirs = burns.step(lr, theirs, h);
                let what = format!("{name}, step {step}, on {device_name}");
                assert_same(&mine, &theirs, &what);
            }
        }
    }
}

/// `into` with the state of `optim`, through a file. Burn reads the file when a number is first
/// used, so its own optimizers need it as long as the folder lives; ours do not.
fn through_a_file(optim: &ModuleOptimizer, into: ModuleOptimizer) -> (ModuleOptimizer, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("optim.bpk");
    optim.save(&file).unwrap();
    (into.load(&file).unwrap(), folder)
}

#[test]
fn burns_records_load_here_and_ours_load_there() {
    let device = Device::flex().autodiff();
    for Both { name, ours, burns } in every_pair() {
        for to_burn in [false, true] {
            let mut noise = Noise(3);
            let mut model = pair(&mut noise, DType::F32, &device);
            let mut optim = if to_burn { ours() } else { burns() };
            for _ in 0..3 {
                let (g, _) = grads(&model, &mut noise);
                model = optim.step(0.01, model, g);
            }
            let other = if to_burn { burns() } else { ours() };
            let (mut other, folder) = through_a_file(&optim, other);
            let folder = to_burn.then_some(folder); // else the file is gone before the next step
            let mut twin = twin_of(&model, &device);
            for step in 3..8 {
                let (g, h) = grads(&model, &mut noise);
                model = optim.step(0.01, model, g);
                twin = other.step(0.01, twin, h);
                assert_same(
                    &model,
                    &twin,
                    &format!("{name}, to Burn: {to_burn}, step {step}"),
                );
            }
            drop(folder);
        }
    }
}

/// Ours have options that Burn's lack, which then have their defaults; Burn's ignore them.
#[test]
fn configurations_in_json_load_both_ways() {
    macro_rules! both_ways {
        ($($config:ident),*) => {$(
            let theirs = serde_json::to_string(&burn::optim::$config::new()).unwrap();
            let ours: burn_tricks::optim::$config = serde_json::from_str(&theirs).unwrap();
            let ours = serde_json::to_string(&ours).unwrap();
            let new = serde_json::to_string(&burn_tricks::optim::$config::new()).unwrap();
            assert_eq!(ours, new, "the defaults are Burn's");
            let back: burn::optim::$config = serde_json::from_str(&ours).unwrap();
            assert_eq!(serde_json::to_string(&back).unwrap(), theirs);
        )*};
    }
    both_ways!(
        SgdConfig,
        AdaGradConfig,
        RmsPropConfig,
        AdamConfig,
        AdamWConfig
    );
}

#[test]
fn the_records_have_the_same_names() {
    let device = Device::flex().autodiff();
    for Both { name, ours, burns } in every_pair() {
        let names = |mut optim: ModuleOptimizer| {
            let mut noise = Noise(5);
            let model = pair(&mut noise, DType::F32, &device);
            let (g, _) = grads(&model, &mut noise);
            optim.step(0.01, model, g);
            let bytes = optim.into_bytes().unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            [
                "momentum.time",
                "momentum.moment_1",
                "momentum.moment_2",
                "max_moment_2",
            ]
            .into_iter()
            .chain([
                "lr_decay.time",
                "lr_decay.sum",
                "square_avg.square_avg",
                "centered.avg",
            ])
            .chain(["centered.grad_avg", "momentum.buf", "momentum.velocity"])
            .filter(|name| text.contains(name))
            .collect::<Vec<_>>()
        };
        assert_eq!(names(ours()), names(burns()), "{name}");
    }
}

#[test]
fn half_precision_records_of_burns_load_into_our_f32_states() {
    let device = Device::flex().autodiff();
    for Both { name, ours, burns } in every_pair() {
        if name.starts_with("amsgrad") || name.contains("clipped") {
            continue; // nothing of their own in the record that the others have not
        }
        for dtype in [DType::F16, DType::BF16] {
            let mut noise = Noise(8);
            let mut model = pair(&mut noise, dtype, &device);
            let mut burns = burns();
            // Gradients that agree, and then turn about: what the state remembers, shows.
            let grads = |pair: &Pair, size| {
                let count = pair.a.val().dims()[0];
                pair.grads(&vec![size; count], &[size; 7])
            };
            for _ in 0..6 {
                let g = grads(&model, 0.5);
                model = burns.step(0.001, model, g);
            }
            let (mut loaded, _) = through_a_file(&burns, ours());
            let (mut blank, start) = (ours(), model.values().0);
            let (mut twin, mut other) = (twin_of(&model, &device), twin_of(&model, &device));
            for _ in 0..4 {
                let (g, h, i) = (grads(&model, -0.5), grads(&twin, -0.5), grads(&other, -0.5));
                model = burns.step(0.2, model, g);
                twin = loaded.step(0.2, twin, h);
                other = blank.step(0.2, other, i);
            }
            assert_eq!(twin.a.val().dtype(), dtype, "{name}");
            // How far it went, on average: Burn rounds its state to the type.
            let way = |pair: &Pair| {
                let ways = pair
                    .values()
                    .0
                    .iter()
                    .zip(&start)
                    .map(|(a, b)| a - b)
                    .collect::<Vec<_>>();
                ways.iter().sum::<f64>() / ways.len() as f64
            };
            let (theirs, ours, without) = (way(&model), way(&twin), way(&other));
            let off = (ours - theirs).abs();
            assert!(
                off < 0.03 * theirs.abs(),
                "{name}, {dtype:?}: {ours} and {theirs}"
            );
            // And a state that is not loaded shows, for all that have one that matters here.
            let stateless = matches!(name, "sgd" | "sgd, decay");
            let shows = off < 0.5 * (without - theirs).abs();
            assert!(
                stateless || shows,
                "{name}, {dtype:?}: {without} without, {ours}, {theirs}"
            );
        }
    }
}

#[test]
fn amsgrad_turned_on_in_the_middle_is_burns() {
    let device = Device::flex().autodiff();
    let mut burns = burns::AdamConfig::new().with_beta_2(0.5).init();
    let mut model = Pair::new(&[1.0], &[-1.0], DType::F32, &device);
    let g = model.grads(&[3.0], &[2.0]);
    model = burns.step(0.1, model, g);
    let (mut ours, _) = through_a_file(
        &burns,
        AdamConfig::new()
            .with_beta_2(0.5)
            .with_amsgrad(true)
            .init()
            .unwrap(),
    );
    let turned = burns::AdamConfig::new()
        .with_beta_2(0.5)
        .with_amsgrad(true)
        .init();
    let (mut theirs, _folder) = through_a_file(&burns, turned);
    let mut twin = twin_of(&model, &device);
    for grad in [0.1, 0.2, -0.1] {
        let (g, h) = (model.grads(&[grad], &[grad]), twin.grads(&[grad], &[grad]));
        model = theirs.step(0.1, model, g);
        twin = ours.step(0.1, twin, h);
        assert_same(&twin, &model, "AMSGrad turned on");
    }
}

#[test]
fn a_run_that_changes_its_momentum_forgets_the_other_form() {
    let device = Device::flex();
    let weight = Tensor::<1>::ones([3], &device);
    let torch = SgdConfig::torch()
        .with_momentum_factor(0.9)
        .build()
        .unwrap();
    let classical = SgdConfig::classical_momentum().build().unwrap();
    let (_, state) = torch.step(0.1, weight.clone(), weight.clone(), None);
    let (changed, state) = classical.step(0.1, weight.clone(), weight.clone(), state);
    let (fresh, _) = classical.step(0.1, weight.clone(), weight.clone(), None);
    assert_eq!(values(changed), values(fresh));
    let mut sink = StateSink::default();
    state.unwrap().state_flatten("p", &mut sink);
    let names: Vec<_> = sink.tensors.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["p.momentum.update"]);
}

/// Every tensor of a state goes where it is told to.
#[test]
fn a_state_moves_to_another_device() {
    fn check<O: Optimizer>(optim: &O, from: &Device, to: &Device) {
        let numbers = Noise(4).take(5);
        let here = |device| tensor::<1>(&numbers, DType::F32, device);
        let (_, state) = optim.step(0.1, here(from), here(from), None);
        let moved = O::to_device(state.clone().unwrap(), to);
        let (stayed, _) = optim.step(0.1, here(from), here(from), state);
        // A tensor left behind would not go together with those of `to`.
        let (moved, _) = optim.step(0.1, here(to), here(to), Some(moved));
        assert_eq!(&moved.device(), to);
        assert_close(&values(moved), &values(stayed), 1e-5, "moved");
    }
    let devices = devices();
    for (_, from) in &devices {
        for (_, to) in &devices {
            check(
                &AdamConfig::new().with_amsgrad(true).build().unwrap(),
                from,
                to,
            );
            check(&AdamWConfig::new().build().unwrap(), from, to);
            check(&AdaGradConfig::new().build().unwrap(), from, to);
            let both = RmsPropConfig::new().with_centered(true);
            check(&both.build().unwrap(), from, to);
            check(&SgdConfig::classical_momentum().build().unwrap(), from, to);
            let momentum = SgdConfig::torch().with_momentum_factor(0.9);
            check(&momentum.build().unwrap(), from, to);
            // Those around another, which have its state beside their own.
            let adam = || AdamConfig::torch().build();
            check(&adam().unwrap().lookahead(2, 0.5).unwrap(), from, to);
            check(&adam().unwrap().schedule_free(0.9).unwrap(), from, to);
            check(&Scheduled::build(move |_| adam()).unwrap(), from, to);
        }
    }
}

/// Also on a device without `f64`.
#[test]
fn a_state_of_f64_goes_on_in_f32() {
    let (optim, flex) = (AdamConfig::torch().build().unwrap(), Device::flex());
    let grad = |dtype, device: &Device| tensor::<1>(&[1.0, -2.0], dtype, device);
    let (wide, state) = optim.step(0.1, grad(DType::F64, &flex), grad(DType::F64, &flex), None);
    let mut sink = StateSink::default();
    state.clone().unwrap().state_flatten("p", &mut sink);
    let start = values(wide.clone());
    let (wide, _) = optim.step(0.1, wide, grad(DType::F64, &flex), state);
    for (name, device) in devices() {
        let mut source = StateSource::new(sink.scalars.iter().cloned().collect());
        for (name, data) in &sink.tensors {
            source.insert_tensor(name.clone(), data.clone());
        }
        let state = RecordState::state_unflatten("p", &mut source, &device).unwrap();
        let state = Adam::to_device::<1>(state, &device);
        let weight = tensor::<1>(&start, DType::F32, &device);
        let (weight, _) = optim.step(0.1, weight, grad(DType::F32, &device), Some(state));
        assert_eq!(weight.dtype(), DType::F32);
        assert_close(&values(weight), &values(wide.clone()), 1e-6, name);
    }
}

/// A state that is unflattened with the wrong default device stays on the host until it is told
/// where to go.
#[test]
fn a_reloaded_state_never_lands_on_the_default_device() {
    fn check<O: Optimizer>(optim: &O, named: &Device, elsewhere: &Device) {
        let weight = Tensor::<1>::ones([5], named);
        let (weight, state) = optim.step(0.1, weight.clone(), weight, None);
        let mut sink = StateSink::default();
        state.clone().unwrap().state_flatten("p", &mut sink);
        let scalars = sink.scalars.into_iter().collect();
        let mut source = StateSource::new(scalars);
        for (name, data) in sink.tensors {
            source.insert_tensor(name, data);
        }
        let reloaded = O::State::<1>::state_unflatten("p", &mut source, elsewhere).unwrap();
        // A tensor of `elsewhere` would not go together with one of `named`.
        let (direct, _) = optim.step(0.1, weight.clone(), weight.clone(), Some(reloaded.clone()));
        assert_eq!(&direct.device(), named);
        let moved = O::to_device(reloaded, named);
        let (moved, _) = optim.step(0.1, weight.clone(), weight.clone(), Some(moved));
        let (kept, _) = optim.step(0.1, weight.clone(), weight, state);
        // Not to the bit: a backend that fuses operations may fuse others when data come from the host.
        assert_close(&values(direct), &values(kept.clone()), 1e-6, "not moved");
        assert_close(&values(moved), &values(kept), 1e-6, "moved");
    }
    let devices = devices();
    for (_, named) in &devices {
        for (_, elsewhere) in &devices {
            check(
                &AdamConfig::new().with_amsgrad(true).build().unwrap(),
                named,
                elsewhere,
            );
            check(&AdaGradConfig::new().build().unwrap(), named, elsewhere);
            check(
                &RmsPropConfig::new().with_centered(true).build().unwrap(),
                named,
                elsewhere,
            );
            check(
                &SgdConfig::classical_momentum().build().unwrap(),
                named,
                elsewhere,
            );
            check(
                &SgdConfig::torch()
                    .with_momentum_factor(0.9)
                    .build()
                    .unwrap(),
                named,
                elsewhere,
            );
        }
    }
}

#[test]
fn a_resumed_run_is_the_same_run_at_every_step() {
    type Init = fn() -> ModuleOptimizer;
    let classical: Init = || SgdConfig::classical_momentum().init().unwrap();
    let all = every_pair()
        .into_iter()
        .map(|both| both.ours)
        .chain([classical]);
    let all: Vec<Init> = all.collect();
    for (name, device) in training_devices() {
        // What is recorded does not depend on the backend: there, one of each kind.
        for init in all.iter().step_by(if name == "flex" { 1 } else { 5 }) {
            for dtype in dtypes(&device) {
                let run = |at: Option<usize>| {
                    let mut noise = Noise(2);
                    let mut model = pair(&mut noise, dtype, &device);
                    let mut optim = init();
                    for step in 0..4 {
                        if at == Some(step) {
                            (optim, _) = through_a_file(&optim, init());
                        }
                        let (g, _) = grads(&model, &mut noise);
                        model = optim.step(0.1, model, g);
                    }
                    model.values()
                };
                let whole = run(None);
                for at in 0..4 {
                    assert_eq!(run(Some(at)), whole, "{dtype:?}, resumed before step {at}");
                }
            }
        }
    }
}

#[test]
fn decay_spares_vectors_where_it_is_told_to() {
    for (_, device) in devices() {
        let vector = Tensor::<1>::ones([3], &device);
        let matrix = Tensor::<2>::ones([3, 2], &device);
        let decayed = |scope| {
            let sgd = SgdConfig::new()
                .with_weight_decay(penalty(0.5))
                .with_weight_decay_mode(WeightDecayMode::Decoupled)
                .with_weight_decay_scope(scope);
            let ada_grad = AdaGradConfig::new()
                .with_weight_decay(penalty(0.5))
                .with_weight_decay_scope(scope);
            let rms_prop = RmsPropConfig::new()
                .with_weight_decay(penalty(0.5))
                .with_weight_decay_scope(scope);
            let adam = AdamConfig::new()
                .with_weight_decay(penalty(0.5))
                .with_weight_decay_scope(scope);
            let adam_w = AdamWConfig::new()
                .with_weight_decay(0.5)
                .with_weight_decay_scope(scope);
            [
                moves(&sgd.build().unwrap(), &vector, &matrix),
                moves(&ada_grad.build().unwrap(), &vector, &matrix),
                moves(&rms_prop.build().unwrap(), &vector, &matrix),
                moves(&adam.build().unwrap(), &vector, &matrix),
                moves(&adam_w.build().unwrap(), &vector, &matrix),
            ]
        };
        assert_eq!(decayed(WeightDecayScope::Every), [(true, true); 5]);
        assert_eq!(decayed(WeightDecayScope::Matrices), [(false, true); 5]);
    }
    /// Whether a zero gradient moves the weights.
    fn moves<O: Optimizer>(optim: &O, vector: &Tensor<1>, matrix: &Tensor<2>) -> (bool, bool) {
        let after = |a: Vec<f64>| a.iter().any(|w| *w != 1.0);
        let (v, _) = optim.step(0.1, vector.clone(), vector.zeros_like(), None);
        let (m, _) = optim.step(0.1, matrix.clone(), matrix.zeros_like(), None);
        (after(values(v)), after(values(m)))
    }
}

#[test]
fn decoupled_decay_is_eta_lambda_in_all_of_them() {
    fn check<O: Optimizer>(optim: &O, what: &str) {
        let weight = Tensor::<1>::from_floats([2.0, -1.0], &Device::flex());
        let (mut after, mut state) = (weight.clone(), None);
        for _ in 0..2 {
            (after, state) = optim.step(0.1, after, weight.zeros_like(), state);
        }
        let kept = (1.0 - 0.1 * 0.5_f64).powi(2);
        assert_close(&values(after), &[2.0 * kept, -kept], 1e-6, what);
    }
    let (rate, mode) = (penalty(0.5), WeightDecayMode::Decoupled);
    let sgd = SgdConfig::torch()
        .with_weight_decay(rate.clone())
        .with_weight_decay_mode(mode);
    check(&sgd.build().unwrap(), "SGD");
    check(&sgd.with_momentum_factor(0.9).build().unwrap(), "momentum");
    let classical = SgdConfig::classical_momentum()
        .with_weight_decay(rate.clone())
        .with_weight_decay_mode(mode);
    check(&classical.build().unwrap(), "classical momentum");
    let ada_grad = AdaGradConfig::new()
        .with_weight_decay(rate.clone())
        .with_weight_decay_mode(mode);
    check(&ada_grad.build().unwrap(), "AdaGrad");
    let rms_prop = RmsPropConfig::new()
        .with_weight_decay(rate.clone())
        .with_weight_decay_mode(mode);
    check(&rms_prop.build().unwrap(), "RMSProp");
    let adam = AdamConfig::new()
        .with_weight_decay(rate)
        .with_weight_decay_mode(mode);
    check(&adam.build().unwrap(), "Adam");
    check(
        &AdamWConfig::new().with_weight_decay(0.5).build().unwrap(),
        "AdamW",
    );
}

/// A decay of ηλ is about as large as the rounding of a weight, and `1 − ηλ` is rounded by up to as much.
#[test]
fn slow_decay_is_right_on_average() {
    fn check<O: Optimizer>(what: &str, make: impl Fn(f64) -> O) {
        for (name, device) in devices() {
            for rate in [2e-8, 1e-7, 5e-7] {
                let mut noise = Noise(5);
                let start: Vec<f64> = noise.take(256).iter().map(|x| 1.5 + 0.5 * x).collect();
                let mean = |weight: &Tensor<1>| values(weight.clone()).iter().sum::<f64>() / 256.0;
                let (lr, steps) = (1e-3, 400);
                let optims = [make(0.0), make(rate / lr)];
                let weight = tensor::<1>(&start, DType::F32, &device);
                let mut runs = [(weight.clone(), None), (weight, None)];
                let mut expected = 0.0;
                for step in 0..steps {
                    // In ten steps the mean changes by less than a hundredth of itself.
                    if step % 10 == 0 {
                        expected += 10.0 * rate * mean(&runs[0].0);
                    }
                    let grad = noise.take(256);
                    for ((weight, state), optim) in runs.iter_mut().zip(&optims) {
                        let grad = tensor(&grad, DType::F32, &device);
                        let old = std::mem::replace(weight, Tensor::zeros([1], &device));
                        (*weight, *state) = optim.step(lr, old, grad, state.take());
                    }
                }
                let decayed = mean(&runs[0].0) - mean(&runs[1].0);
                let ratio = decayed / expected;
                let what = format!("{what}, ηλ = {rate}, on {name}");
                assert!((ratio - 1.0).abs() < 0.03, "{what}: {ratio} of the decay");
            }
        }
    }
    let mode = WeightDecayMode::Decoupled;
    let decay = |rate: f64| penalty(rate as f32);
    check("AdamW", |rate| {
        AdamWConfig::torch()
            .with_weight_decay(rate)
            .build()
            .unwrap()
    });
    let sgd = |rate| {
        SgdConfig::torch()
            .with_weight_decay(decay(rate))
            .with_weight_decay_mode(mode)
    };
    check("SGD", |rate| sgd(rate).build().unwrap());
    check("momentum", |rate| {
        sgd(rate).with_momentum_factor(0.9).build().unwrap()
    });
    check("classical momentum", |rate| {
        SgdConfig::classical_momentum()
            .with_weight_decay(decay(rate))
            .with_weight_decay_mode(mode)
            .build()
            .unwrap()
    });
    check("AdaGrad", |rate| {
        AdaGradConfig::torch()
            .with_weight_decay(decay(rate))
            .with_weight_decay_mode(mode)
            .build()
            .unwrap()
    });
    check("RMSProp", |rate| {
        RmsPropConfig::torch()
            .with_weight_decay(decay(rate))
            .with_weight_decay_mode(mode)
            .build()
            .unwrap()
    });
    check("normalised", |rate| {
        NormalizedGradientConfig::per_tensor()
            .with_weight_decay(rate)
            .with_weight_decay_mode(mode)
            .build()
            .unwrap()
    });
    check("normalised, with momentum", |rate| {
        NormalizedGradientConfig::per_tensor()
            .with_momentum(MomentumMemory::OfUpdate { mu: 0.9 })
            .with_weight_decay(rate)
            .with_weight_decay_mode(mode)
            .build()
            .unwrap()
    });
}

/// The paper's `w ← w − ηλ w` where `w m ≥ 0`.
#[test]
fn cautious_decay_includes_both_signs_of_weights_without_a_gradient() {
    let config = AdamWConfig::torch().with_weight_decay(0.5);
    let optim = config.with_cautious_weight_decay(true).build().unwrap();
    for (name, device) in devices() {
        let step = |grad: f64| {
            let weight = tensor::<1>(&[0.02, -0.02], DType::F32, &device);
            let grad = tensor::<1>(&[grad, grad], DType::F32, &device);
            values(optim.step(0.1, weight, grad, None).0)
        };
        assert_close(&step(0.0), &[0.019, -0.019], 1e-6, name);
        // The step of −0.1 moves one of them away from zero.
        assert_close(&step(1.0), &[-0.081, -0.12], 1e-6, name);
    }
}

/// The largest mean square stays infinite.
#[test]
fn with_amsgrad_a_square_that_overflows_stops_the_weight() {
    for (name, device) in devices() {
        for config in [AdamConfig::torch(), AdamConfig::optax()] {
            let optim = config.with_amsgrad(true).build().unwrap();
            let of = |number| tensor::<1>(&[number], DType::F32, &device);
            let (mut weight, mut state) = (of(1.0), None);
            for grad in [2e19, 1.0, 1.0] {
                (weight, state) = optim.step(0.1, weight, of(grad), state);
                assert_eq!(values(weight.clone()), [1.0], "{name}, {grad}");
            }
        }
    }
}

#[test]
fn they_work_in_groups_and_leave_other_parameters_alone() {
    let device = Device::flex().autodiff();
    let model = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
    let mut optim = ModuleOptimizer::from(SgdConfig::new().build().unwrap()).with_group(
        ParamGroup::from_regex("b").unwrap(),
        AdamWConfig::new().build().unwrap(),
        None,
    );
    let mut grads = GradientsParams::new();
    grads.register(model.b.id, Tensor::<1>::ones([1], &Device::flex()));
    let model = optim.step(0.1, model, grads);
    let (a, b) = model.values();
    assert_eq!(a, [1.0, 2.0]);
    assert_close(
        &b,
        &[3.0 - 0.1 * 3.0 * 1e-4 - 0.1],
        1e-5,
        "AdamW's first step",
    );
}

#[test]
fn rank_dtype_and_device_are_preserved_and_nothing_is_a_fine_tensor() {
    fn check<O: Optimizer, const D: usize>(optim: &O, shape: [usize; D], device: &Device) {
        for dtype in dtypes(device) {
            let weight = Tensor::<D>::ones(shape, (device, dtype));
            let (weight, state) = optim.step(0.1, weight.clone(), weight, None);
            let (weight, _) = optim.step(0.1, weight.clone(), weight, state);
            assert_eq!((weight.dims(), weight.dtype()), (shape, dtype));
            assert_eq!(&weight.device(), device);
        }
    }
    fn every_rank<O: Optimizer>(optim: &O) {
        for (_, device) in devices() {
            check(optim, [0], &device);
            check(optim, [3], &device);
            check(optim, [2, 3], &device);
            check(optim, [2, 1, 3], &device);
            check(optim, [2, 1, 3, 2], &device);
        }
    }
    every_rank(&SgdConfig::classical_momentum().build().unwrap());
    every_rank(&AdaGradConfig::new().build().unwrap());
    every_rank(&RmsPropConfig::new().with_centered(true).build().unwrap());
    every_rank(&AdamConfig::new().with_amsgrad(true).build().unwrap());
    every_rank(&AdamWConfig::new().build().unwrap());
}

#[test]
fn they_minimise_a_parabola() {
    for (_, device) in training_devices() {
        for Both { name, ours, .. } in every_pair() {
            let mut optim = ours();
            let mut model = Pair::new(&[2.0, -1.0], &[0.5], DType::F32, &device);
            for step in 0..150 {
                let (a, b) = model.values();
                let grads = model.grads(&a, &b);
                let lr = match name {
                    name if name.starts_with("adagrad") => 0.5,
                    name if name.ends_with("clipped") => 0.2,
                    _ => 0.1,
                };
                let lr = lr * 0.98_f64.powi(step);
                model = optim.step(lr, model, grads);
            }
            let (a, b) = model.values();
            let furthest = worst(&[&a[..], &b].concat(), &[0.0; 3], |_| 1.0);
            assert!(furthest < 0.25, "{name} is still at {a:?}, {b:?}");
        }
    }
}

#[test]
fn a_centred_rms_prop_survives_a_constant_gradient() {
    for (name, device) in devices() {
        let optim = RmsPropConfig::torch()
            .with_centered(true)
            .with_alpha(0.5)
            .build()
            .unwrap();
        let mut weight = Tensor::<1>::ones([4], &device);
        let mut state = None;
        for _ in 0..80 {
            let grad = tensor(&[0.1, 0.3, 0.7, 1e-4], DType::F32, &device);
            (weight, state) = optim.step(1e-6, weight, grad, state);
        }
        let weight = values(weight);
        assert!(weight.iter().all(|w| w.is_finite()), "{name}: {weight:?}");
    }
}

#[test]
fn bad_settings_are_refused_with_their_values() {
    let text = |error: burn_tricks::ConfigError| error.to_string();
    let refused = [
        text(AdamConfig::new().with_beta_1(1.0).build().unwrap_err()),
        text(AdamConfig::new().with_epsilon(0.0).init().err().unwrap()),
        text(
            AdamWConfig::new()
                .with_beta_2(f64::NAN)
                .build()
                .unwrap_err(),
        ),
        text(
            AdamWConfig::new()
                .with_weight_decay(-0.1)
                .build()
                .unwrap_err(),
        ),
        text(
            AdaGradConfig::new()
                .with_lr_decay(-2.0)
                .build()
                .unwrap_err(),
        ),
        text(
            AdaGradConfig::new()
                .with_initial_accumulator(f64::INFINITY)
                .build()
                .unwrap_err(),
        ),
        text(RmsPropConfig::new().with_alpha(1.5).build().unwrap_err()),
        text(
            RmsPropConfig::new()
                .with_momentum(-0.5)
                .build()
                .unwrap_err(),
        ),
        text(
            SgdConfig::new()
                .with_momentum_factor(1.25)
                .build()
                .unwrap_err(),
        ),
        text(
            SgdConfig::new()
                .with_weight_decay(penalty(-0.5))
                .build()
                .unwrap_err(),
        ),
        text(
            SgdConfig::new()
                .with_momentum(momentum(0.9, 0.1, false))
                .with_momentum_form(MomentumForm::OfUpdate)
                .build()
                .unwrap_err(),
        ),
    ];
    let expected = [
        ("beta_1", "1"),
        ("epsilon", "0"),
        ("beta_2", "NaN"),
        ("weight_decay", "-0.1"),
        ("lr_decay", "-2"),
        ("initial_accumulator", "inf"),
        ("alpha", "1.5"),
        ("momentum", "-0.5"),
        ("momentum.momentum", "1.25"),
        ("weight_decay", "-0.5"),
        ("momentum.dampening", "0.1"),
    ];
    for (text, (field, value)) in refused.iter().zip(expected) {
        assert!(
            text.contains(&format!("`{field}`")) && text.contains(value),
            "{text}"
        );
    }
}

#[test]
fn configurations_survive_json() {
    let config = SgdConfig::classical_momentum()
        .with_weight_decay(penalty(0.25))
        .with_weight_decay_scope(WeightDecayScope::Matrices);
    let json = serde_json::to_string(&config).unwrap();
    let back: SgdConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(back.build().unwrap(), config.build().unwrap());
    let config = AdamWConfig::torch().with_cautious_weight_decay(true);
    let back: AdamWConfig = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(back.build().unwrap(), config.build().unwrap());
}
