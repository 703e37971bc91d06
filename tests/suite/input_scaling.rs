//! Input scalers: the numbers of scikit-learn and Keras, streams, edges, and life inside a model.

use crate::devices::{devices, training_devices};
use crate::models::{Noise, alone, dtypes, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_tricks::nn::{
    InputScaler, ScaleBy, ScalerConfig, ScalerError, ScalerKind, UnfittedScaler,
};

fn kinds() -> Vec<(&'static str, ScalerConfig)> {
    vec![
        ("standard", ScalerConfig::standard()),
        ("min-max", ScalerConfig::min_max(0.0, 1.0)),
        ("min-max ±1", ScalerConfig::min_max(-1.0, 1.0)),
        ("max-abs", ScalerConfig::max_abs()),
        ("robust", ScalerConfig::robust()),
    ]
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

#[derive(Module, Debug)]
struct Scaled {
    scaler: InputScaler,
    linear: Linear,
}

impl Scaled {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.scaler.forward(input))
    }
}

fn compare<const D: usize>(name: &str, config: &ScalerConfig, device: &Device) {
    let case = case("scalers", name);
    let data = |shape: &str, values: &str| {
        let shape: Vec<usize> = read(&case[shape]);
        tensor::<D>(&numbers(&case[values]), shape.try_into().unwrap(), device)
    };
    let test = data("test_shape", "test");
    let scaler = config.fit(&data("shape", "train")).unwrap();
    // The shift is rounded to f32, and so are differences of numbers up to 12: by 1e-6 absolutely
    // where a result is near zero.
    let close = |actual: Tensor<D>, expected: &str| {
        let (actual, expected) = (values(actual), numbers(&case[expected]));
        assert_eq!(actual.len(), expected.len(), "{name}");
        for (a, e) in actual.iter().zip(&expected) {
            assert!((a - e).abs() <= 1e-6 * e.abs().max(1.0), "{name}: {a} {e}");
        }
    };
    close(scaler.forward(test.clone()), "scaled");
    close(scaler.inverse(test.clone()), "inverse");
    close(scaler.inverse(scaler.forward(test)), "test");
}

#[test]
fn the_numbers_are_those_of_scikit_learn_and_keras() {
    let robust = ScalerKind::Robust {
        lower: 10.0,
        upper: 90.0,
    };
    let standard = ScalerConfig::standard;
    for (_, device) in devices() {
        for (name, config) in [
            ("standard", standard()),
            ("min_max_01", ScalerConfig::min_max(0.0, 1.0)),
            ("min_max_11", ScalerConfig::min_max(-1.0, 1.0)),
            ("max_abs", ScalerConfig::max_abs()),
            ("robust", ScalerConfig::robust()),
            ("robust_10_90", ScalerConfig::new(robust)),
            ("keras_features", standard()),
        ] {
            compare::<2>(name, &config, &device);
        }
        let whole = ScalerConfig::min_max(0.0, 1.0).with_by(ScaleBy::Whole);
        compare::<4>("standard_channels", &standard(), &device);
        compare::<4>("robust_channels", &ScalerConfig::robust(), &device);
        compare::<4>("min_max_whole", &whole, &device);
        compare::<4>("keras_channels", &standard(), &device);
        let series = standard().with_by(ScaleBy::Axis(2));
        compare::<3>("standard_series", &series, &device);
    }
}

/// Rows of three features: around a thousand, around zero, and tiny.
fn rows(count: usize) -> Vec<f64> {
    let mut noise = Noise(5);
    (0..count)
        .flat_map(|_| [1e3 + noise.next(), 5.0 * noise.next(), 1e-6 * noise.next()])
        .collect()
}

fn streamed(config: &ScalerConfig, rows: &[f64], sizes: &[usize]) -> UnfittedScaler {
    let mut fit = config.unfitted().unwrap();
    let (mut rest, mut sizes) = (rows, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = (3 * sizes.next().unwrap()).min(rest.len());
        let (batch, after) = rest.split_at(size);
        let data = TensorData::new(batch.to_vec(), [size / 3, 3]);
        fit.update_data(&data).unwrap();
        rest = after;
    }
    fit
}

#[test]
fn any_cut_of_a_stream_gives_the_same_bits() {
    let rows = rows(500);
    for (name, config) in kinds() {
        let whole = streamed(&config, &rows, &[500]);
        assert_eq!(whole.samples(), 500);
        for sizes in [&[1][..], &[7], &[64], &[1, 100, 3], &[499, 1]] {
            assert_eq!(streamed(&config, &rows, sizes), whole, "{name} {sizes:?}");
        }
    }
}

#[test]
fn merged_fits_are_one_fit() {
    let rows = rows(500);
    let (_, device) = &devices()[0];
    let statistics = |fit: UnfittedScaler| {
        let scaler = fit.fitted(device).unwrap();
        (values(scaler.shift()), values(scaler.scale()))
    };
    for (name, config) in kinds() {
        let expected = statistics(streamed(&config, &rows, &[500]));
        for cut in [1, 250, 499] {
            let (a, b) = rows.split_at(3 * cut);
            let mut fit = config.unfitted().unwrap();
            fit.merge(&config.unfitted().unwrap()).unwrap();
            for part in [a, b] {
                fit.merge(&streamed(&config, part, &[20])).unwrap();
            }
            assert_eq!(fit.samples(), 500);
            let got = statistics(fit);
            // f64 behind, f32 in front.
            assert_close(&got.0, &expected.0, 1e-7, name);
            assert_close(&got.1, &expected.1, 1e-7, name);
        }
    }
    // Two of a kind of different settings are no one fit.
    let mut fit = ScalerConfig::min_max(0.0, 1.0).unfitted().unwrap();
    let other = ScalerConfig::min_max(-1.0, 1.0).unfitted().unwrap();
    let error = fit.merge(&other).unwrap_err().to_string();
    assert!(error.contains("low: 0.0") && error.contains("low: -1.0"));
}

/// The sum of squares loses everything here: mean 1e8, deviation 1.
#[test]
fn a_large_offset_costs_no_precision_of_the_deviation() {
    let values: Vec<f64> = (0..1000).map(|i| 1e8 + f64::from(i % 3 - 1)).collect();
    let mut fit = ScalerConfig::standard().unfitted().unwrap();
    fit.update_data(&TensorData::new(values, [1000, 1]))
        .unwrap();
    let scale = fit.fitted(&devices()[0].1).unwrap().scale();
    // 334 of -1, 333 of 0 and of 1: the mean of squares less the square of the mean.
    let expected = (667.0 / 1000.0 - 1e-6f64).sqrt();
    assert_close(&crate::models::values(scale), &[expected], 1e-7, "scale");
}

#[test]
fn a_constant_feature_divides_by_nothing_small() {
    let tiny = 1e-42; // its span is no normal f32
    for (_, device) in devices() {
        for (name, config) in kinds() {
            let train = [7.0, 0.0, 0.0, 7.0, 0.0, tiny];
            let mut fit = config.unfitted().unwrap();
            fit.update_data(&TensorData::new(train.to_vec(), [2, 3]))
                .unwrap();
            let scaler = fit.fitted(&device).unwrap();
            let input = tensor(&[7.0, 0.0, 0.0], [1, 3], &device);
            let scaled = values(scaler.forward(input));
            assert!(
                scaled.iter().all(|value| value.abs() <= 1.0),
                "{name}: {scaled:?}"
            );
            // One unit of the data stays one unit, or the width of the target range.
            let far = values(scaler.forward(tensor(&[8.0, 1.0, 1.0], [1, 3], &device)));
            for (a, b) in far.iter().zip(&scaled) {
                assert!(a - b > 0.1 && a - b < 2.1, "{name}: {far:?} {scaled:?}");
            }
        }
        // One sample varies in nothing.
        let one = tensor(&[3.0, -4.0], [1, 2], &device);
        let scaler = ScalerConfig::standard().fit(&one).unwrap();
        assert_eq!(values(scaler.forward(one)), [0.0, 0.0]);
    }
}

#[test]
fn what_means_nothing_is_refused_and_quoted() {
    let refused = |config: ScalerConfig| config.unfitted().unwrap_err().to_string();
    let nan = refused(ScalerConfig::min_max(f64::NAN, 1.0));
    assert_eq!(nan, "`low` must be a finite number, got NaN");
    let empty = refused(ScalerConfig::min_max(1.0, 1.0));
    assert_eq!(empty, "`low` must be less than `high`, got (1.0, 1.0)");
    for (lower, upper) in [(75.0, 25.0), (f64::NAN, 75.0), (-1.0, 50.0), (1.0, 101.0)] {
        let text = refused(ScalerConfig::new(ScalerKind::Robust { lower, upper }));
        assert!(text.contains("lower") && text.contains(&format!("{lower:?}")));
    }
    let samples = refused(ScalerConfig::standard().with_by(ScaleBy::Axis(0)));
    let told = "`by` must name an axis after the first, which counts samples, got Axis(0)";
    assert_eq!(samples, told);
    let (_, device) = &devices()[0];
    let whole = ScalerConfig::standard().with_by(ScaleBy::Whole);
    let error = whole.init(3, device).unwrap_err().to_string();
    assert_eq!(error, "`features` must be 1 for `ScaleBy::Whole`, got 3");
    assert!(ScalerConfig::standard().init(0, device).is_err());

    let mut fit = ScalerConfig::standard().unfitted().unwrap();
    assert_eq!(fit.clone().fitted(device).unwrap_err(), ScalerError::Empty);
    fit.update(&tensor(&[1.0, 2.0], [1, 2], device)).unwrap();
    let before = fit.clone();
    let nan = fit.update(&tensor(&[1.0, f64::NAN], [1, 2], device));
    assert!(matches!(
        nan,
        Err(ScalerError::NonFinite { feature: 1, .. })
    ));
    let wide = fit.update(&tensor(&[1.0; 3], [1, 3], device));
    assert!(matches!(
        wide,
        Err(ScalerError::Features {
            expected: 2,
            got: 3
        })
    ));
    let flat = fit.update(&tensor(&[1.0], [1], device));
    assert!(matches!(flat, Err(ScalerError::Axis { axis: 1, .. })));
    assert_eq!(fit, before, "a refused batch leaves nothing behind");
    let mut fit = ScalerConfig::min_max(0.0, 1.0).unfitted().unwrap();
    fit.update_data(&TensorData::new(vec![-3e38, 3e38], [2, 1]))
        .unwrap();
    let error = fit.fitted(device).unwrap_err();
    let text = "the statistics of feature 0 must be numbers that F32 can hold and divide by, got shift -3e38 \
                and scale 6e38";
    assert_eq!(error.to_string(), text);
}

#[test]
#[should_panic(expected = "the scaler has 3 features on axis 1, got an input of [2, 1]")]
fn a_single_feature_is_not_broadcast() {
    let (_, device) = &devices()[0];
    let scaler = ScalerConfig::standard().init(3, device).unwrap();
    scaler.forward(Tensor::<2>::zeros([2, 1], device));
}

#[test]
fn configurations_survive_json() {
    let mut configs = kinds();
    configs.push(("axis", ScalerConfig::robust().with_by(ScaleBy::Axis(2))));
    configs.push(("whole", ScalerConfig::max_abs().with_by(ScaleBy::Whole)));
    for (name, config) in configs {
        let json = serde_json::to_string(&config).unwrap();
        let read: ScalerConfig = serde_json::from_str(&json).unwrap();
        assert_eq!(read, config, "{name}");
    }
}

/// Statistics of three features and a linear layer, on one device.
fn model(device: &Device) -> Scaled {
    let train = tensor(&rows(50), [50, 3], device);
    Scaled {
        scaler: ScalerConfig::standard().fit(&train).unwrap(),
        linear: LinearConfig::new(3, 2).init(device),
    }
}

fn statistics(model: &Scaled) -> (Vec<f64>, Vec<f64>) {
    (values(model.scaler.shift()), values(model.scaler.scale()))
}

#[test]
fn statistics_are_recorded_with_the_model() {
    let _alone = alone();
    for (name, device) in devices() {
        let trained = model(&device);
        let bytes = trained.clone().into_record().into_bytes().unwrap();
        let fresh = Scaled {
            scaler: ScalerConfig::standard().init(3, &device).unwrap(),
            linear: LinearConfig::new(3, 2).init(&device),
        };
        let input = tensor(&rows(4), [4, 3], &device);
        let (scaler, as_it_came) = (&fresh.scaler, values(input.clone()));
        assert_eq!(values(scaler.forward(input.clone())), as_it_came, "{name}");
        assert_eq!(values(scaler.inverse(input.clone())), as_it_came, "{name}");
        let loaded = fresh.load_record(ModuleRecord::from_bytes(bytes).unwrap());
        assert_eq!(statistics(&loaded), statistics(&trained), "{name}");
        assert_eq!(
            values(loaded.forward(input.clone())),
            values(trained.forward(input)),
            "{name}"
        );
    }
}

#[test]
fn statistics_are_never_trained_and_never_decayed() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let mut model = model(&device).unfreeze();
        let before = statistics(&model);
        let scale = before.1.clone();
        let first_weight = values(model.linear.weight.val());
        let mut optim = AdamWConfig::new().with_weight_decay(0.5).init();
        for _ in 0..3 {
            let input = tensor(&rows(4), [4, 3], &device).require_grad();
            let scaled = model.scaler.forward(input.clone());
            let slope = input.grad(&scaled.sum().backward()).unwrap();
            // The input gets its gradient, 1/scale.
            let expected: Vec<f64> = scale.iter().cycle().take(12).map(|s| 1.0 / s).collect();
            assert_close(&values(slope), &expected, 1e-6, name);

            let loss = model.forward(input).powi_scalar(2).sum();
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            assert_eq!(grads.len(), 2, "{name}: weight and bias");
            model = optim.step(0.1, model, grads);
        }
        assert_ne!(values(model.linear.weight.val()), first_weight, "{name}");
        assert_eq!(statistics(&model), before, "{name}");
    }
}

#[test]
fn training_and_validation_scale_alike_and_mix() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let model = model(&device);
        let plain = device.clone().without_autodiff();
        let input = |device: &Device| tensor::<2>(&rows(4), [4, 3], device);
        let expected = values(model.scaler.forward(input(&device)));
        let valid = model.valid();
        let again = valid.clone().train();
        for scaler in [&model.scaler, &valid.scaler, &again.scaler] {
            // A scaler made beside the loop meets both kinds of tensors.
            for device in [&device, &plain] {
                let scaled = scaler.forward(input(device));
                assert_eq!(scaled.is_autodiff(), device.is_autodiff(), "{name}");
                assert_eq!(values(scaled), expected, "{name}");
            }
        }
    }
}

#[test]
fn statistics_move_with_the_model() {
    let _alone = alone();
    for (_, from) in devices() {
        for (name, to) in devices() {
            let original = model(&from);
            let before = statistics(&original);
            let moved = original.clone().to_device(&to);
            assert_eq!(moved.scaler.shift().device(), to, "{name}");
            assert_eq!(statistics(&moved), before, "{name}");
            moved.forward(tensor(&rows(4), [4, 3], &to));
            // Burn's running states are shared by clones, and the original's have moved along.
            original.forward(tensor(&rows(4), [4, 3], &from));
        }
    }
}

#[test]
fn half_precision_is_scaled_in_f32() {
    for (name, device) in devices() {
        // Mean 60,000 and deviation 100: in f16, numbers here lie 32 apart, and 60,050 is none.
        let train = tensor(&[59_900.0, 60_100.0], [2, 1], &device);
        let scaler = ScalerConfig::standard().fit(&train).unwrap();
        for dtype in dtypes(&device) {
            let input = Tensor::<2>::from_data([[59_904.0], [60_096.0]], (&device, dtype));
            let held = values(input.clone());
            let scaled = scaler.forward(input);
            assert_eq!(scaled.dtype(), dtype, "{name}");
            let expected: Vec<f64> = held.iter().map(|x| (x - 60_000.0) / 100.0).collect();
            let rounding = match dtype {
                DType::BF16 => 4e-3,
                DType::F16 => 5e-4,
                _ => 1e-6,
            };
            assert_close(&values(scaled), &expected, rounding, name);
        }
    }
}

#[test]
fn beside_a_large_number_a_small_one_is_lost() {
    for (name, device) in devices() {
        let sum = tensor(&[1e10], [1], &device) + tensor(&[1e-10], [1], &device);
        assert_eq!(sum.dtype(), DType::F32);
        assert_eq!(values(sum), values(tensor(&[1e10], [1], &device)), "{name}");
    }
}

#[test]
fn scalers_are_send_sync_and_clone() {
    fn assert_all<T: Send + Sync + Clone>() {}
    assert_all::<InputScaler>();
    assert_all::<UnfittedScaler>();
    assert_all::<ScalerConfig>();
    assert_all::<ScalerError>();
}
