//! Dropout at inference: it draws, and everything else stands still.

use crate::devices::{devices, training_devices};
use crate::models::{Net, alone, values};
use crate::norms::{assert_json, assert_near, assert_refused, grid};
use burn::module::{Module, Param, ParamId};
use burn::nn::{Dropout, DropoutConfig, LinearConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{
    self, DropConnectConfig, DropPath, DropPathConfig, McDropout, McDropoutConfig,
    SpectralNormConfig, TorchBatchNorm, TorchBatchNormConfig,
};

/// `Σ wᵢ xᵢ mᵢ / (1 − p)`: the moments are known.
#[derive(Module, Debug)]
struct Weighted {
    weight: Param<Tensor<1>>,
    dropout: Dropout,
}

impl Weighted {
    fn new(weights: &[f64], prob: f64, device: &Device) -> Self {
        let weight = Tensor::from_data(weights, (device, DType::F32));
        Self {
            weight: Param::initialized(
                ParamId::new(),
                weight.set_require_grad(device.is_autodiff()),
            ),
            dropout: DropoutConfig::new(prob).init(),
        }
    }

    fn forward(&self, x: Tensor<1>) -> Tensor<1> {
        (self.dropout.forward(x) * self.weight.val()).sum()
    }
}

#[test]
fn mean_and_deviation_are_those_of_the_masks() {
    let _alone = alone();
    let weights = [1.0, -2.0, 0.5, 3.0];
    for (name, device) in devices() {
        device.seed(3);
        let model = Weighted::new(&weights, 0.25, &device);
        let x = Tensor::<1>::ones([4], &device);
        let plain = model.forward(x.clone());
        assert_near(
            &values(plain),
            &[2.5],
            1e-6,
            "Burn's dropout does nothing here",
        );
        let samples = 2000;
        let mc = McDropoutConfig::new(samples).init(&model).unwrap();
        let (mean, deviation) = mc.moments(|model| model.forward(Tensor::from_inner(x.clone())));
        assert!(!mean.is_autodiff() && !deviation.is_autodiff(), "{name}");
        // Var = p/(1 − p) Σ w²; 5 standard errors, missed with probability 6e-7. The deviation's error
        // is below 0.71/√n of it, the sum having no heavier tails than a normal variable.
        let expected = (0.25 / 0.75 * 14.25_f64).sqrt();
        let error = 5.0 * expected / (samples as f64).sqrt();
        assert!((values(mean)[0] - 2.5).abs() < error, "{name}");
        assert!(
            (values(deviation)[0] - expected).abs() < 0.71 * error,
            "{name}"
        );
    }
}

#[test]
fn the_deviation_divides_by_the_number_of_samples() {
    let _alone = alone();
    let weights: Vec<f64> = (1..=40).map(f64::from).collect();
    for (name, device) in devices() {
        let model = Weighted::new(&weights, 0.25, &device);
        let x = Tensor::<1>::ones([40], &device);
        let mc = McDropoutConfig::new(2).init(&model).unwrap();
        let predict = |model: &Weighted| model.forward(Tensor::from_inner(x.clone()));
        device.seed(4);
        let samples: Vec<f64> = mc.samples(predict).into_iter().flat_map(values).collect();
        let [a, b] = samples[..] else {
            panic!("{name}: {samples:?}");
        };
        assert_ne!(a, b, "{name}");
        device.seed(4);
        let (mean, deviation) = mc.moments(predict);
        assert_near(&values(mean), &[(a + b) / 2.0], 1e-6, name);
        assert_near(&values(deviation), &[(a - b).abs() / 2.0], 1e-5, name);
    }
}

#[test]
fn only_dropout_moves() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let model = Net::new(0.5, &device);
        let x = grid([6, 4], 0.3, 2.0, (&device, DType::F32));
        model.forward(x.clone());
        let before = values(model.valid().norm.running_mean.value());
        let prediction = values(model.valid().forward(x.clone().inner()));
        for trained in [model.clone(), model.valid(), model.clone().freeze()] {
            let mc = McDropoutConfig::new(8).init(&trained).unwrap();
            let samples = mc.samples(|model| model.forward(x.clone()));
            assert_eq!(samples.len(), 8);
            let samples: Vec<Vec<f64>> = samples.into_iter().map(values).collect();
            assert_ne!(samples[0], samples[1], "{name}: it draws");
            let mean = |model: &Net| values(model.norm.running_mean.value_sync());
            assert_eq!(mean(mc.model()), before, "{name}: batch norm stands still");
            assert_eq!(mean(&trained.valid()), before, "{name}: and the original");
            assert!(!mc.model().first.weight.is_require_grad(), "{name}");
        }
        assert_eq!(
            values(model.valid().forward(x.inner())),
            prediction,
            "{name}"
        );
        assert!(model.first.weight.is_require_grad() && model.dropout.training.is_enabled());
    }
}

#[test]
fn a_seed_repeats_the_samples_and_without_dropout_they_are_the_prediction() {
    let _alone = alone();
    for (name, device) in devices() {
        let x = grid([6, 4], 0.3, 2.0, (&device, DType::F32));
        let model = Net::new(0.5, &device);
        let mc = McDropoutConfig::new(3).init(&model).unwrap();
        let draw = || -> Vec<Vec<f64>> {
            device.seed(12);
            let samples = mc.samples(|model| model.forward(Tensor::from_inner(x.clone())));
            samples.into_iter().map(values).collect()
        };
        assert_eq!(draw(), draw(), "{name}");
        let plain = Net::new(0.0, &device);
        let mc = McDropoutConfig::new(3).init(&plain).unwrap();
        let (mean, deviation) = mc.moments(|model| model.forward(Tensor::from_inner(x.clone())));
        assert_near(&values(mean), &values(plain.forward(x.clone())), 1e-6, name);
        assert!(values(deviation).iter().all(|x| *x < 1e-6), "{name}");
    }
}

/// Layers of this crate, and one that is not known by name.
#[derive(Module, Debug)]
struct Mixed {
    path: DropPath,
    norm: TorchBatchNorm,
    own: Own,
}

#[derive(Module, Debug)]
struct Own {
    training: Param<burn::module::Flag>,
}

#[test]
fn layers_are_told_by_the_names_of_their_types() {
    let _alone = alone();
    let device = Device::flex();
    let model = Mixed {
        path: DropPathConfig::new(0.5).init().unwrap(),
        norm: TorchBatchNormConfig::new(2).init(&device).unwrap(),
        own: Own {
            training: Param::from_bool(true),
        },
    };
    let config = McDropoutConfig::new(2);
    let flags = |config: McDropoutConfig| {
        let mc = config.init(&model).unwrap();
        let Mixed { path, norm, own } = mc.model();
        [&path.training, &norm.training, &own.training].map(|flag| flag.is_enabled())
    };
    assert_eq!(flags(config.clone()), [true, false, false]);
    assert_eq!(
        flags(config.with_layers(vec!["Own".into()])),
        [true, false, true]
    );

    // Inside a reparameterization as well: weights drop, singular vectors stand still.
    let linear = || LinearConfig::new(4, 3).init(&device);
    let drop = DropConnectConfig::new(0.5).attach(linear()).unwrap();
    let mc = McDropoutConfig::new(2).init(&drop).unwrap();
    assert_ne!(values(mc.model().weight.val()), values(drop.weight.val()));
    let spectral = SpectralNormConfig::new().attach(linear()).unwrap();
    let dropout = DropoutConfig::new(0.5).init();
    let mc = McDropoutConfig::new(2).init(&(spectral, dropout)).unwrap();
    let weight = || values(mc.model().0.weight.val());
    assert_eq!(weight(), weight());
}

#[test]
fn every_dropout_of_this_library_draws() {
    let model = (
        nn::DropoutConfig::new(0.5).init().unwrap(),
        nn::DropBlockConfig::new(0.5).init().unwrap(),
        nn::DropPathConfig::new(0.5).init().unwrap(),
        nn::SpatialDropoutConfig::new(0.5).init().unwrap(),
        nn::AlphaDropoutConfig::new(0.5).init().unwrap(),
        nn::GaussianDropoutConfig::new(0.5).init().unwrap(),
    );
    let mc = McDropoutConfig::new(2).init(&model.valid()).unwrap();
    let (value, block, path, map, alpha, gauss) = mc.model();
    let flags = [
        &value.training,
        &block.training,
        &path.training,
        &map.training,
    ];
    assert_eq!(flags.map(|flag| flag.is_enabled()), [true; 4]);
    assert!(alpha.training.is_enabled() && gauss.training.is_enabled());
}

#[test]
fn a_model_that_cannot_draw_and_a_name_that_is_not_met_are_refused() {
    let _alone = alone();
    let device = Device::flex();
    let norm = TorchBatchNormConfig::new(2).init(&device).unwrap();
    let mc = McDropoutConfig::new(3);
    assert_refused(mc.init(&norm), "model", r#"{"TorchBatchNorm"}"#);
    assert_refused(
        mc.init(&LinearConfig::new(2, 2).init(&device)),
        "model",
        "{}",
    );
    let own = Own {
        training: Param::from_bool(true),
    };
    let layers = |names: &[&str]| {
        let names = names.iter().map(|name| name.to_string());
        mc.clone().with_layers(names.collect())
    };
    assert!(layers(&["Own"]).init(&own).is_ok());
    // Beside dropout, too: the rest would be taken for all.
    let model = (own, DropoutConfig::new(0.5).init());
    assert!(layers(&["Own", "Dropout"]).init(&model).is_ok());
    for typo in ["Owm", "Tuple", "DropPath"] {
        assert_refused(
            layers(&["Own", typo]).init(&model),
            "layers",
            &format!("{typo:?}"),
        );
    }
}

#[test]
fn config_goes_through_json_and_refuses_fewer_than_two_samples() {
    assert_json(&McDropoutConfig::new(5).with_layers(vec!["Mine".into()]));
    let model = DropoutConfig::new(0.5).init();
    assert_refused(McDropoutConfig::new(0).init(&model), "samples", "0");
    // Its deviation would be 0, as of a model that is perfectly sure.
    assert_refused(McDropoutConfig::new(1).init(&model), "samples", "1");
    fn check<T: Send + Sync + Clone>() {}
    check::<McDropout<Net>>();
}
