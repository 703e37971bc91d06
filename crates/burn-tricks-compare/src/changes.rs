//! What differs between two recipes' settings.

use serde_json::Value;

/// One setting that differs. `None` where a recipe does not have it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// The names of the fields that lead to it.
    pub(crate) place: Vec<String>,
    pub(crate) from: Option<Value>,
    pub(crate) to: Option<Value>,
}

impl Change {
    /// Its place, such as `optimizer.momentum`.
    pub(crate) fn path(&self) -> String {
        self.place.join(".")
    }
}

/// The settings of `to` that differ from those of `from`.
pub(crate) fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(&mut Vec::new(), Some(from), Some(to), &mut found);
    found
}

fn compare(
    place: &mut Vec<String>,
    from: Option<&Value>,
    to: Option<&Value>,
    found: &mut Vec<Change>,
) {
    if from == to {
        return;
    }
    if let (Some(Value::Object(from)), Some(Value::Object(to))) = (from, to) {
        let new = to.keys().filter(|name| !from.contains_key(*name));
        for name in from.keys().chain(new) {
            place.push(name.clone());
            compare(place, from.get(name), to.get(name), found);
            place.pop();
        }
        return;
    }
    found.push(Change {
        place: place.clone(),
        from: from.cloned(),
        to: to.cloned(),
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
        let told = found.iter().map(|change| {
            let (from, to) = (change.from.clone(), change.to.clone());
            (change.path(), from, to)
        });
        let expected = [
            (
                "layers".to_owned(),
                Some(json!([64, 64])),
                Some(json!([64])),
            ),
            ("optimizer.momentum".to_owned(), None, Some(json!(0.9))),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(changes(&from, &from), []);
    }
}
