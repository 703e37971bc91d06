//! Averages of weights: EMA, SWA, LAWA, soups, checkpoint files.

use crate::devices::{devices, is_gpu, training_devices};
use crate::models::{Net, Pair, alone, dtypes, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::average::{
    Buffers, CombineError, Ema, EmaConfig, EmaSet, EmaWarmup, GreedySoupConfig, Lawa, LawaConfig,
    Swa, SwaConfig, Ties, average_checkpoints, uniform_soup,
};
use burn_tricks::{ConfigError, Goal};

fn pair(value: f64, device: &Device) -> Pair {
    Pair::new(&[value], &[-value, 2.0 * value], DType::F32, device)
}

/// The value of a [`pair`], which must be the same in all its places.
fn value(model: &Pair) -> f64 {
    let (a, b) = model.values();
    assert_eq!((-a[0], 2.0 * a[0]), (b[0], b[1]), "a pair");
    a[0]
}

const WARMUPS: [EmaWarmup; 5] = [
    EmaWarmup::None,
    EmaWarmup::FirstUpdateCopies,
    EmaWarmup::TensorFlow,
    EmaWarmup::Timm {
        gamma: 1.0,
        power: 2.0 / 3.0,
    },
    EmaWarmup::BiasCorrected,
];

fn input(device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..32)
        .map(|i| (i as f32 * 0.7).sin() * 3.0 + 1.0)
        .collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([8, 4])
}

fn train(model: Net, optim: &mut ModuleOptimizer, device: &Device) -> Net {
    let loss = model.forward(input(device)).square().mean();
    let grads = GradientsParams::from_grads(loss.backward(), &model);
    optim.step(0.05, model, grads)
}

fn everything(model: &Net) -> Vec<Vec<f64>> {
    let model = model.valid();
    vec![
        values(model.first.weight.val()),
        values(model.last.weight.val()),
        values(model.norm.gamma.val()),
        values(model.norm.running_mean.value()),
        values(model.norm.running_var.value()),
    ]
}

#[test]
fn ema_agrees_with_pytorch_optax_timm_and_tensorflow() {
    for (name, warmup) in [
        ("ema_none", EmaWarmup::None),
        ("ema_first_update_copies", EmaWarmup::FirstUpdateCopies),
        ("ema_bias_corrected", EmaWarmup::BiasCorrected),
        ("ema_tensorflow", EmaWarmup::TensorFlow),
        ("ema_timm", WARMUPS[3]),
    ] {
        let case = case("averages", name);
        let config = EmaConfig::new(read(&case["settings"]["decay"])).with_warmup(warmup);
        for (backend, device) in training_devices() {
            let mut ema = config.init(&pair(read(&case["initial"]), &device)).unwrap();
            let means = numbers(&case["weights"]).into_iter().map(|weight| {
                ema.update(&pair(weight, &device));
                value(&ema.model())
            });
            let means: Vec<_> = means.collect();
            let what = format!("{name} on {backend}");
            assert_close(&means, &numbers(&case["values"]), 1e-6, &what);
        }
    }
}

#[test]
fn swa_and_lawa_agree_with_their_oracles() {
    for (backend, device) in training_devices() {
        let initial = pair(10.0, &device);
        let mut swa = SwaConfig::new(1).init(&initial).unwrap();
        let mut lawa = LawaConfig::new(2, 1).init(&initial).unwrap();
        let (case, last_two) = (case("averages", "swa"), case("averages", "lawa"));
        let (mut means, mut latest) = (Vec::new(), Vec::new());
        for weight in numbers(&case["weights"]) {
            swa.update(&pair(weight, &device));
            lawa.update(&pair(weight, &device));
            means.push(value(&swa.model()));
            latest.push(value(&lawa.model()));
        }
        // torch-uncertainty counts the first twice: 2.5 instead of 3 after 1, 2, 6.
        assert_close(&means, &numbers(&case["values"]), 1e-6, backend);
        assert_close(&latest, &numbers(&last_two["values"]), 1e-6, backend);
    }
}

#[test]
fn decays_warm_up_as_in_timm_and_tensorflow() {
    let device = Device::flex();
    for (name, warmup) in [("timm", WARMUPS[3]), ("tensorflow", EmaWarmup::TensorFlow)] {
        let case = case("ema_decays", name);
        let (at, expected) = (numbers(&case["n"]), numbers(&case["values"]));
        let config = EmaConfig::new(read(&case["decay"])).with_warmup(warmup);
        let model = Pair::new(&[1.0], &[1.0], DType::F32, &device);
        let mut ema = config.init(&model).unwrap();
        for (n, expected) in at.into_iter().zip(expected) {
            if n > 1e4 {
                continue;
            }
            while (ema.updates() as f64) < n {
                ema.update(&model);
            }
            assert_close(&[ema.next_decay()], &[expected], 1e-12, name);
        }
    }
}

#[test]
fn a_half_life_is_in_steps_whatever_the_updates() {
    let case = case("ema_decays", "half_life");
    let every: Vec<usize> = read(&case["update_every"]);
    let settings = numbers(&case["half_life"]).into_iter().zip(every);
    let decays: Vec<f64> = settings
        .map(|(steps, every)| EmaConfig::from_half_life(steps, every).unwrap().decay)
        .collect();
    assert_close(&decays, &numbers(&case["values"]), 1e-15, "half-life");
}

#[test]
fn a_half_precision_average_moves() {
    // Held in bf16 at 0.999, or in f16 at 0.9999, it stays 1.0 for ever: PyTorch, optax, timm, Keras.
    for (backend, device) in devices() {
        for (name, dtype) in [("bf16", DType::BF16), ("f16", DType::F16)] {
            if !dtypes(&device).contains(&dtype) || is_gpu(backend) {
                continue; // 5000 updates take minutes there
            }
            let case = case("ema_stall", name);
            assert_eq!(read::<f64>(&case["held_in_its_type"]), 1.0, "the bug");
            let at = |value: f64| Pair::new(&[value], &[value], dtype, &device);
            let mut ema = EmaConfig::new(read(&case["decay"]))
                .with_warmup(EmaWarmup::None)
                .init(&at(1.0))
                .unwrap();
            for _ in 0..read(&case["steps"]) {
                ema.update(&at(2.0));
            }
            let (mean, _) = ema.model().values();
            assert_close(&mean, &[read(&case["exact"])], 4e-3, name);
            assert_eq!(ema.model().a.val().dtype(), dtype);
        }
    }
}

#[test]
fn updates_come_every_nth_step_after_the_start() {
    let device = Device::flex();
    let config = EmaConfig::new(0.5)
        .with_warmup(EmaWarmup::None)
        .with_update_every(2)
        .with_start_after(3);
    let mut ema = config.init(&pair(0.0, &device)).unwrap();
    let mut trace = Vec::new();
    for step in 1..=7 {
        ema.update(&pair(f64::from(step), &device));
        trace.push((ema.has_started(), ema.updates(), value(&ema.model())));
    }
    assert_eq!(
        trace,
        [
            (false, 0, 1.0), // the live weights
            (false, 0, 2.0),
            (false, 0, 3.0),
            (false, 0, 3.0), // what the average begins with
            (true, 1, 4.0),  // (3 + 5) / 2
            (true, 1, 4.0),
            (true, 2, 5.5), // (4 + 7) / 2
        ]
    );
}

#[test]
fn until_its_first_sample_an_average_is_the_live_weights() {
    // Lightning's swaps the weights at construction into validation (#21724).
    let device = Device::flex();
    let mut swa = SwaConfig::new(3)
        .with_start_after(2)
        .init(&pair(9.0, &device))
        .unwrap();
    let mut lawa = LawaConfig::new(2, 3)
        .with_start_after(2)
        .init(&pair(9.0, &device))
        .unwrap();
    let copies = EmaConfig::new(0.9).with_warmup(EmaWarmup::FirstUpdateCopies);
    let mut ema = copies
        .with_update_every(3)
        .with_start_after(2)
        .init(&pair(9.0, &device))
        .unwrap();
    for step in 1..=8 {
        let model = pair(f64::from(step), &device);
        swa.update(&model);
        lawa.update(&model);
        ema.update(&model);
        let started = step >= 5;
        assert_eq!(
            (swa.has_started(), lawa.has_started(), ema.has_started()),
            (started, started, started)
        );
        let expected = match step {
            ..=5 => f64::from(step),
            6 | 7 => 5.0,
            _ => 6.5, // of 5 and 8
        };
        assert_eq!(value(&swa.model()), expected, "step {step}");
        assert_eq!(value(&lawa.model()), expected, "step {step}");
        assert_eq!(
            lawa.len(),
            [0, 1, 2][usize::from(started) + usize::from(step == 8)]
        );
        if step < 8 {
            assert_eq!(value(&ema.model()), expected, "step {step}");
        }
    }
}

#[test]
fn several_averages_in_one_pass_are_each_its_own() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let configs: Vec<_> = [0.5, 0.9].map(EmaConfig::new).into();
    let mut model = Net::new(0.0, &device);
    let mut set = EmaSet::init(&configs, &model).unwrap();
    let mut single: Vec<_> = configs
        .iter()
        .map(|config| config.init(&model).unwrap())
        .collect();
    let mut optim = AdamConfig::new().init();
    for _ in 0..4 {
        model = train(model, &mut optim, &device);
        set.update(&model);
        single.iter_mut().for_each(|ema| ema.update(&model));
    }
    for (of_set, alone) in set.iter().zip(&single) {
        assert_eq!(everything(&of_set.model()), everything(&alone.model()));
    }
    assert_eq!(set.into_inner().len(), 2);
    assert_eq!(
        EmaSet::init(&[EmaConfig::new(1.0)], &model)
            .unwrap_err()
            .field,
        "decay"
    );
}

#[test]
fn averaging_leaves_the_training_bit_identical() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let run = |averaged: bool| {
            device.seed(11);
            let mut model = Net::new(0.5, &device);
            burn_tricks::force_init(&model);
            let mut optim = AdamConfig::new().init();
            let mut ema = EmaConfig::new(0.9).init(&model).unwrap();
            let mut swa = SwaConfig::new(2).init(&model).unwrap();
            let mut lawa = LawaConfig::new(2, 1).init(&model).unwrap();
            for _ in 0..5 {
                model = train(model, &mut optim, &device);
                if averaged {
                    ema.update(&model);
                    swa.update(&model);
                    lawa.update(&model);
                    // Validation in between.
                    let plain = device.clone().without_autodiff();
                    ema.model().forward(input(&plain));
                    swa.model().forward(input(&plain));
                    lawa.model().forward(input(&plain));
                }
            }
            (everything(&model), model)
        };
        let (plain, _) = run(false);
        let (averaged, model) = run(true);
        assert_eq!(plain, averaged, "{name}");
        let dropped = values(model.dropout.forward(Tensor::<2>::ones([64, 64], &device)));
        assert!(dropped.contains(&0.0), "{name}: dropout still drops");
    }
}

#[test]
fn neutral_settings_are_the_weights_bit_for_bit() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let mut model = Net::new(0.0, &device);
        let mut optim = AdamConfig::new().init();
        let mut emas: Vec<Ema<Net>> = WARMUPS
            .iter()
            .map(|warmup| {
                EmaConfig::new(0.0)
                    .with_warmup(*warmup)
                    .init(&model)
                    .unwrap()
            })
            .collect();
        let mut lawa = LawaConfig::new(1, 1).init(&model).unwrap();
        for step in 1..=3 {
            model = train(model, &mut optim, &device);
            let live = everything(&model);
            for ema in &mut emas {
                ema.update(&model);
                assert_eq!(everything(&ema.model()), live, "{name}, step {step}");
            }
            lawa.update(&model);
            assert_eq!(everything(&lawa.model()), live, "{name}, LAWA");
        }
        let live = everything(&model);
        let mut swa = SwaConfig::new(1).init(&model).unwrap();
        swa.update(&model);
        assert_eq!(everything(&swa.model()), live, "{name}, SWA of one sample");
        let soup = uniform_soup(&[model.clone(), model.valid()]).unwrap();
        assert_eq!(everything(&soup), live, "{name}, soup of twice the same");
    }
}

#[test]
fn averages_are_values_and_do_not_follow_the_model() {
    // LAWA's authors' average on a CPU is the newest weights, for it keeps references.
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut optim = AdamConfig::new().init();
    let mut model = Net::new(0.0, &device);
    let mut ema = EmaConfig::new(0.9).init(&model).unwrap();
    let mut lawa = LawaConfig::new(2, 1).init(&model).unwrap();
    model = train(model, &mut optim, &device);
    ema.update(&model);
    lawa.update(&model);
    let (kept, average) = (ema.clone(), ema.model());
    let before = (everything(&average), everything(&lawa.model()));
    for _ in 0..3 {
        model = train(model, &mut optim, &device);
    }
    let _ = model.valid();
    assert_eq!((everything(&average), everything(&lawa.model())), before);
    ema.update(&model);
    assert_eq!(everything(&average), before.0, "taken out, it is a value");
    assert_eq!(everything(&kept.model()), before.0, "a clone is its own");
    assert_ne!(everything(&ema.model()), before.0);
    let on = train(ema.model().train(), &mut optim, &device);
    let moved = everything(&ema.model());
    assert_ne!(everything(&on), moved, "trains on");
    assert_eq!(everything(&ema.model()), moved, "and leaves the average");
}

#[test]
fn statistics_of_batch_norm_are_averaged_or_copied() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let start = Net::new(0.0, &device);
    let mean = |model: &Net| values(model.valid().norm.running_mean.value());
    let run = |buffers| {
        let model = start.valid().train();
        let mut ema = EmaConfig::new(0.75)
            .with_warmup(EmaWarmup::None)
            .with_buffers(buffers)
            .init(&model)
            .unwrap();
        model.forward(input(&device));
        ema.update(&model);
        (mean(&ema.model()), mean(&model))
    };
    let (copied, live) = run(Buffers::Copy);
    assert_eq!(copied, live);
    let (averaged, live) = run(Buffers::Average);
    let quarter: Vec<f64> = live.iter().map(|mean| mean * 0.25).collect(); // from 0
    assert_close(&averaged, &quarter, 1e-6, "averaged");
}

#[test]
#[should_panic(expected = "the architectures differ: expected `0.weight` [2, 3] F32")]
fn an_average_of_another_architecture_is_refused() {
    let _alone = alone();
    let layer = |width| vec![LinearConfig::new(2, width).init(&Device::flex())];
    let mut ema = EmaConfig::new(0.9).init(&layer(3)).unwrap();
    ema.update(&layer(4));
}

#[test]
fn a_uniform_soup_is_the_mean_and_a_greedy_one_takes_what_helps() {
    let device = Device::flex();
    let models: Vec<Pair> = [1.0, 2.0, 6.0]
        .iter()
        .map(|at| pair(*at, &device))
        .collect();
    assert_close(
        &[value(&uniform_soup(&models).unwrap())],
        &[3.0],
        1e-6,
        "mean",
    );

    // Distance to 1.6: from 2 (0.4) over (2, 1) = 1.5 (0.1) to (2, 1, 6) = 3 (1.4).
    let distance = |model: &Pair| (value(model) - 1.6).abs();
    let soup = GreedySoupConfig::new(Goal::Minimize)
        .select(&models, distance)
        .unwrap();
    assert_eq!(soup.ingredients, [1, 0]);
    assert_close(
        &[soup.score, value(&soup.model)],
        &[0.1, 1.5],
        1e-6,
        "greedy",
    );
    let soup = GreedySoupConfig::new(Goal::Maximize)
        .select(&models, |model| -distance(model))
        .unwrap();
    assert_eq!(soup.ingredients, [1, 0], "a negative score to maximise");
}

#[test]
fn ties_are_the_papers_or_the_scripts() {
    let device = Device::flex();
    let models: Vec<Pair> = [1.0, 2.0].iter().map(|at| pair(*at, &device)).collect();
    let select = |ties| {
        let config = GreedySoupConfig::new(Goal::Maximize).with_ties(ties);
        config.select(&models, |_| 0.5).unwrap().ingredients
    };
    assert_eq!(select(Ties::Keep), [0, 1]);
    assert_eq!(select(Ties::Skip), [0]);
}

#[test]
fn a_soup_leaves_out_what_has_no_score() {
    let device = Device::flex();
    let models: Vec<Pair> = [1.0, 2.0, 3.0]
        .iter()
        .map(|at| pair(*at, &device))
        .collect();
    let config = GreedySoupConfig::new(Goal::Maximize);
    let nan_for_2 = |model: &Pair| match value(model) {
        2.0 => f64::NAN,
        value => value,
    };
    let soup = config.select(&models, nan_for_2).unwrap();
    assert_eq!(
        soup.ingredients,
        [2],
        "the mean of 3 and 1 is 2, which has no score"
    );
    let error = config.select(&models, |_| f64::NAN).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a soup needs a model with a finite score, got NaN, NaN, NaN"
    );
    assert_eq!(
        config.select::<Pair>(&[], |_| 0.0).unwrap_err(),
        CombineError::Empty
    );
    assert_eq!(uniform_soup::<Pair>(&[]).unwrap_err(), CombineError::Empty);
}

#[test]
fn a_soup_names_what_does_not_fit() {
    let _alone = alone();
    let layer = |width| -> Linear { LinearConfig::new(2, width).init(&Device::flex()) };
    let error = uniform_soup(&[layer(3), layer(3), layer(4)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "model 2 and model 0: the architectures differ: expected `weight` [2, 3] F32, got \
         `weight` [2, 4] F32: models that are combined must be made by one configuration"
    );
    // Before one is scored.
    let scored = |_: &Linear| -> f64 { panic!("scored") };
    let config = GreedySoupConfig::new(Goal::Maximize);
    let error = config.select(&[layer(4), layer(3), layer(3)], scored);
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("model 1 and model 0: "), "{text}");
}

#[test]
fn checkpoint_files_are_averaged() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    for (name, device) in training_devices() {
        let mut model = Net::new(0.5, &device);
        let mut optim = AdamConfig::new().init();
        let (mut files, mut models) = (Vec::new(), Vec::new());
        for epoch in 0..3 {
            model = train(model, &mut optim, &device);
            let file = directory.path().join(format!("{name}-{epoch}.bpk"));
            model.valid().save_file(&file).unwrap();
            files.push(file);
            models.push(model.valid());
        }
        let average = average_checkpoints(Net::new(0.5, &device), &files).unwrap();
        let soup = uniform_soup(&models).unwrap();
        assert_eq!(everything(&average), everything(&soup), "{name}");
        assert!(
            average.first.weight.is_require_grad(),
            "{name}: a model to train on"
        );
        let one = average_checkpoints(Net::new(0.5, &device), &files[..1]).unwrap();
        assert_eq!(everything(&one), everything(&models[0]), "{name}: of one");
    }
}

#[test]
fn half_precision_files_are_averaged_in_f32() {
    let directory = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let at = |value: f64| Pair::new(&[value], &[value], DType::BF16, &device);
    // A running mean held in bf16 stops moving: 1 + 1/256 is 1 there.
    let files: Vec<_> = (0..300)
        .map(|file| {
            let path = directory.path().join(format!("{file}.bpk"));
            at(if file == 0 { -200.0 } else { 2.0 })
                .save_file(&path)
                .unwrap();
            path
        })
        .collect();
    let average = average_checkpoints(at(0.0), &files).unwrap();
    assert_eq!(average.a.val().dtype(), DType::BF16);
    let mean = (-200.0 + 299.0 * 2.0) / 300.0;
    assert_close(&average.values().0, &[mean], 4e-3, "mean");
}

#[test]
fn a_file_that_cannot_be_averaged_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let missing = directory.path().join("missing.bpk");
    let error =
        average_checkpoints(pair(0.0, &device), std::slice::from_ref(&missing)).unwrap_err();
    assert!(error.to_string().contains("missing.bpk"), "{error}");
    let wide = directory.path().join("wide.bpk");
    Pair::new(&[1.0, 2.0], &[1.0], DType::F32, &device)
        .save_file(&wide)
        .unwrap();
    let error = average_checkpoints(pair(0.0, &device), &[wide]).unwrap_err();
    assert!(error.to_string().contains("wide.bpk"), "{error}");
    let none: [std::path::PathBuf; 0] = [];
    assert_eq!(
        average_checkpoints(pair(0.0, &device), &none).unwrap_err(),
        CombineError::Empty
    );
}

#[test]
fn a_meaningless_configuration_is_refused() {
    let model = pair(0.0, &Device::flex());
    let field = |config: EmaConfig| config.init(&model).unwrap_err().field;
    for bad in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(field(EmaConfig::new(bad)), "decay");
    }
    assert_eq!(
        field(EmaConfig::new(0.9).with_update_every(0)),
        "update_every"
    );
    for bad in [0.0, -1.0, f64::NAN] {
        let timm = |gamma, power| EmaConfig::new(0.9).with_warmup(EmaWarmup::Timm { gamma, power });
        assert_eq!(field(timm(bad, 1.0)), "warmup.gamma");
        assert_eq!(field(timm(1.0, bad)), "warmup.power");
        assert_eq!(
            EmaConfig::from_half_life(bad, 1).unwrap_err().field,
            "half_life"
        );
    }
    assert_eq!(
        EmaConfig::from_half_life(9.0, 0).unwrap_err().field,
        "update_every"
    );
    let field = |result: Result<_, ConfigError>| result.map(|_: Swa<Pair>| ()).unwrap_err().field;
    assert_eq!(field(SwaConfig::new(0).init(&model)), "update_every");
    let field = |result: Result<_, ConfigError>| result.map(|_: Lawa<Pair>| ()).unwrap_err().field;
    assert_eq!(field(LawaConfig::new(0, 1).init(&model)), "last");
    assert_eq!(field(LawaConfig::new(1, 0).init(&model)), "update_every");
}

#[test]
fn configurations_survive_json_and_averages_are_values() {
    fn value<T: Clone + Send + 'static>() {}
    value::<(Ema<Net>, Swa<Net>, Lawa<Net>, EmaSet<Net>)>();
    for warmup in WARMUPS {
        let config = EmaConfig::new(0.99)
            .with_warmup(warmup)
            .with_buffers(Buffers::Copy);
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<EmaConfig>(&json).unwrap(), config);
    }
    let json = serde_json::to_string(&SwaConfig::new(7)).unwrap();
    assert_eq!(
        serde_json::from_str::<SwaConfig>(&json).unwrap(),
        SwaConfig::new(7)
    );
    let json = serde_json::to_string(&LawaConfig::new(3, 7)).unwrap();
    assert_eq!(
        serde_json::from_str::<LawaConfig>(&json).unwrap(),
        LawaConfig::new(3, 7)
    );
}

#[test]
fn an_average_follows_its_model_to_another_device() {
    for (name, device) in devices() {
        let mut ema = EmaConfig::new(0.5)
            .with_warmup(EmaWarmup::None)
            .init(&pair(1.0, &Device::flex()))
            .unwrap();
        ema.update(&pair(3.0, &device));
        assert_eq!(value(&ema.model()), 2.0, "{name}");
        assert_eq!(ema.model().devices(), [device], "{name}");
    }
}

/// Neither the statistics of the model that is given, nor those of its clones, nor an update of them that is pending.
#[test]
fn averaging_files_leaves_the_model_as_it_is() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    for (name, device) in training_devices() {
        let file = directory.path().join(format!("{name}.bpk"));
        let mut optim = AdamConfig::new().init();
        let saved = train(Net::new(0.0, &device), &mut optim, &device).valid();
        saved.clone().save_file(&file).unwrap();
        let model = Net::new(0.0, &device);
        model.forward(input(&device) * 5.0); // the statistics are updated when somebody asks for them
        let average = average_checkpoints(model.clone(), &[&file]).unwrap();
        assert_eq!(everything(&average), everything(&saved), "{name}");
        let ours = everything(&model);
        assert_ne!(ours[3], everything(&saved)[3], "{name}");
        assert_ne!(ours[3], [0.0; 8], "{name}: the update that was pending");
        average_checkpoints(model.clone(), &[&file, &file]).unwrap();
        assert_eq!(everything(&model), ours, "{name}");
    }
}

/// By position the average of one decay would go on as that of another.
#[test]
fn a_set_of_other_decays_is_refused() {
    let device = Device::flex().autodiff();
    let set = |decays: [f64; 2]| EmaSet::init(&decays.map(EmaConfig::new), &pair(0.0, &device));
    let mut emas = set([0.5, 0.9]).unwrap();
    emas.update(&pair(1.0, &device));
    assert!(
        set([0.5, 0.9])
            .unwrap()
            .load_record(emas.to_record())
            .is_ok()
    );
    let error = set([0.9, 0.5]).unwrap().load_record(emas.to_record());
    let text = error.map(drop).unwrap_err().to_string();
    for part in ["`decay 0.5`", "`decay 0.9`"] {
        assert!(text.contains(part), "{text}");
    }
    let three = EmaSet::init(&[0.5, 0.9, 0.99].map(EmaConfig::new), &pair(0.0, &device));
    let error = three.unwrap().load_record(emas.to_record());
    let text = error.map(drop).unwrap_err().to_string();
    assert!(text.contains("no other"), "{text}");
    assert!(text.contains("`decay 0.99`"), "{text}");
}
