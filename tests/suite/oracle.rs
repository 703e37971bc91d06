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
            include_str!("../oracle/gradients.json"),
            include_str!("../oracle/inputs.json"),
            include_str!("../oracle/norms.json"),
            include_str!("../oracle/optim.json"),
            include_str!("../oracle/rate_free.json"),
            include_str!("../oracle/sam.json"),
            include_str!("../oracle/schedules.json"),
            include_str!("../oracle/stopping.json"),
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

/// Fails unless the numbers agree within `relative`, measured by the larger of the expected number
/// and 1e-3.
pub(crate) fn assert_close(actual: &[f64], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    for (a, e) in actual.iter().zip(expected) {
        let close = (a - e).abs() <= relative * e.abs().max(1e-3) || (a.is_nan() && e.is_nan());
        assert!(close, "{what}: got {actual:?}, expected {expected:?}");
    }
}
