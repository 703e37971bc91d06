//! The statistics against SciPy and statsmodels, on cases whose numbers `oracle.py` has recorded in
//! `oracle.json`.

use burn_tricks_compare::{
    Interval, bootstrap_95, holm, interquartile_mean, mcnemar_p, mean, paired_test,
    probability_of_improvement, share_upper_bound, sign_flip_p, sign_flip_p_greater,
};
use serde_json::Value;

fn oracle() -> Value {
    serde_json::from_str(include_str!("oracle.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

/// To ten digits, of a probability or a number.
fn assert_close(actual: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    let error = (actual - expected).abs();
    assert!(
        error <= 1e-9 * expected.abs() + 1e-15,
        "{what}: {actual} is not {expected}"
    );
}

#[test]
fn both_tests_of_paired_differences() {
    for case in oracle()["paired"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let d = numbers(&case["differences"]);
        let margin = case["margin"].as_f64().unwrap();
        let test = paired_test(&d, margin);
        assert_eq!(test.pairs, d.len());
        let is = |actual: f64, field: &str| {
            assert_close(actual, &case[field], &format!("{field} of {name}"));
        };
        is(test.mean, "mean");
        is(test.sd, "sd");
        is(test.floored_sd, "floored_sd");
        is(test.t, "t");
        is(test.t_p, "t_p");
        is(sign_flip_p(&d), "sign_flip_p");
        is(test.difference_p, "difference_p");
        let side = |sign: f64| d.iter().map(|d| margin + sign * d).collect::<Vec<f64>>();
        is(sign_flip_p_greater(&side(1.0)), "flips_above_minus_margin");
        is(sign_flip_p_greater(&side(-1.0)), "flips_below_margin");
        is(test.equivalence_p, "equivalence_p");
        let interval = Interval::confidence_95(&d);
        is(interval.low, "low");
        is(interval.high, "high");
        is(interquartile_mean(&d), "interquartile_mean");
        is(probability_of_improvement(&d), "probability_of_improvement");
    }
}

#[test]
fn corrections_shares_and_bounds() {
    let oracle = oracle();
    for case in oracle["holm"].as_array().unwrap() {
        let adjusted = holm(&numbers(&case["p"]));
        let expected = case["adjusted"].as_array().unwrap();
        assert_eq!(adjusted.len(), expected.len(), "holm");
        for (actual, expected) in adjusted.iter().zip(expected) {
            assert_close(*actual, expected, "holm");
        }
    }
    let count = |value: &Value| value.as_u64().unwrap() as usize;
    for case in oracle["mcnemar"].as_array().unwrap() {
        let p = mcnemar_p(count(&case["b"]), count(&case["c"]));
        assert_close(p, &case["p"], &case.to_string());
    }
    for case in oracle["upper_bound"].as_array().unwrap() {
        let bound = share_upper_bound(count(&case["events"]), count(&case["n"]));
        assert_close(bound, &case["bound"], &case.to_string());
    }
}

/// Resampling draws other numbers than SciPy's, so the ends agree up to chance: with 2,000 resamples an
/// end lies within about a twentieth of the width.
#[test]
fn bootstraps() {
    for case in oracle()["bootstrap"].as_array().unwrap() {
        let values = numbers(&case["values"]);
        let statistic = match case["statistic"].as_str().unwrap() {
            "mean" => mean,
            "interquartile_mean" => interquartile_mean,
            other => panic!("no statistic {other:?}"),
        };
        let interval = bootstrap_95(&values, statistic);
        let end = |field: &str| case[field].as_f64().unwrap();
        let slack = 0.06 * (end("high") - end("low"));
        assert!(
            (interval.low - end("low")).abs() < slack,
            "{interval:?} {case}"
        );
        assert!(
            (interval.high - end("high")).abs() < slack,
            "{interval:?} {case}"
        );
    }
}

/// Numbers worked out beforehand, by hand or with SciPy, for a test set of 357 images.
#[test]
fn known_cases() {
    let images = |counts: &[f64]| -> Vec<f64> { counts.iter().map(|n| n / 357.0).collect() };
    let thousandths = |counts: &[f64]| -> Vec<f64> { counts.iter().map(|n| n / 1000.0).collect() };
    let b = [
        2.0, 2.0, 6.0, 5.0, 9.0, 5.0, 1.0, 2.0, 7.0, 2.0, 3.0, 7.0, 5.0, 1.0,
    ];
    let c = [
        0.0, 2.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 2.0, 0.0, -3.0,
    ];
    let d = [
        0.0, 1.0, 3.0, 2.0, 1.0, 2.0, 0.0, -1.0, 4.0, -1.0, 3.0, 4.0, -3.0, -1.0,
    ];
    let jump: Vec<f64> = (0..14).map(|at| if at < 13 { 0.0 } else { 5.0 }).collect();
    let h: Vec<f64> = [2.0, -1.0, 3.0, 0.0, 1.0].repeat(8);
    #[rustfmt::skip]
    let cases = [
        (thousandths(&[7.0, 2.0, 9.0, -1.0, 7.0, 6.0, 4.0, 7.0]),
            0.003270539492, 4.432201185, 0.0030361634, 0.015625, 0.58203125),
        (images(&b), 0.007159571279, 5.960128244, 4.7448421e-5, 1.220703125e-4, 0.99737496),
        (images(&c), 0.003554102102, 0.2106385546, 0.83643505, 1.0, 2.44140625e-4),
        (images(&d), 0.005916625821, 1.771420626, 0.099916023, 0.12841796875, 0.094665527),
        (vec![0.0; 14], 0.00125, 0.0, 1.0, 1.0, 6.103515625e-5),
        (vec![1.0 / 357.0; 14], 0.00125, 8.384666413, 1.332294e-6, 1.220703125e-4, 6.103515625e-5),
        (images(&jump), 0.003743154649, 1.0, 0.33556128, 1.0, 9.155273438e-4),
        (images(&h), 0.004011848034, 4.415880433, 7.7490366e-5, 1.602438278e-4, 7.866609703e-4),
    ];
    for (differences, sd, t, t_p, difference_p, equivalence_p) in cases {
        let test = paired_test(&differences, 0.005);
        for (actual, expected) in [
            (test.floored_sd, sd),
            (test.t, t),
            (test.t_p, t_p),
            (test.difference_p, difference_p),
            (test.equivalence_p, equivalence_p),
        ] {
            let close = (actual - expected).abs() <= 2e-8 * expected.abs();
            assert!(close, "{actual} is not {expected}: {test:?}");
        }
    }
}
