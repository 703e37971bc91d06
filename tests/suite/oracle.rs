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

/// Fails unless the numbers agree within `relative`, measured by the expected number. A number below a thousandth of
/// the largest expected one, or of 1 if that is less, is measured by this thousandth: it came out of a cancellation
/// of larger numbers, and has their rounding.
pub(crate) fn assert_close(actual: &[f64], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    let sizes = expected.iter().map(|e| e.abs());
    let least = 1e-3 * sizes.fold(0.0, f64::max).min(1.0);
    for (a, e) in actual.iter().zip(expected) {
        let close = (a - e).abs() <= relative * e.abs().max(least) || (a.is_nan() && e.is_nan());
        assert!(close, "{what}: got {actual:?}, expected {expected:?}");
    }
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
