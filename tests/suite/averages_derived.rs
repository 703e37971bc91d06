//! Averages of models with state that follows from their weights: the singular vectors of spectral norm, and
//! those of a module of a user's own.

use crate::devices::training_devices;
use crate::models::{dtypes, values};
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{DType, Device, Distribution, Tensor};
use burn_tricks::average::{
    Buffers, EmaConfig, EmaWarmup, EnsembleConfig, GreedySoupConfig, LawaConfig,
    SnapshotEnsembleConfig, SwaConfig, TrainedAverage, average_checkpoints, uniform_soup,
};
use burn_tricks::nn::{SpectralNorm, SpectralNormConfig};
use burn_tricks::{Derived, Goal, Snapshot};

fn plain(weight: Tensor<2>) -> Linear {
    let [inputs, outputs] = weight.dims();
    let layer = LinearConfig::new(inputs, outputs).with_bias(false);
    let mut layer = layer.init(&weight.device());
    layer.weight = Param::from_tensor(weight);
    layer
}

/// A layer of this weight with these singular vectors, whether they are its own or not.
fn layer(weight: [[f32; 2]; 2], vector: [f32; 2], device: &Device) -> Linear {
    let layer = plain(Tensor::from_data(weight, device));
    let layer = SpectralNormConfig::new().attach(layer).unwrap();
    let norm: &SpectralNorm = layer.weight.reparameterization().unwrap();
    norm.u.set(Tensor::from_data(vector, device));
    norm.v.set(Tensor::from_data(vector, device));
    layer
}

/// The two models of which all these averages are made.
fn pair(device: &Device) -> [Linear; 2] {
    [
        layer([[2.0, 0.0], [0.0, 1.0]], [1.0, 0.0], device),
        layer([[1.0, 0.0], [0.0, 2.0]], [0.0, 1.0], device),
    ]
}

/// The largest singular value, by a power iteration in f64.
fn sigma(weight: Tensor<2>) -> f64 {
    let [rows, columns] = weight.dims();
    let w = values(weight);
    let mut v: Vec<f64> = (0..columns).map(|i| (1.3 * i as f64 + 0.4).sin()).collect();
    let mut norm = 0.0;
    for _ in 0..3000 {
        let last = norm;
        let u: Vec<f64> = (0..rows)
            .map(|r| (0..columns).map(|c| w[r * columns + c] * v[c]).sum())
            .collect();
        v = (0..columns)
            .map(|c| (0..rows).map(|r| w[r * columns + c] * u[r]).sum())
            .collect();
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter_mut().for_each(|x| *x /= length);
        norm = length.sqrt();
        if (norm - last).abs() < 1e-10 * norm {
            break;
        }
    }
    norm
}

/// The weight that a prediction uses has this largest singular value, and the vectors have length 1.
fn assert_normalized(model: &Linear, tolerance: f64, what: &str) {
    let model = model.valid();
    let got = sigma(model.weight.val());
    assert!((got - 1.0).abs() < tolerance, "{what}: {got}");
    let norm: &SpectralNorm = model.weight.reparameterization().unwrap();
    for vector in [&norm.u, &norm.v] {
        assert!(!vector.is_stale(), "{what}");
        let length = values(vector.value().square().sum())[0].sqrt();
        assert!((length - 1.0).abs() < tolerance, "{what}: {length}");
    }
}

/// Every average of two models, and each again from its record.
fn averages([a, b]: [Linear; 2]) -> Vec<(&'static str, Linear)> {
    let mut all = Vec::new();
    for buffers in [Buffers::Average, Buffers::Copy] {
        let config = EmaConfig::new(0.5)
            .with_warmup(EmaWarmup::None)
            .with_buffers(buffers);
        let mut ema = config.init(&a).unwrap();
        ema.update(&b);
        all.push(("EMA", ema.model()));
        all.push(("EMA into a", ema.restore_into(&a).unwrap()));
        all.push(("EMA into b", ema.restore_into(&b).unwrap()));
        let loaded = config.init(&b).unwrap().load_record(ema.to_record());
        let loaded = loaded.unwrap();
        all.push(("loaded EMA", loaded.model()));
        all.push(("loaded EMA into b", loaded.restore_into(&b).unwrap()));
    }
    let config = EmaConfig::new(0.5).with_warmup(EmaWarmup::None);
    let mut trained = TrainedAverage::init(config, &a).unwrap();
    trained.update(&b);
    all.push(("EMA of the trained weights", trained.model(&b)));
    all.push(("the same into b", trained.restore_into(&b)));
    let config = SwaConfig::new(1);
    let mut swa = config.init(&a).unwrap();
    let lawa_config = LawaConfig::new(2, 1);
    let mut lawa = lawa_config.init(&a).unwrap();
    for model in [&a, &b] {
        swa.update(model);
        lawa.update(model);
    }
    all.push(("SWA", swa.model()));
    all.push(("SWA into b", swa.restore_into(&b).unwrap()));
    let loaded = config.init(&b).unwrap().load_record(swa.to_record());
    all.push(("loaded SWA", loaded.unwrap().model()));
    all.push(("LAWA", lawa.model()));
    all.push(("LAWA into b", lawa.restore_into(&b).unwrap()));
    let loaded = lawa_config.init(&b).unwrap().load_record(lawa.to_record());
    all.push(("loaded LAWA", loaded.unwrap().model()));
    let models = [a.clone(), b.clone()];
    all.push(("uniform soup", uniform_soup(&models).unwrap()));
    let greedy = GreedySoupConfig::new(Goal::Maximize);
    let greedy = greedy.select(&models, |_| 1.0).unwrap();
    all.push(("greedy soup", greedy.model));
    let directory = tempfile::tempdir().unwrap();
    let files = ["a.bpk", "b.bpk"].map(|file| directory.path().join(file));
    for (model, file) in [(&a, &files[0]), (&b, &files[1])] {
        model.clone().save_file(file).unwrap();
    }
    all.push(("files", average_checkpoints(a, &files).unwrap()));
    all
}

#[test]
fn an_average_of_spectral_norms_is_one() {
    for (name, device) in training_devices() {
        for (which, model) in averages(pair(&device)) {
            let what = format!("{name} {which}");
            let weight = values(model.weight.base());
            assert_eq!(weight, [1.5, 0.0, 0.0, 1.5], "{what}");
            assert_normalized(&model, 1e-5, &what);
            // The files that others make of it, and what is trained on.
            let file = tempfile::tempdir().unwrap();
            let path = file.path().join("model.bpk");
            model.clone().save_file(&path).unwrap();
            let [blank, _] = pair(&device);
            assert_normalized(&blank.load_file(&path), 1e-5, &format!("{what}, saved"));
        }
    }
}

#[test]
fn opposite_vectors_do_not_cancel_and_the_newest_ones_do_not_trap() {
    for (name, device) in training_devices() {
        let weight = [[2.0, 0.0], [0.0, 1.0]];
        let opposite = [
            layer(weight, [1.0, 0.0], &device),
            layer(weight, [-1.0, 0.0], &device),
        ];
        // The newest vectors are at right angles to those of the mean, diag(3, 1).
        let trap = [
            layer([[5.0, 0.0], [0.0, 0.0]], [1.0, 0.0], &device),
            layer([[1.0, 0.0], [0.0, 2.0]], [0.0, 1.0], &device),
        ];
        for models in [opposite, trap] {
            for (which, model) in averages(models) {
                assert_normalized(&model, 1e-5, &format!("{name} {which}"));
            }
        }
    }
}

#[test]
fn the_vectors_of_frozen_weights_are_computed_anew_too() {
    for (name, device) in training_devices() {
        // The vectors of its smaller singular value.
        let frozen = || layer([[2.0, 0.0], [0.0, 1.0]], [0.0, 1.0], &device).no_grad();
        let [a, b] = pair(&device).map(|trained| vec![trained, frozen()]);
        let config = EmaConfig::new(0.5).with_warmup(EmaWarmup::None);
        let mut average = TrainedAverage::init(config, &a).unwrap();
        let models = |average: &TrainedAverage<_>| [average.model(&b), average.restore_into(&b)];
        for models in [models(&average), {
            average.update(&b);
            models(&average)
        }] {
            for model in models {
                assert_normalized(&model[0], 1e-5, name);
                assert_normalized(&model[1], 1e-5, name);
            }
        }
    }
}

#[test]
fn half_precision_too() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let of = |seed: f64| {
                let angle = Tensor::<1, burn::tensor::Int>::arange(0..48, &device).float() * seed;
                let weight = angle.sin().reshape([6, 8]).cast(dtype);
                let weight = weight.detach().require_grad();
                SpectralNormConfig::new().attach(plain(weight)).unwrap()
            };
            let tolerance = match dtype {
                DType::F16 => 4e-3,
                DType::BF16 => 3e-2,
                _ => 1e-5,
            };
            for (which, model) in averages([of(0.7), of(1.9)]) {
                assert_eq!(model.weight.val().dtype(), dtype);
                assert_normalized(&model, tolerance, &format!("{name} {dtype:?} {which}"));
            }
        }
    }
}

#[test]
fn a_run_of_adam_keeps_its_average_normalised() {
    let device = Device::flex().autodiff();
    let weight = |count: i64, seed: f64| {
        let angle = Tensor::<1, burn::tensor::Int>::arange(0..count, &device).float() * seed;
        angle.sin() * 0.5
    };
    let start = weight(256, 12.9).reshape([16, 16]).detach().require_grad();
    let mut model = SpectralNormConfig::new().attach(plain(start)).unwrap();
    let mut optim = AdamConfig::new().init();
    let mut ema = EmaConfig::new(0.999).init(&model).unwrap();
    let x = weight(512, 3.7).reshape([32, 16]);
    let y = weight(512, 5.3).reshape([32, 16]);
    for _ in 0..300 {
        let loss = (model.forward(x.clone()) - y.clone()).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optim.step(0.02, model, grads);
        ema.update(&model);
    }
    assert_normalized(&ema.model(), 1e-4, "300 steps");
    assert_normalized(&ema.restore_into(&model).unwrap(), 1e-4, "restored");
}

/// Of one model alone nothing is calculated anew: it goes on to the bit.
#[test]
fn the_state_of_one_model_is_kept_to_the_bit() {
    let device = Device::flex().autodiff();
    let [a, b] = pair(&device);
    let vectors = |model: &Linear| {
        let norm: &SpectralNorm = model.weight.reparameterization().unwrap();
        [values(norm.u.value()), values(norm.v.value())]
    };
    let odd = layer([[2.0, 0.0], [0.0, 1.0]], [0.6, 0.8], &device);
    let expected = vectors(&odd);
    assert_eq!(vectors(&Snapshot::new(&odd).model()), expected);
    assert_eq!(vectors(&Snapshot::new(&odd).restore(&a).unwrap()), expected);
    let mut replaced = Snapshot::new(&a);
    replaced.lerp(&b, 0.5, Buffers::Average).unwrap();
    replaced.replace(&odd).unwrap();
    assert_eq!(vectors(&replaced.model()), expected);
    let copying = EmaConfig::new(0.9).with_warmup(EmaWarmup::FirstUpdateCopies);
    for config in [
        copying,
        EmaConfig::new(0.0),
        EmaConfig::new(0.9).with_start_after(5),
    ] {
        let mut ema = config.init(&a).unwrap();
        ema.update(&odd);
        assert_eq!(vectors(&ema.model()), expected);
        let loaded = config.init(&b).unwrap().load_record(ema.to_record());
        assert_eq!(vectors(&loaded.unwrap().model()), expected);
    }
    let mut swa = SwaConfig::new(1).init(&a).unwrap();
    swa.update(&odd);
    assert_eq!(vectors(&swa.model()), expected);
    let loaded = SwaConfig::new(1).init(&b).unwrap();
    let loaded = loaded.load_record(swa.to_record()).unwrap();
    assert_eq!(vectors(&loaded.model()), expected);
    let mut lawa = LawaConfig::new(3, 1).init(&a).unwrap();
    lawa.update(&odd);
    assert_eq!(vectors(&lawa.model()), expected);
    let mut members = SnapshotEnsembleConfig::new(2).init(&a).unwrap();
    members.collect(&odd);
    let ensemble = members.into_ensemble(&EnsembleConfig::new()).unwrap();
    assert_eq!(vectors(&ensemble.members()[0]), expected);
    let snapshot = Snapshot::new(&odd);
    let places = snapshot.places().iter();
    let kinds: Vec<_> = places.map(|place| format!("{:?}", place.kind)).collect();
    assert_eq!(kinds, ["Weight", "Derived", "Derived"]);
}

/// A user's own layer, which divides its weight by its length.
#[derive(Module, Debug)]
struct UnitLinear {
    weight: Param<Tensor<2>>,
    length: Derived<1>,
}

impl UnitLinear {
    fn new(weight: [[f32; 1]; 2], device: &Device) -> Self {
        let weight = Tensor::<2>::from_data(weight, device);
        let length = Derived::new(weight.clone().square().sum().sqrt());
        let weight = Param::from_tensor(weight);
        Self { weight, length }
    }

    fn weight(&self) -> Vec<f64> {
        let weight = self.weight.val();
        if self.length.is_stale() {
            self.length.set(weight.clone().square().sum().sqrt());
        }
        values(weight / self.length.value().reshape([1, 1]))
    }
}

#[test]
fn a_module_of_ones_own_calculates_its_state_at_its_first_use() {
    for (name, device) in training_devices() {
        let a = UnitLinear::new([[6.0], [0.0]], &device);
        let b = UnitLinear::new([[0.0], [8.0]], &device);
        let config = EmaConfig::new(0.5).with_warmup(EmaWarmup::None);
        let mut ema = config.init(&a).unwrap();
        let mut trained = TrainedAverage::init(config, &a).unwrap();
        ema.update(&b);
        trained.update(&b);
        let models = [
            ema.model(),
            ema.restore_into(&b).unwrap(),
            trained.model(&b),
            trained.restore_into(&b),
        ];
        for model in models {
            assert!(model.length.is_stale(), "{name}");
            let again = Snapshot::new(&model).restore(&a).unwrap();
            assert!(again.valid().train().length.is_stale(), "{name}");
            for model in [model, again] {
                // What it is not yet is not recorded as if it were.
                let record = a.valid().load_record(model.clone().into_record());
                assert!(values(record.length.value())[0].is_nan(), "{name}");
                let expected = [3.0 / 5.0, 4.0 / 5.0];
                for (got, expected) in model.weight().iter().zip(expected) {
                    assert!((got - expected).abs() < 1e-6, "{name}: {got}");
                }
                assert_eq!(values(model.length.value()), [5.0], "{name}");
                let again = Snapshot::new(&model).restore(&a).unwrap();
                assert_eq!(values(again.length.value()), [5.0], "{name}");
                let recorded = b.valid().load_record(model.into_record());
                assert_eq!(values(recorded.length.value()), [5.0], "{name}");
            }
        }
        assert_eq!(values(a.length.value()), [6.0], "{name}");
        assert_eq!(values(b.length.value()), [8.0], "{name}");
    }
}

#[test]
fn spectral_norm_is_one_as_soon_as_it_is_attached() {
    let _alone = crate::models::alone();
    let device = Device::flex();
    for (rows, columns) in [(64, 64), (256, 256), (64, 256), (256, 64)] {
        for seed in 0..2 {
            device.seed(seed);
            let uniform = Distribution::Uniform(-0.1, 0.1);
            let weight = Tensor::<2>::random([rows, columns], uniform, &device);
            let model = SpectralNormConfig::new().attach(plain(weight)).unwrap();
            assert_normalized(&model, 2e-5, &format!("{rows}x{columns} {seed}"));
        }
    }
    // Weights whose squares `f32` does not hold, in training too.
    for scale in [1e-30, 1e-20, 1e19, 1e30] {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let weight = Tensor::<2>::from_data([[2.0, 0.0], [0.0, 1.0]], &device) * scale;
            let model = SpectralNormConfig::new().attach(plain(weight)).unwrap();
            let got = values(model.weight.val());
            for (got, expected) in got.into_iter().zip([1.0, 0.0, 0.0, 0.5]) {
                assert!((got - expected).abs() < 1e-5, "{scale:e}: {got}");
            }
        }
    }
    // Singular values that nearly agree, none at all, and none that is finite.
    let near = plain(Tensor::from_data([[1.0, 0.0], [0.0, 0.9999]], &device));
    let near = SpectralNormConfig::new().attach(near).unwrap();
    assert_normalized(&near, 1e-4, "near");
    for bad in [0.0, f32::NAN, f32::INFINITY] {
        let weight = Tensor::<2>::full([3, 3], bad, &device);
        let model = SpectralNormConfig::new().attach(plain(weight)).unwrap();
        let first = values(model.weight.val())[0];
        assert!(
            if bad == 0.0 {
                first == 0.0
            } else {
                first.is_nan()
            },
            "{bad}: {first}"
        );
    }
}
