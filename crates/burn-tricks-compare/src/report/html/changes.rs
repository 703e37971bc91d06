//! What differs between two recipes' settings.

use serde_json::Value;

/// One setting that differs. `None` where a recipe does not have it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// Its place, such as `optimizer.momentum`.
    pub(crate) path: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

/// The settings of `to` that differ from those of `from`.
pub(crate) fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", Some(from), Some(to), &mut found);
    found
}

fn compare(path: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Change>) {
    if from == to {
        return;
    }
    if let (Some(Value::Object(from)), Some(Value::Object(to))) = (from, to) {
        let new = to.keys().filter(|name| !from.contains_key(*name));
        for name in from.keys().chain(new) {
            let path = match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            compare(&path, from.get(name), to.get(name), found);
        }
        return;
    }
    let text = |value: Option<&Value>| value.map(Value::to_string);
    found.push(Change {
        path: path.to_owned(),
        from: text(from),
        to: text(to),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_told_with_its_place() {
        let from = json!({"rate": 0.1, "optimizer": {"name": "sgd"}, "layers": [64, 64]});
        let to =
            json!({"rate": 0.1, "optimizer": {"name": "sgd", "momentum": 0.9}, "layers": [64]});
        let found = changes(&from, &to);
        let change = |path: &str, from: Option<&str>, to: Option<&str>| Change {
            path: path.to_owned(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        assert_eq!(
            found,
            [
                change("layers", Some("[64,64]"), Some("[64]")),
                change("optimizer.momentum", None, Some("0.9")),
            ]
        );
        assert_eq!(changes(&from, &from), []);
    }
}
