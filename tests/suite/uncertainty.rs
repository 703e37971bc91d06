//! Measures of uncertainty, and means of predictions, of what is no probability or only just one.

use crate::devices::devices;
use crate::models::{Net, alone, dtypes, values};
use crate::oracle::assert_close;
use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, IntDType, Tensor};
use burn_tricks::average::{
    Combine, Ensemble, EnsembleConfig, Predict, brier_score, disagreement,
    expected_calibration_error, negative_log_likelihood,
};
use burn_tricks::nn::McDropoutConfig;

fn classes(of: &[i64], device: &Device) -> Tensor<1, Int> {
    Tensor::from_ints(of, device)
}

fn table<const N: usize>(rows: [[f64; 2]; N], (device, dtype): (&Device, DType)) -> Tensor<2> {
    Tensor::from_data(rows, (device, dtype))
}

/// Likelihood, Brier score and calibration error.
fn measures(p: &Tensor<2>, of: &[i64]) -> [f64; 3] {
    let classes = classes(of, &p.device());
    let measured = [
        negative_log_likelihood(p.clone(), classes.clone()),
        brier_score(p.clone(), classes.clone()),
        expected_calibration_error(p.clone(), classes, 10),
    ];
    measured.map(|measure| values(measure)[0])
}

#[test]
fn who_is_sure_and_wrong_is_not_calibrated_one_unit_above_1_either() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let what = format!("{name} {dtype:?}");
            let unit = match dtype {
                DType::F64 => f64::EPSILON,
                DType::F32 => f64::from(f32::EPSILON),
                DType::F16 => 2f64.powi(-10),
                _ => 2f64.powi(-7),
            };
            let sure = table([[1.0 + unit, 0.0], [0.0, 1.0 + unit]], (&device, dtype));
            assert!(values(sure.clone())[0] > 1.0, "{what}");
            let [likelihood, brier, calibration] = measures(&sure, &[1, 0]);
            assert_eq!(
                (likelihood, brier, calibration),
                (f64::INFINITY, 2.0, 1.0),
                "{what}"
            );
            assert_eq!(measures(&sure, &[0, 1]), [0.0, 0.0, 0.0], "{what}");
            assert_eq!(measures(&sure, &[0, 0])[2], 0.5, "{what}");
        }
    }
}

/// Class indices as a dataset has them.
#[test]
fn classes_of_any_integer_type_are_taken() {
    let device = Device::flex();
    let p = table([[0.75, 0.25], [0.5, 0.5]], (&device, DType::F32));
    let classes = classes(&[0, 1], &device);
    let measured = |classes: Tensor<1, Int>| {
        [
            negative_log_likelihood(p.clone(), classes.clone()),
            brier_score(p.clone(), classes.clone()),
            expected_calibration_error(p.clone(), classes, 10),
        ]
        .map(|measure| values(measure)[0])
    };
    let expected = measured(classes.clone());
    for dtype in [IntDType::U8, IntDType::I64, IntDType::U32] {
        assert_eq!(measured(classes.clone().cast(dtype)), expected, "{dtype:?}");
    }
}

#[test]
fn what_is_no_probability_is_not_measured() {
    for (name, device) in devices() {
        let tables = |dtype: DType| {
            [
                (
                    "NaN",
                    table([[f64::NAN, 0.5], [0.5, 0.5]], (&device, dtype)),
                ),
                ("all NaN", table([[f64::NAN; 2]; 2], (&device, dtype))),
                (
                    "infinity",
                    table([[f64::INFINITY, 0.0], [0.5, 0.5]], (&device, dtype)),
                ),
                (
                    "logits",
                    table([[3.0, -2.0], [-1.0, 4.0]], (&device, dtype)),
                ),
                (
                    "logits whose sum is 1",
                    table([[3.0, -2.0], [-1.0, 2.0]], (&device, dtype)),
                ),
                (
                    "their logarithms",
                    table([[-0.1, -2.4], [-0.7, -0.7]], (&device, dtype)),
                ),
                (
                    "percent",
                    table([[90.0, 10.0], [20.0, 80.0]], (&device, dtype)),
                ),
                (
                    "not normalised",
                    table([[0.9, 0.9], [0.5, 0.5]], (&device, dtype)),
                ),
                ("zeros", table([[0.0, 0.0], [0.5, 0.5]], (&device, dtype))),
            ]
        };
        for dtype in dtypes(&device) {
            for (what, p) in tables(dtype) {
                for measured in measures(&p, &[0, 1]) {
                    assert!(measured.is_nan(), "{name} {dtype:?} {what}: {measured}");
                }
            }
            // Classes that are none of the columns.
            let p = table([[0.9, 0.1], [0.5, 0.5]], (&device, dtype));
            for of in [[0, 2], [-1, 0]] {
                assert!(
                    measures(&p, &of).iter().all(|x| x.is_nan()),
                    "{name} {of:?}"
                );
            }
            assert!(
                measures(&p, &[0, 1]).iter().all(|x| x.is_finite()),
                "{name}"
            );
        }
    }
}

#[test]
fn halves_are_measured_in_single_precision() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            // More samples than an f16 can count.
            let p = table([[0.75, 0.25]], (&device, dtype)).repeat_dim(0, 70_000);
            let of = vec![1; 70_000];
            let expected = [-(0.25f64.ln()), 2.0 * 0.75 * 0.75, 0.75];
            // Burn's `ndarray` adds the 70,000 numbers of a mean one after the other.
            let tolerance = if name == "ndarray" { 2e-4 } else { 1e-5 };
            let what = format!("{name} {dtype:?}");
            assert_close(&measures(&p, &of), &expected, tolerance, &what);
        }
    }
}

#[test]
fn a_good_score_is_not_lost_to_rounding() {
    for (name, device) in devices() {
        for off in [1e-4, 1e-5, 3e-6] {
            let p = table([[1.0 - off, off]; 3], (&device, DType::F32));
            let [sure, rest] = values(p.clone().slice([0..1, 0..2]))[..] else {
                panic!("two numbers");
            };
            let expected = (1.0 - sure).powi(2) + rest.powi(2);
            let [_, brier, _] = measures(&p, &[0; 3]);
            assert!(
                (brier / expected - 1.0).abs() < 1e-5,
                "{name}: {brier:e} for {expected:e}"
            );
        }
    }
}

#[test]
fn nobody_disagrees_about_what_is_no_number() {
    for (name, device) in devices() {
        let sure = table([[1.0, 0.0], [0.0, 1.0]], (&device, DType::F32));
        let nan = table([[f64::NAN, 0.0], [0.0, 1.0]], (&device, DType::F32));
        let of = |members: &[&Tensor<2>]| {
            let members: Vec<_> = members.iter().map(|member| (*member).clone()).collect();
            values(disagreement(&members))[0]
        };
        assert!(of(&[&sure, &nan]).is_nan(), "{name}");
        assert!(of(&[&nan, &nan]).is_nan(), "{name}");
        let masked = table(
            [[0.0, f64::NEG_INFINITY], [f64::NEG_INFINITY, 0.0]],
            (&device, DType::F32),
        );
        assert_eq!(of(&[&sure, &masked]), 0.0, "{name}");
    }
}

#[test]
#[should_panic(expected = "member 1 and the first must score the same samples and classes")]
fn members_of_other_shapes_do_not_disagree() {
    let of = |samples: usize| Tensor::<2>::ones([samples, 2], &Device::flex());
    disagreement(&[of(8), of(1)]);
}

#[test]
#[should_panic(expected = "`probabilities` and `classes` must be of as many samples")]
fn one_class_is_not_that_of_all_samples() {
    let device = Device::flex();
    let p = table([[0.5, 0.5], [0.5, 0.5]], (&device, DType::F32));
    brier_score(p, classes(&[0], &device));
}

#[test]
#[should_panic(expected = "there must be a sample and a class, got a shape of [0, 2]")]
fn no_sample_has_no_measure() {
    let device = Device::flex();
    let p = Tensor::<2>::zeros([0, 2], &device);
    expected_calibration_error(p, Tensor::zeros([0], &device), 10);
}

/// Says the same for every input.
#[derive(Module, Debug)]
struct Says {
    logits: Param<Tensor<2>>,
}

impl Predict for Says {
    type Input = ();

    fn predict(&self, (): ()) -> Tensor<2> {
        self.logits.val()
    }
}

fn ensemble<const K: usize>(
    combine: Combine,
    members: [[f64; 3]; K],
    weights: Option<Vec<f64>>,
) -> Ensemble<Says> {
    let member = |logits: [f64; 3]| Says {
        logits: Param::from_data([logits], &Device::flex()),
    };
    EnsembleConfig::new()
        .with_combine(combine)
        .with_weights(weights)
        .init(members.map(member).to_vec())
        .unwrap()
}

#[test]
fn what_all_members_say_is_what_their_ensemble_says() {
    let saturated = [200.0, 0.0, -200.0];
    let weights = || Some(vec![0.3, 0.1, 0.7, 1.1, 0.9, 0.2, 0.6, 0.05, 1.3, 0.8]);
    for weights in [None, weights()] {
        for combine in [Combine::MeanProbabilities, Combine::MajorityVote] {
            let said = ensemble(combine, [saturated; 10], weights.clone()).predict(());
            assert_eq!(values(said), [1.0, 0.0, 0.0], "{combine:?} {weights:?}");
        }
        let logits = [0.1, -0.7, 1.0 / 3.0];
        let said = ensemble(Combine::MeanLogits, [logits; 10], weights).predict(());
        let expected = logits.map(|logit| f64::from(logit as f32));
        assert_eq!(values(said), expected);
    }
}

#[test]
fn means_of_predictions_are_those_of_the_weights() {
    let members = [
        [1.0, -2.0, 0.5],
        [0.0, 3.0, -0.5],
        [2.0, 2.0, f64::NEG_INFINITY],
    ];
    let said = ensemble(Combine::MeanLogits, members, Some(vec![3.0, 0.0, 1.0])).predict(());
    assert_eq!(values(said), [1.25, -1.0, f64::NEG_INFINITY]);
    let said = ensemble(Combine::MeanLogits, members, Some(vec![1.0, 1.0, 2.0])).predict(());
    assert_eq!(values(said), [1.25, 1.25, f64::NEG_INFINITY]);
    // A masked class stays one.
    let masked = [[f64::NEG_INFINITY, 0.0, 1.0]; 3];
    let said = ensemble(Combine::MeanLogits, masked, None).predict(());
    assert_eq!(values(said), [f64::NEG_INFINITY, 0.0, 1.0]);
}

#[test]
fn a_member_that_has_diverged_shows() {
    let members = [[1.0, 0.0, 0.0], [f64::NAN, 0.0, 0.0], [0.0, 1.0, 0.0]];
    for combine in [
        Combine::MeanProbabilities,
        Combine::MeanLogits,
        Combine::MajorityVote,
    ] {
        let said = values(ensemble(combine, members, None).predict(()));
        assert!(said[0].is_nan(), "{combine:?}: {said:?}");
    }
}

#[test]
fn passes_of_dropout_that_agree_have_no_spread() {
    let _alone = alone();
    for (name, device) in devices() {
        let net = Net::new(0.5, &device);
        let constant = Tensor::<1>::from_floats([0.1, 0.7, -1.0 / 3.0], &device);
        for samples in [2, 3, 7, 10] {
            let mc = McDropoutConfig::new(samples).init(&net).unwrap();
            let (mean, deviation) = mc.moments(|_| Tensor::from_inner(constant.clone()));
            assert_eq!(values(mean), values(constant.clone()), "{name} {samples}");
            assert_eq!(values(deviation), [0.0; 3], "{name} {samples}");
        }
    }
}
