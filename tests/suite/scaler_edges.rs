//! Input scalers of features whose spread is rounding, and records that know their axis.

use crate::devices::devices;
use crate::models::{alone, dtypes, values};
use crate::oracle::assert_close;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_tricks::nn::{InputScaler, ScaleBy, ScalerConfig};

fn kinds() -> [(&'static str, ScalerConfig); 3] {
    [
        ("standard", ScalerConfig::standard()),
        ("min-max", ScalerConfig::min_max(0.0, 1.0)),
        ("robust", ScalerConfig::robust()),
    ]
}

/// The scale of one feature of these values.
fn scale(config: &ScalerConfig, column: &[f64], dtype: DType) -> f64 {
    let data = TensorData::new(column.to_vec(), [column.len(), 1]).convert_dtype(dtype);
    let mut fit = config.unfitted().unwrap();
    fit.update_data(&data).unwrap();
    let scaler = fit.fitted((&Device::flex(), DType::F64)).unwrap();
    values(scaler.scale())[0]
}

/// The next larger number of the type.
fn next_up(x: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F64 => x.next_up(),
        DType::F32 => f64::from((x as f32).next_up()),
        DType::F16 => x + 2f64.powi(-10) * 2f64.powf(x.log2().floor()),
        _ => x + 2f64.powi(-7) * 2f64.powf(x.log2().floor()),
    }
}

#[test]
fn one_number_computed_in_two_ways_is_constant() {
    assert_ne!(0.3, 0.1 + 0.2);
    for (kind, config) in kinds() {
        for column in [[0.3, 0.1 + 0.2], [-0.3, -0.1 - 0.2]] {
            assert_eq!(scale(&config, &column, DType::F64), 1.0, "{kind}");
        }
        for dtype in dtypes(&Device::flex()) {
            for x in [0.25, 1.5, 1024.0] {
                let column = [x, next_up(x, dtype), x, x, next_up(x, dtype), x, x, x];
                let what = format!("{kind} {dtype:?} {x}");
                assert_eq!(scale(&config, &column, dtype), 1.0, "{what}");
                // Many of them, too.
                let column = column.repeat(1000);
                assert_eq!(scale(&config, &column, dtype), 1.0, "{what}");
            }
        }
    }
    // In the data's own type, as a user fits it.
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let x = 0.25;
            let rows = [[x], [next_up(x, dtype)]];
            let train = Tensor::<2>::from_data(rows, (&device, dtype));
            let scaler = ScalerConfig::standard().fit(&train).unwrap();
            let near = Tensor::<2>::from_data([[0.3125]], (&device, dtype));
            let scaled = values(scaler.forward(near))[0];
            assert!(scaled.abs() < 0.1, "{name} {dtype:?}: {scaled}");
        }
    }
}

#[test]
fn the_rounding_of_sums_grows_with_the_samples() {
    let (low, high) = (1.0, 1.0 + 100.0 * f64::EPSILON);
    let of = |pairs: usize| {
        scale(
            &ScalerConfig::standard(),
            &[low, high].repeat(pairs),
            DType::F64,
        )
    };
    let deviation = of(2) / f64::EPSILON;
    assert!((deviation - 50.0).abs() < 1.0, "{deviation} units");
    assert_eq!(of(500), 1.0, "1000 units are 1000 roundings");
}

#[test]
fn a_genuine_spread_is_none_of_rounding() {
    for (kind, config) in kinds() {
        let around_zero = [1e-12, -1e-12, 1e-12, -1e-12];
        let expected = match kind {
            "standard" => 1e-12,
            _ => 2e-12,
        };
        for dtype in [DType::F64, DType::F32] {
            let got = scale(&config, &around_zero, dtype);
            assert_close(&[got], &[expected], 1e-6, &format!("{kind} {dtype:?}"));
        }
        // A millionth of the offset in f64, and ten thousandths in f32, of a million samples.
        for (dtype, spread) in [(DType::F64, 1e-6), (DType::F32, 1e-4)] {
            let pair = [1.0 - spread, 1.0 + spread];
            let expected = match kind {
                "standard" => spread,
                _ => 2.0 * spread,
            };
            let got = scale(&config, &pair.repeat(100_000), dtype);
            assert_close(&[got], &[expected], 1e-2, &format!("{kind} {dtype:?}"));
        }
    }
    // A size, which has nothing to be compared with.
    assert_eq!(
        scale(&ScalerConfig::max_abs(), &[1e-17, -1e-20], DType::F64),
        1e-17
    );
    assert_eq!(
        scale(&ScalerConfig::max_abs(), &[0.3, 0.1 + 0.2], DType::F64),
        0.1 + 0.2
    );
}

#[test]
fn the_coarsest_batch_says_what_rounding_is() {
    let config = ScalerConfig::standard();
    // Two f32 beside each other, the second given in f64: what lies between is the rounding of the first.
    let mut fit = config.unfitted().unwrap();
    let single = TensorData::new(vec![0.3f32], [1, 1]);
    let double = TensorData::new(vec![0.3f64], [1, 1]);
    fit.update_data(&single).unwrap();
    fit.update_data(&double).unwrap();
    let scale = |fit: burn_tricks::nn::UnfittedScaler| {
        let scaler = fit.fitted((&Device::flex(), DType::F64)).unwrap();
        values(scaler.scale())[0]
    };
    assert_eq!(scale(fit), 1.0);
    let of = |data: &TensorData| {
        let mut fit = config.unfitted().unwrap();
        fit.update_data(data).unwrap();
        fit
    };
    for (a, b) in [(&single, &double), (&double, &single)] {
        let mut merged = of(a);
        merged.merge(&of(b)).unwrap();
        assert_eq!(scale(merged), 1.0);
    }
}

#[derive(Module, Debug)]
struct Scaled {
    scaler: InputScaler,
    linear: Linear,
}

fn fitted(by: ScaleBy) -> InputScaler {
    let train = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0], &Device::flex());
    let config = ScalerConfig::standard().with_by(by);
    config.fit(&train.reshape([2, 2, 2])).unwrap()
}

fn bytes(scaler: InputScaler) -> Result<ModuleRecord, burn::store::RecordError> {
    ModuleRecord::from_bytes(scaler.into_record().into_bytes().unwrap())
}

#[test]
fn a_record_of_another_axis_is_refused_and_both_are_named() {
    let _alone = alone();
    let device = Device::flex();
    let init = |by, features| {
        let config = ScalerConfig::standard().with_by(by);
        config.init(features, &device).unwrap()
    };
    let mismatch = |expected: usize, got: usize| {
        let dims = |axis: usize| format!("Shape {{ dims: [{axis}] }}");
        let (expected, got) = (dims(expected), dims(got));
        format!("axis: shape mismatch, expected {expected} but record has {got}")
    };
    let (one, two) = (ScaleBy::Axis(1), ScaleBy::Axis(2));
    for by in [one, two] {
        let loaded = init(by, 2)
            .try_load_record(bytes(fitted(by)).unwrap())
            .unwrap();
        assert_eq!(values(loaded.shift()), values(fitted(by).shift()));
        assert_eq!(loaded.by(), by);
    }
    let refused = |from: InputScaler, into: InputScaler| {
        let error = into.try_load_record(bytes(from).unwrap());
        error.map(|_| ()).unwrap_err().to_string()
    };
    let text = refused(fitted(one), init(two, 2));
    assert!(text.contains(&mismatch(2, 1)), "{text}");
    let text = refused(fitted(two), init(one, 2));
    assert!(text.contains(&mismatch(1, 2)), "{text}");

    // Of everything, one pair as of an axis of one feature.
    let whole = fitted(ScaleBy::Whole);
    let loaded = init(ScaleBy::Whole, 1)
        .try_load_record(bytes(whole.clone()).unwrap())
        .unwrap();
    assert_eq!(values(loaded.shift()), values(whole.shift()));
    let text = refused(whole, init(one, 1));
    assert!(text.contains(&mismatch(1, 0)), "{text}");

    // Inside a model, through a file.
    let model = |scaler| Scaled {
        scaler,
        linear: LinearConfig::new(2, 2).init(&device),
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model");
    model(fitted(one)).save_file(&file).unwrap();
    let loaded = model(init(one, 2)).try_load_file(&file).unwrap();
    assert_eq!(values(loaded.scaler.scale()), values(fitted(one).scale()));
    let error = model(init(two, 2))
        .try_load_file(&file)
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("scaler.axis"), "{error}");
}

#[test]
fn samples_on_the_host_are_fitted_as_a_tensor_of_them() {
    let rows = [
        [1.0f32, -5.0, 3.0],
        [2.0, 0.5, 3.0],
        [4.0, 8.0, 3.0],
        [8.0, 1.0, 3.0],
    ];
    for (_, device) in devices() {
        let tensor = Tensor::<2>::from_data(rows, &device);
        for (name, config) in kinds() {
            let (of_samples, of_tensor) = (config.fit_samples(rows, &device), config.fit(&tensor));
            let (of_samples, of_tensor) = (of_samples.unwrap(), of_tensor.unwrap());
            assert_eq!(
                values(of_samples.shift()),
                values(of_tensor.shift()),
                "{name}"
            );
            assert_eq!(
                values(of_samples.scale()),
                values(of_tensor.scale()),
                "{name}"
            );
        }
        let uneven = [vec![1.0], vec![1.0, 2.0]];
        let error = ScalerConfig::standard()
            .fit_samples(uneven, &device)
            .unwrap_err();
        assert!(error.to_string().contains('2'), "{error}");
        let none: [Vec<f32>; 0] = [];
        assert!(ScalerConfig::standard().fit_samples(none, &device).is_err());
    }
}
