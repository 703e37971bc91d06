//! Input scalers: the types of the statistics, what they cannot hold, and gradients.

use crate::devices::{devices, training_devices};
use crate::models::{Noise, values};
use crate::norms::{assert_gradient, assert_near, cast, precise, recorded};
use crate::oracle::assert_close;
use crate::own_process::passes_in_a_process_of_its_own;
use burn::module::Module;
use burn::store::{DTypePolicy, ModuleRecord};
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use burn_tricks::nn::{InputScaler, ScaleBy, ScalerConfig, ScalerError, ScalerKind};

fn fit<const N: usize>(config: &ScalerConfig, column: [f64; N]) -> burn_tricks::nn::UnfittedScaler {
    let mut fit = config.unfitted().unwrap();
    let data = TensorData::new(column.to_vec(), [N, 1]);
    fit.update_data(&data).unwrap();
    fit
}

/// One feature around `offset`, within ±`spread`.
fn around(offset: f64, spread: f64) -> Vec<f64> {
    (0..1000)
        .map(|i| offset + spread * (f64::from(i) * 0.7).sin())
        .collect()
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|x| (x - mean).powi(2));
    let variance = squares.sum::<f64>() / values.len() as f64;
    (mean, variance.sqrt())
}

/// f32 has seven digits: its mean of the first is 4 off, of the second 3e-5, at deviations of 7e-4 and
/// 7e-5.
#[test]
fn doubles_are_fitted_and_scaled_in_double() {
    let device = Device::flex();
    for (offset, spread, tolerance) in [(1e8 + 0.37, 1e-3, 1e-4), (1000.3, 1e-4, 1e-8)] {
        let column = around(offset, spread);
        let data = TensorData::new(column.clone(), [1000, 1]);
        let train = Tensor::<2>::from_data(data.clone(), (&device, DType::F64));
        let whole = ScalerConfig::standard().fit(&train).unwrap();
        let mut fit = ScalerConfig::standard().unfitted().unwrap();
        fit.update_data(&data).unwrap();
        let streamed = fit.clone().fitted((&device, DType::F64)).unwrap();
        for scaler in [whole, streamed] {
            assert_eq!(scaler.shift().dtype(), DType::F64);
            let scaled = scaler.forward(train.clone());
            assert_eq!(scaled.dtype(), DType::F64);
            let (mean, deviation) = mean_and_deviation(&values(scaled.clone()));
            assert!(mean.abs() < tolerance, "{offset}: mean {mean}");
            assert!((deviation - 1.0).abs() < tolerance, "{offset}: {deviation}");
            assert_close(&values(scaler.inverse(scaled)), &column, 1e-15, "inverse");
            // Inputs of another type meet the statistics in double, and come back as they were.
            let single = scaler.forward(train.clone().cast(FloatDType::F32));
            assert_eq!(single.dtype(), DType::F32);
            let f32s = column.iter().map(|x| f64::from(*x as f32));
            let (mean, deviation) = mean_and_deviation(&column);
            let expected: Vec<f64> = f32s.map(|x| (x - mean) / deviation).collect();
            assert_near(&values(single), &expected, 1e-6, "f32 input");
        }
        // Without a word to the contrary, the type of the device.
        let scaler = fit.fitted(&device).unwrap();
        assert_eq!(scaler.scale().dtype(), DType::F32);
    }
}

#[test]
fn records_pass_between_single_and_double() {
    let device = Device::flex();
    let double = || {
        let train = Tensor::<2>::from_data([[1e8 + 0.25], [1e8 + 0.75]], (&device, DType::F64));
        ScalerConfig::standard().fit(&train).unwrap()
    };
    let empty = || ScalerConfig::standard().init(1, &device).unwrap();
    let input = Tensor::<2>::from_data([[1e8 + 0.75]], (&device, DType::F64));
    // Burn takes the type of the record.
    let loaded = recorded(double(), empty());
    assert_eq!(loaded.scale().dtype(), DType::F64);
    assert_eq!(values(loaded.forward(input)), [1.0]);
    // Unless it is told to keep the module's.
    let bytes = double().into_record().into_bytes().unwrap();
    let record = ModuleRecord::from_bytes(bytes).unwrap();
    let single = empty().load_record(record.with_dtype_policy(DTypePolicy::CastToModule));
    assert_eq!(single.scale().dtype(), DType::F32);
    assert_eq!(values(single.scale()), [0.25]);
    assert_eq!(values(recorded(single, double()).scale()), [0.25]);
}

/// A device's float type is set once for a process, before its first tensor: this test runs itself in
/// another one.
#[test]
fn statistics_are_single_precision_on_a_device_of_half() {
    const CHILD: &str = "BURN_TRICKS_HALF_DEVICE";
    if std::env::var_os(CHILD).is_some() {
        return on_a_device_of_half();
    }
    let name = "scaler_precision::statistics_are_single_precision_on_a_device_of_half";
    passes_in_a_process_of_its_own(name, CHILD, "1", "half precision it was");
}

fn on_a_device_of_half() {
    let mut device = Device::flex();
    device.configure(FloatDType::F16).unwrap();
    let half = |x: f64| Tensor::<2>::from_data([[x]], &device);
    assert_eq!(half(1.0).dtype(), DType::F16);
    println!("half precision it was");
    let standard = ScalerConfig::standard();
    // Twice what f16 can hold.
    let scaler = fit(&standard, [119_000.0, 121_000.0])
        .fitted(&device)
        .unwrap();
    assert_eq!(values(scaler.shift()), [120_000.0]);
    assert_eq!(values(scaler.scale()), [1000.0]);
    assert_eq!(values(scaler.forward(half(60_000.0))), [-60.0]);
    assert_eq!(values(scaler.inverse(half(-60.0))), [60_000.0]);
    // Less than its smallest number.
    let scaler = fit(&ScalerConfig::min_max(0.0, 1.0), [0.0, 1e-9])
        .fitted(&device)
        .unwrap();
    assert_close(&values(scaler.scale()), &[1e-9], 1e-6, "span");
    assert_eq!(values(scaler.forward(half(0.0))), [0.0]);
    // What a record is loaded into is no narrower, and a record of f64 not narrowed.
    let double = fit(&standard, [1e8 + 0.25, 1e8 + 0.75])
        .fitted((&device, DType::F64))
        .unwrap();
    let empty = || standard.init(1, &device).unwrap();
    assert_eq!(empty().scale().dtype(), DType::F32);
    assert_eq!(values(recorded(double, empty()).shift()), [1e8 + 0.5]);
}

#[test]
fn statistics_that_their_type_cannot_hold_are_refused_and_quoted() {
    let device = Device::flex();
    let range = |config: &ScalerConfig, column: [f64; 2], dtype: DType| match fit(config, column)
        .fitted((&device, dtype))
    {
        Err(ScalerError::Range {
            feature: 0,
            shift,
            scale,
            ..
        }) => Some((shift, scale)),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    };
    let standard = ScalerConfig::standard();
    // A shift, a scale too large, a scale too small, each by itself.
    assert_eq!(
        range(&standard, [1e39, 1e39], DType::F32),
        Some((1e39, 1.0))
    );
    let wide = range(&standard, [-2e39, 2e39], DType::F32);
    assert_eq!(wide, Some((0.0, 2e39)));
    let tiny = ScalerConfig::min_max(0.0, 1e9);
    let (shift, scale) = range(&tiny, [0.0, 1e-37], DType::F32).unwrap();
    assert_eq!(shift, 0.0);
    assert_close(&[scale * 1e46], &[1.0], 1e-12, "scale");
    // In f64 they are numbers like any other.
    for (config, column) in [
        (&standard, [1e39, 1e39]),
        (&standard, [-2e39, 2e39]),
        (&tiny, [0.0, 1e-37]),
    ] {
        assert_eq!(range(config, column, DType::F64), None);
    }
    // A sum of squares beyond f64.
    let (_, scale) = range(&standard, [-1e200, 1e200], DType::F64).unwrap();
    assert_eq!(scale, f64::INFINITY);
    let error = fit(&tiny, [0.0, 1e-37]).fitted(&device).unwrap_err();
    let text = "the statistics of feature 0 must be numbers that F32 can hold and divide by, got shift 0e0 \
                and scale 1e-46";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_single_number_is_no_batch() {
    for by in [ScaleBy::Whole, ScaleBy::Axis(1)] {
        let mut fit = ScalerConfig::standard().with_by(by).unfitted().unwrap();
        let number = TensorData::new(vec![1.0f32], Vec::<usize>::new());
        let error = fit.update_data(&number).unwrap_err();
        assert_eq!(error, ScalerError::Scalar, "{by:?}");
        assert!(error.to_string().ends_with("got a single number"));
    }
}

/// numpy 2: `np.percentile([0, 1, 2, 4, 8, 16, 32], [10, 50, 60])` is `[0.6, 4, 6.4]`.
#[test]
fn robust_is_the_median_and_the_percentiles_that_were_asked_for() {
    let column = [16.0, 1.0, 4.0, 0.0, 32.0, 2.0, 8.0];
    for (lower, upper, spread) in [(10.0, 60.0, 5.8), (0.0, 100.0, 32.0), (25.0, 75.0, 10.5)] {
        let config = ScalerConfig::new(ScalerKind::Robust { lower, upper });
        let scaler = fit(&config, column).fitted(&Device::flex()).unwrap();
        assert_eq!(values(scaler.shift()), [4.0], "{lower} {upper}");
        assert_close(&values(scaler.scale()), &[spread], 1e-6, "spread");
    }
    // Three of five are one number, in the middle: it stays in its own units. Two of five are not enough.
    for (column, scale) in [
        ([-10.0, 0.0, 0.0, 0.0, 10.0], 1.0),
        ([-10.0, 0.0, 0.0, 5.0, 10.0], 5.0),
        // At one end it takes three quarters.
        ([0.0, 0.0, 0.0, 5.0, 10.0], 5.0),
        ([0.0, 0.0, 0.0, 0.0, 10.0], 1.0),
    ] {
        let scaler = fit(&ScalerConfig::robust(), column).fitted(&Device::flex());
        assert_eq!(values(scaler.unwrap().scale()), [scale], "{column:?}");
    }
}

/// 1000.3 - 100 · 10 in half precision, which has no 1000.3, is 0.5 (f16) or 0.
#[test]
fn the_inverse_is_not_taken_in_half_precision() {
    for (name, device) in devices() {
        let scaler = fit(&ScalerConfig::standard(), [990.3, 1010.3])
            .fitted(&device)
            .unwrap();
        for dtype in crate::models::dtypes(&device) {
            let scaled = Tensor::<2>::from_data([[-100.0]], (&device, dtype));
            let got = scaler.inverse(scaled);
            assert_eq!(got.dtype(), dtype, "{name}");
            assert_close(&values(got), &[0.3], 5e-3, &format!("{name} {dtype:?}"));
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let train: Vec<f64> = Noise(3).take(60).iter().map(|x| 3.0 + 2.0 * x).collect();
    for (name, device) in training_devices() {
        let (dtype, _) = precise(&device);
        let data = TensorData::new(train.clone(), [20, 3]);
        let train = Tensor::<2>::from_data(data, (&device, dtype));
        let scaler: InputScaler = cast(ScalerConfig::standard().fit(&train).unwrap(), dtype);
        let curve = |y: Tensor<2>| (y.clone().sin() + y).sum();
        assert_gradient(|x| curve(scaler.forward(x)), [4, 3], &device, name);
        assert_gradient(|y| curve(scaler.inverse(y)), [4, 3], &device, name);
    }
}
