//! Layers that drop at random: laws over all of them, moments with a stated error probability, masks.

use crate::devices::{devices, training_devices};
use crate::models::{alone, dtypes, values};
use crate::norms::{assert_json, assert_near, assert_refused, grid, recorded};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::{Flag, Module, Param};
use burn::tensor::activation::selu;
use burn::tensor::{DType, Device, Distribution, Tensor};
use burn_tricks::nn::{
    AlphaDropout, AlphaDropoutConfig, DepthSchedule, DropConnect, DropPath, DropPathConfig,
    DropPathScale, DropPathUnit, Dropout, DropoutConfig, GaussianDropout, GaussianDropoutConfig,
    SpatialDropout, SpatialDropoutConfig,
};

/// One of the layers.
#[derive(Module, Debug)]
enum Layer {
    Path(DropPath),
    Spatial(SpatialDropout),
    Alpha(AlphaDropout),
    Gaussian(GaussianDropout),
    Element(Dropout),
}

impl Layer {
    fn all(prob: f64) -> Vec<Self> {
        vec![
            Self::Path(DropPathConfig::new(prob).init().unwrap()),
            Self::Spatial(SpatialDropoutConfig::new(prob).init().unwrap()),
            Self::Alpha(AlphaDropoutConfig::new(prob).init().unwrap()),
            Self::Gaussian(GaussianDropoutConfig::new(prob).init().unwrap()),
            Self::Element(DropoutConfig::new(prob).init().unwrap()),
        ]
    }

    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Path(layer) => layer.forward(x),
            Self::Spatial(layer) => layer.forward(x),
            Self::Alpha(layer) => layer.forward(x),
            Self::Gaussian(layer) => layer.forward(x),
            Self::Element(layer) => layer.forward(x),
        }
    }

    fn training(&self) -> &Param<Flag> {
        match self {
            Self::Path(layer) => &layer.training,
            Self::Spatial(layer) => &layer.training,
            Self::Alpha(layer) => &layer.training,
            Self::Gaussian(layer) => &layer.training,
            Self::Element(layer) => &layer.training,
        }
    }
}

fn input(device: &Device, dtype: DType) -> Tensor<3> {
    grid([16, 6, 2], 0.3, 2.0, (device, dtype))
}

#[test]
fn off_they_are_the_identity_bit_for_bit() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let x = input(&device, DType::F32);
        let same = |layer: &Layer, x: Tensor<3>| {
            assert_eq!(
                values(layer.forward(x.clone())),
                values(x),
                "{name} {layer:?}"
            );
        };
        for layer in Layer::all(0.0) {
            same(&layer, x.clone());
        }
        for layer in Layer::all(0.5) {
            same(&layer, x.clone().inner());
            same(&layer.valid(), x.clone());
            same(&layer.clone().freeze(), x.clone());
            same(&layer.clone().freeze().valid().train(), x.clone());
        }
    }
}

#[test]
fn after_valid_and_train_they_still_drop() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let x = input(&device, DType::F32);
        for layer in Layer::all(0.5) {
            let layer = recorded(layer.valid().train().to_device(&device), layer);
            assert!(layer.training().is_enabled(), "{name} {layer:?}");
            let y = values(layer.forward(x.clone()));
            assert_ne!(y, values(x.clone()), "{name} {layer:?}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_masks_and_no_seed_others() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let x = input(&device, DType::F32);
        let drop = |layer: &Layer| values(layer.forward(x.clone()));
        for layer in Layer::all(0.5) {
            device.seed(7);
            let (first, second) = (drop(&layer), drop(&layer));
            assert_ne!(first, second, "{name} {layer:?}");
            device.seed(7);
            assert_eq!(drop(&layer.clone()), first, "{name} {layer:?}");
            assert_eq!(drop(&layer), second, "{name} {layer:?}");
            device.seed(8);
            assert_ne!(drop(&layer), first, "{name} {layer:?}");
        }
    }
}

#[test]
fn types_and_shapes_are_those_of_the_input() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            for layer in Layer::all(0.25) {
                let (x, y) = (input(&device, dtype), layer.forward(input(&device, dtype)));
                assert_eq!((y.dtype(), y.dims()), (dtype, x.dims()), "{name} {layer:?}");
                let y = layer.forward::<2>(grid([4, 3], 0.3, 1.0, (&device, dtype)));
                assert_eq!(y.dims(), [4, 3], "{name} {layer:?}");
                let y = layer.forward::<4>(grid([4, 3, 2, 1], 0.3, 1.0, (&device, dtype)));
                assert_eq!(y.dims(), [4, 3, 2, 1], "{name} {layer:?}");
            }
        }
    }
}

/// The mask is linear in the input, so differences need no limit: with the same seed the gradient of
/// `Σ y k` is `(f(x + k h) − f(x)) / h`.
#[test]
fn gradients_are_those_of_finite_differences() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for layer in Layer::all(0.5) {
            let x = input(&device, DType::F32);
            let k = grid([16, 6, 2], 0.9, 2.0, (&device, DType::F32));
            let f = |x: Tensor<3>| {
                device.seed(11);
                layer.forward(x)
            };
            let leaf = x.clone().require_grad();
            let grads = (f(leaf.clone()) * k.clone()).sum().backward();
            let exact = values(leaf.grad(&grads).unwrap());
            let difference = f(x.clone() + 1.0) - f(x);
            let what = format!("{name} {layer:?}");
            assert_near(&exact, &values(difference * k), 1e-5, &what);
        }
    }
}

/// With n independent factors a mean is within 5 standard errors of its expectation but for a
/// probability of 6e-7; a variance is, by its fourth moment, likewise. Seeds are fixed: what passes once
/// passes always.
pub(crate) fn assert_moments(draws: &[f64], mean: f64, variance: f64, fourth: f64, what: &str) {
    let n = draws.len() as f64;
    let got = draws.iter().sum::<f64>() / n;
    let error = 5.0 * (variance / n).sqrt();
    assert!(
        (got - mean).abs() < error,
        "{what}: mean {got}, expected {mean} ± {error}"
    );
    let got = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let error = 5.0 * ((fourth - variance * variance) / n).sqrt() + 1e-9;
    assert!(
        (got - variance).abs() < error,
        "{what}: variance {got}, expected {variance} ± {error}"
    );
}

/// Central moments of the factor 0 or 1 / (1 − p) of inverted dropout.
pub(crate) fn inverted(p: f64) -> (f64, f64) {
    let (low, high) = (1.0, p / (1.0 - p));
    (p / (1.0 - p), p * low + (1.0 - p) * high.powi(4))
}

#[test]
fn moments_are_those_of_their_distributions() {
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(5);
        for p in [0.1, 0.25, 0.5] {
            let (variance, fourth) = inverted(p);
            let what = |layer: &str| format!("{name} {layer} {p}");
            let ones = |shape: [usize; 2]| Tensor::<2>::ones(shape, &device);
            let path = DropPathConfig::new(p).init().unwrap();
            let y = values(path.forward(ones([40_000, 1])));
            assert_moments(&y, 1.0, variance, fourth, &what("path"));
            let spatial = SpatialDropoutConfig::new(p).init().unwrap();
            let y = values(spatial.forward(ones([400, 100])));
            assert_moments(&y, 1.0, variance, fourth, &what("spatial"));
            let gaussian = GaussianDropoutConfig::new(p).init().unwrap();
            let y = values(gaussian.forward(ones([400, 100])));
            assert_moments(
                &y,
                1.0,
                variance,
                3.0 * variance * variance,
                &what("Gaussian"),
            );
            // Keras and PyTorch agree on the law: activations of mean 0 and variance 1 keep both.
            let alpha = AlphaDropoutConfig::new(p).init().unwrap();
            let standard = Tensor::random([400, 100], Distribution::Normal(0.0, 1.0), &device);
            let y = values(alpha.forward::<2>(standard));
            let bound = 12.0; // of the fourth moment: SELU's saturated value is below 2 deviations
            assert_moments(&y, 0.0, 1.0, bound, &what("alpha"));
        }
    }
}

#[test]
fn alpha_dropout_keeps_the_moments_of_a_selu_network() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    device.seed(2);
    let alpha = AlphaDropoutConfig::new(0.1).init().unwrap();
    let mut x = Tensor::<2>::random([512, 256], Distribution::Normal(0.0, 1.0), &device);
    for _ in 0..8 {
        let w = Tensor::random([256, 256], Distribution::Normal(0.0, 1.0 / 16.0), &device);
        x = alpha.forward(selu(x.matmul(w)));
    }
    let (variance, mean) = x.reshape([512 * 256]).var_mean(0);
    let (mean, variance) = (values(mean)[0], values(variance)[0]);
    assert!(
        mean.abs() < 0.1 && (variance - 1.0).abs() < 0.15,
        "{mean} {variance}"
    );
}

#[test]
fn paths_are_dropped_sample_by_sample_or_together() {
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(1);
        let x = Tensor::<3>::ones([64, 3, 5], &device);
        let rows = |y: Tensor<3>| -> Vec<f64> {
            let y = values(y);
            let first = |row: &[f64]| {
                assert!(
                    row.iter().all(|x| *x == row[0]),
                    "{name}: a sample as a whole"
                );
                row[0]
            };
            y.chunks(15).map(first).collect()
        };
        let path = DropPathConfig::new(0.5).init().unwrap();
        let kept = rows(path.forward(x.clone()));
        assert!(kept.contains(&0.0) && kept.contains(&2.0), "{name}");
        assert!(
            kept.iter().all(|x| [0.0, 2.0].contains(x)),
            "{name}: {kept:?}"
        );
        let batch = DropPathConfig::new(0.5).with_unit(DropPathUnit::Batch);
        let batch = batch.init().unwrap();
        let draws: Vec<f64> = (0..20)
            .map(|_| {
                let kept = rows(batch.forward(x.clone()));
                assert!(kept.iter().all(|x| *x == kept[0]), "{name}: all samples");
                kept[0]
            })
            .collect();
        assert!(draws.contains(&0.0) && draws.contains(&2.0), "{name}");
    }
}

#[test]
fn the_papers_drop_path_scales_at_inference() {
    // timm divides by 1 − p in training, Composer and the paper multiply by it at inference.
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(1);
        let config = DropPathConfig::new(0.2).with_scale(DropPathScale::Inference);
        let path = config.init().unwrap();
        let x = Tensor::<2>::ones([64, 3], &device);
        let kept = values(path.forward(x.clone()));
        assert!(
            kept.iter().all(|x| [0.0, 1.0].contains(x)),
            "{name}: {kept:?}"
        );
        assert_near(
            &values(path.valid().forward(x.inner())),
            &[0.8; 192],
            1e-6,
            name,
        );
    }
}

#[test]
fn channels_are_dropped_as_a_whole() {
    let _alone = alone();
    for (name, device) in training_devices() {
        device.seed(1);
        let layer = SpatialDropoutConfig::new(0.5).init().unwrap();
        let y = values(layer.forward(Tensor::<4>::ones([8, 6, 3, 3], &device)));
        let maps: Vec<f64> = y
            .chunks(9)
            .map(|map| {
                assert!(map.iter().all(|x| *x == map[0]), "{name}");
                map[0]
            })
            .collect();
        assert!(
            maps.contains(&0.0) && maps.contains(&2.0),
            "{name}: {maps:?}"
        );
        assert!(
            maps.chunks(6).any(|sample| sample != &maps[..6]),
            "{name}: by sample"
        );
    }
}

#[test]
fn depths_are_those_of_timm_and_of_the_paper() {
    for (which, schedule) in [
        ("from_zero", DepthSchedule::FromZero),
        ("from_share", DepthSchedule::FromShare),
    ] {
        let case = case("drop_path", which);
        let depth = read(&case["settings"]["depth"]);
        let probs = schedule
            .probs(read(&case["settings"]["max"]), depth)
            .unwrap();
        assert_close(&probs, &numbers(&case["values"]["probs"]), 1e-12, which);
    }
}

#[test]
fn configs_go_through_json_and_refuse_what_is_no_probability() {
    assert_json(&DropPathConfig::new(0.1).with_scale(DropPathScale::Inference));
    assert_json(&DropPathConfig::new(0.1).with_unit(DropPathUnit::Batch));
    assert_json(&SpatialDropoutConfig::new(0.2));
    assert_json(&AlphaDropoutConfig::new(0.3));
    assert_json(&GaussianDropoutConfig::new(0.4));
    for bad in [-0.1, 1.0, f64::NAN] {
        let got = format!("{bad:?}");
        assert_refused(DropPathConfig::new(bad).init(), "prob", &got);
        assert_refused(SpatialDropoutConfig::new(bad).init(), "prob", &got);
        assert_refused(AlphaDropoutConfig::new(bad).init(), "prob", &got);
        assert_refused(GaussianDropoutConfig::new(bad).init(), "prob", &got);
        assert_refused(DepthSchedule::FromShare.probs(bad, 3), "max", &got);
    }
}

#[test]
fn on_a_device_without_autodiff_nothing_is_drawn() {
    let _alone = alone();
    for (name, device) in devices() {
        let draw = || values(Tensor::<1>::random([4], Distribution::Default, &device));
        device.seed(6);
        let expected = draw();
        device.seed(6);
        for layer in Layer::all(0.5) {
            layer.forward(input(&device, DType::F32));
        }
        assert_eq!(draw(), expected, "{name}: the generator is where it was");
    }
}

#[test]
fn they_are_send_sync_clone() {
    fn check<T: Send + Sync + Clone>() {}
    check::<(DropPath, SpatialDropout, AlphaDropout, GaussianDropout)>();
    check::<DropConnect>();
}

#[test]
fn a_rate_of_one_is_refused_with_its_value() {
    let input = Tensor::<4>::ones([1, 2, 4, 4], &Device::flex().autodiff());
    let message = |prob: f64| {
        let input = input.clone();
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let mut dropout = DropoutConfig::new(0.5).init().unwrap();
            dropout.prob = prob;
            dropout.forward(input)
        }));
        *dropped.map(drop).unwrap_err().downcast::<String>().unwrap()
    };
    for (prob, text) in [
        (1.0, "1.0"),
        (1.5, "1.5"),
        (-0.5, "-0.5"),
        (f64::NAN, "NaN"),
    ] {
        let message = message(prob);
        let expected = format!("must lie in [0, 1), got {text}");
        assert!(
            message.starts_with("`prob`") && message.ends_with(&expected),
            "{message}"
        );
    }
}
