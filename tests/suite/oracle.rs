//! Values that other libraries computed: `tests/oracle/*.json`, each made by the script of its name.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::OnceLock;

/// One case of a group.
pub(crate) fn case(group: &str, name: &str) -> &'static Value {
    static ORACLE: OnceLock<Vec<Value>> = OnceLock::new();
    let oracle = ORACLE.get_or_init(|| {
        [
            include_str!("../oracle/oracle.json"),
            include_str!("../oracle/averages.json"),
            include_str!("../oracle/blocks.json"),
            include_str!("../oracle/data.json"),
            include_str!("../oracle/gradients.json"),
            include_str!("../oracle/inputs.json"),
            include_str!("../oracle/networks.json"),
            include_str!("../oracle/norms.json"),
            include_str!("../oracle/optim.json"),
            include_str!("../oracle/rate_free.json"),
            include_str!("../oracle/sam.json"),
            include_str!("../oracle/schedules.json"),
            include_str!("../oracle/stopping.json"),
            include_str!("../oracle/swag.json"),
        ]
        .map(|text| serde_json::from_str(text).expect("an oracle is JSON"))
        .into()
    });
    let case = oracle
        .iter()
        .map(|file| &file[group][name])
        .find(|case| !case.is_null())
        .unwrap_or(&Value::Null);
    assert!(!case.is_null(), "the oracle has no `{group}.{name}`");
    case
}

/// A field of a case.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

/// Numbers, of which some may be written `"inf"` or `"nan"`.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().expect("a number"),
        value => value.as_f64().expect("a number"),
    };
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(number)
        .collect()
}

/// By how much a number differs from the expected one, in units of `size`. A NaN agrees with a NaN, and an infinity with the
/// same infinity; from anything else both are infinitely far.
pub(crate) fn off(actual: f64, expected: f64, size: f64) -> f64 {
    if actual == expected || (actual.is_nan() && expected.is_nan()) {
        0.0
    } else if actual.is_finite() && expected.is_finite() {
        (actual - expected).abs() / size
    } else {
        f64::INFINITY
    }
}

/// The largest [`off`] of as many numbers as are expected, each in units of its `size`.
pub(crate) fn worst(actual: &[f64], expected: &[f64], size: impl Fn(f64) -> f64) -> f64 {
    assert_eq!(actual.len(), expected.len(), "lengths");
    let pairs = actual.iter().zip(expected);
    pairs.fold(0.0, |worst, (a, e)| worst.max(off(*a, *e, size(*e))))
}

/// The size of the largest number that is finite, or 0.
pub(crate) fn largest(numbers: &[f64]) -> f64 {
    let sizes = numbers.iter().map(|number| number.abs());
    sizes.filter(|size| size.is_finite()).fold(0.0, f64::max)
}

/// Fails unless the numbers agree within `relative`, measured by the expected number. A number below a thousandth of
/// the largest expected one, or of 1 if that is less, is measured by this thousandth: it came out of a cancellation
/// of larger numbers, and has their rounding.
pub(crate) fn assert_close(actual: &[f64], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    let least = 1e-3 * largest(expected).min(1.0);
    let worst = worst(actual, expected, |e| e.abs().max(least));
    assert!(
        worst <= relative,
        "{what}: got {actual:?}, expected {expected:?}"
    );
}

#[test]
fn what_is_not_finite_agrees_with_itself_alone() {
    let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for (at, actual) in bad.into_iter().enumerate() {
        assert_eq!(worst(&[actual], &[actual], f64::abs), 0.0, "{actual}");
        for other in [bad[(at + 1) % 3], bad[(at + 2) % 3], 0.0, 1.0] {
            assert_eq!(
                worst(&[actual, 1.0], &[other, 1.0], f64::abs),
                f64::INFINITY
            );
            assert_eq!(
                worst(&[1.0, other], &[1.0, actual], f64::abs),
                f64::INFINITY
            );
        }
    }
    assert!(std::panic::catch_unwind(|| worst(&[], &[1.0], f64::abs)).is_err());
    assert_eq!(largest(&[f64::NAN, -2.0, f64::INFINITY]), 2.0);
}

#[test]
fn small_numbers_are_compared_by_their_size() {
    assert_close(&[1.000_5e-6], &[1e-6], 1e-3, "within");
    assert_close(&[1.0, 1e-9], &[1.0, 0.0], 1e-6, "a rounding of the largest");
    assert_close(&[f64::NAN, 0.0], &[f64::NAN, 0.0], 0.0, "the same");
    for (actual, expected) in [
        (&[2e-10, 1.0], &[0.0, 1.0]),
        (&[1.000_001_1e-6, 0.0], &[1e-6, 0.0]),
        (&[1e-10, 1e-5], &[0.0, 1e-5]),
    ] {
        let relative = if expected[1] == 1.0 { 1e-7 } else { 1e-6 };
        let compare = || assert_close(actual, expected, relative, "apart");
        assert!(std::panic::catch_unwind(compare).is_err(), "{actual:?}");
    }
}
