//! Missing values, clipping and given constants of a scaler.

use crate::devices::devices;
use crate::oracle::assert_close;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use burn_tricks::nn::{ImageStatistics, Missing, ScaleBy, ScalerConfig, ScalerError};

const NAN: f32 = f32::NAN;

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn kinds() -> [ScalerConfig; 4] {
    [
        ScalerConfig::standard(),
        ScalerConfig::min_max(-1.0, 2.0),
        ScalerConfig::max_abs(),
        ScalerConfig::robust(),
    ]
}

#[test]
fn a_fit_leaves_missing_values_out_and_counts_them() {
    let device = Device::flex();
    // The features without their missing values, of which scikit-learn's fit takes the same statistics.
    let [first, second] = [[1.0f32, 4.0, 9.0, -2.0], [0.5, 0.25, 8.0, 3.0]];
    let mixed = [
        [1.0, NAN],
        [NAN, 0.5],
        [4.0, 0.25],
        [9.0, NAN],
        [NAN, 8.0],
        [-2.0, 3.0],
    ];
    for config in kinds() {
        let imputing = config.clone().with_missing(Missing::Impute);
        let alone = [first, second].map(|values| {
            let data = Tensor::<1>::from_floats(values, &device).reshape([4, 1]);
            config.fit(&data).unwrap()
        });
        // In batches of one row, two, and all.
        for rows in [1, 2, 6] {
            let mut fit = imputing.unfitted().unwrap();
            for batch in mixed.chunks(rows) {
                let data = TensorData::new(batch.concat(), [batch.len(), 2]);
                fit.update_data(&data).unwrap();
            }
            assert_eq!(fit.missing(), [2, 2]);
            assert_eq!(fit.samples(), 6);
            let scaler = fit.fitted(&device).unwrap();
            for (feature, alone) in alone.iter().enumerate() {
                assert_eq!(flat(scaler.shift())[feature], flat(alone.shift())[0]);
                assert_eq!(flat(scaler.scale())[feature], flat(alone.scale())[0]);
            }
        }
    }
}

#[test]
fn merged_fits_add_what_was_missing() {
    let config = ScalerConfig::robust().with_missing(Missing::Impute);
    let part = |values: [f32; 4]| {
        let mut fit = config.unfitted().unwrap();
        fit.update_data(&TensorData::new(values.to_vec(), [2, 2]))
            .unwrap();
        fit
    };
    let mut whole = config.unfitted().unwrap();
    whole.merge(&part([1.0, NAN, 2.0, NAN])).unwrap();
    assert_eq!(whole.missing(), [0, 2]);
    whole.merge(&part([NAN, 1.0, 2.0, 4.0])).unwrap();
    assert_eq!(whole.missing(), [1, 2]);
    let scaler = whole.fitted(&Device::flex()).unwrap();
    assert_eq!(flat(scaler.shift()), [2.0, 2.5]);
}

#[test]
fn a_missing_value_becomes_the_centre_of_its_feature() {
    for (name, device) in devices() {
        let train = Tensor::<2>::from_data([[1.0, -4.0], [3.0, 2.0], [8.0, NAN]], &device);
        // The mean, the middle of the target range, 0 and the median, all scaled.
        for (config, centre) in kinds().into_iter().zip([0.0, 0.5, 0.0, 0.0]) {
            let scaler = config.with_missing(Missing::Impute).fit(&train).unwrap();
            let test = Tensor::<2>::from_data([[NAN, 2.0], [3.0, NAN]], &device);
            let counts = scaler.missing(test.clone());
            assert_eq!(counts.into_data().iter::<i64>().collect::<Vec<_>>(), [1, 1]);
            let scaled = flat(scaler.forward(test));
            assert_eq!([scaled[0], scaled[3]], [centre, centre], "{name}");
            assert!(scaled.iter().all(|value| value.is_finite()), "{name}");
        }
    }
}

#[test]
fn missing_values_are_counted_by_channel_and_in_the_whole() {
    let device = Device::flex();
    let images = Tensor::<4>::ones([2, 3, 2, 2], &device);
    let images = images.slice_fill([0..2, 1..2, 0..1, 0..2], NAN);
    let count = |config: ScalerConfig, features| {
        let scaler = config.init(features, &device).unwrap();
        let counts = scaler.missing(images.clone()).into_data();
        counts.iter::<i64>().collect::<Vec<_>>()
    };
    assert_eq!(count(ScalerConfig::standard(), 3), [0, 4, 0]);
    let whole = ScalerConfig::standard().with_by(ScaleBy::Whole);
    assert_eq!(count(whole, 1), [4]);
}

#[test]
fn what_is_not_declared_missing_is_refused_and_stays_nan() {
    for (name, device) in devices() {
        let data = Tensor::<2>::from_data([[1.0], [NAN]], &device);
        let error = ScalerConfig::standard().fit(&data).unwrap_err();
        assert!(matches!(error, ScalerError::NonFinite { feature: 0, .. }));
        // Also where it is clipped: a bound would be a number that looks sound.
        let clipped = ScalerConfig::standard().with_clip(Some([-1.0, 1.0]));
        let scaler = clipped.init(1, &device).unwrap();
        let scaled = flat(scaler.forward(data));
        assert!(scaled[0] == 1.0 && scaled[1].is_nan(), "{name}: {scaled:?}");
    }
    let device = Device::flex();
    let imputing = ScalerConfig::standard().with_missing(Missing::Impute);
    let infinite = Tensor::<2>::from_data([[1.0], [f32::INFINITY]], &device);
    let error = imputing.fit(&infinite).unwrap_err();
    assert!(matches!(error, ScalerError::NonFinite { feature: 0, .. }));
    let data = Tensor::<2>::from_data([[1.0, NAN], [2.0, NAN]], &device);
    let error = imputing.fit(&data).unwrap_err();
    assert_eq!(error, ScalerError::AllMissing { feature: 1 });
    assert!(error.to_string().contains("feature 1 must have a value"));
}

#[test]
fn scaled_values_are_clipped_and_the_inverse_is_not() {
    for (name, device) in devices() {
        let train = Tensor::<2>::from_data([[0.0], [10.0]], &device);
        let config = ScalerConfig::min_max(0.0, 1.0).with_clip(Some([0.0, 1.0]));
        let scaler = config.fit(&train).unwrap();
        let test = [[-5.0], [2.5], [10.0], [f32::INFINITY]];
        let test = Tensor::<2>::from_data(test, &device);
        assert_eq!(flat(scaler.forward(test)), [0.0, 0.25, 1.0, 1.0], "{name}");
        let outside = Tensor::<2>::from_data([[1.5]], &device);
        assert_eq!(flat(scaler.inverse(outside)), [15.0], "{name}");
    }
}

#[test]
fn given_constants_are_used_as_they_are() {
    for (name, device) in devices() {
        let statistics = ImageStatistics::IMAGENET;
        let bytes = statistics.scaler(255.0, &device).unwrap();
        let floats = statistics.scaler(1.0, &device).unwrap();
        let pixels = Tensor::<4>::ones([1, 3, 1, 1], &device) * 51.0;
        let expected = [
            (0.2 - 0.485) / 0.229,
            (0.2 - 0.456) / 0.224,
            (0.2 - 0.406) / 0.225,
        ];
        assert_close(&flat(bytes.forward(pixels.clone())), &expected, 1e-6, name);
        let scaled = floats.forward(pixels / 255.0);
        assert_close(&flat(scaled), &expected, 1e-6, name);
    }
    let device = Device::flex();
    let counts = [
        ImageStatistics::CIFAR10.scaler(1.0, &device).unwrap(),
        ImageStatistics::CIFAR100.scaler(1.0, &device).unwrap(),
        ImageStatistics::MNIST.scaler(1.0, &device).unwrap(),
    ];
    assert_eq!(counts.map(|scaler| scaler.shift().dims()[0]), [3, 3, 1]);
}

/// A scaler of constants and a fitted one have the same record.
#[test]
fn a_scaler_of_constants_loads_and_is_loaded() {
    let device = Device::flex();
    let config = ScalerConfig::standard().with_clip(Some([-2.0, 2.0]));
    let scaler = config
        .init_constants(&[1.0, 2.0], &[4.0, 8.0], &device)
        .unwrap();
    let other = config.init(2, &device).unwrap();
    let other = other.load_record(scaler.into_record());
    assert_eq!(flat(other.shift()), [1.0, 2.0]);
    let input = Tensor::<2>::from_data([[3.0, 99.0]], &device);
    assert_eq!(flat(other.forward(input)), [0.5, 2.0]);
}

#[test]
fn bad_constants_and_bounds_are_refused() {
    let device = Device::flex();
    let refused = |config: ScalerConfig, shift: &[f64], scale: &[f64]| {
        config
            .init_constants(shift, scale, &device)
            .unwrap_err()
            .to_string()
    };
    let config = ScalerConfig::standard;
    assert!(refused(config(), &[1.0], &[1.0, 2.0]).contains("`scale` must have as many"));
    assert!(refused(config(), &[], &[]).contains("`features` must be at least 1"));
    assert!(refused(config(), &[0.0, 0.0], &[1.0, 0.0]).contains("feature 1"));
    assert!(refused(config(), &[f64::NAN], &[1.0]).contains("feature 0"));
    assert!(refused(config(), &[0.0], &[-1.0]).contains("feature 0"));
    let whole = config().with_by(ScaleBy::Whole);
    assert!(refused(whole, &[0.0, 1.0], &[1.0, 1.0]).contains("`ScaleBy::Whole`"));
    let clip = |clip| refused(config().with_clip(Some(clip)), &[0.0], &[1.0]);
    assert!(clip([1.0, 1.0]).contains("`clip` must be the least"));
    assert!(clip([f64::NAN, 1.0]).contains("`clip`"));
    assert!(ImageStatistics::MNIST.scaler(0.0, &device).is_err());
}

#[test]
fn a_record_does_not_lose_what_becomes_of_missing_values_and_outliers() {
    let device = Device::flex();
    let plain = ScalerConfig::standard();
    let imputes = plain.clone().with_missing(Missing::Impute);
    let clips = plain.clone().with_clip(Some([-2.0, 2.0]));
    let both = imputes.clone().with_clip(Some([-2.0, 2.0]));
    let data = Tensor::<2>::from_data([[1.0], [3.0], [2.0]], &device);
    let configs = [plain, imputes, clips, both];
    for (at, saved) in configs.iter().enumerate() {
        for (other, loaded) in configs.iter().enumerate() {
            let record = saved.fit(&data).unwrap().into_record();
            let result = loaded.init(1, &device).unwrap().try_load_record(record);
            if at == other {
                let input = Tensor::<2>::from_data([[NAN], [99.0]], &device);
                let expected = flat(saved.fit(&data).unwrap().forward(input.clone()));
                let got = flat(result.unwrap().forward(input));
                let bits =
                    |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
                assert_eq!(bits(got), bits(expected));
                continue;
            }
            let error = result.map(drop).unwrap_err().to_string();
            let differ = saved.clip.is_some() != loaded.clip.is_some();
            assert!(error.contains("clip") == differ, "{error}");
            let differ = saved.missing != loaded.missing;
            assert!(
                error.contains("missing") == differ || error.contains("clip"),
                "{error}"
            );
        }
    }
}
