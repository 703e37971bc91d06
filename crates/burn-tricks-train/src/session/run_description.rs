//! The configuration of a run, recorded with each checkpoint and compared when the run is resumed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// A part of the configuration that is not what the checkpoint was written with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The part: a name given to [`declare`](crate::Session::declare), or one that the session gives to
    /// what it sees, such as `epoch loader 1`, ``criterion on `Loss` `` or `trick 2`.
    pub name: String,
    /// What the checkpoint was written with; none if it had no such part.
    pub recorded: Option<String>,
    /// What there is now; none if there is no such part.
    pub present: Option<String>,
}

impl Display for Change {
    /// Of two JSON objects, only the fields that differ.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.name)?;
        match (&self.recorded, &self.present) {
            (Some(recorded), None) => write!(f, "recorded {recorded}, now absent"),
            (None, Some(present)) => write!(f, "not recorded, now {present}"),
            (None, None) => write!(f, "not recorded, now absent"),
            (Some(recorded), Some(present)) => {
                let fields = differing_fields(recorded, present);
                if fields.is_empty() {
                    return write!(f, "recorded {recorded}, now {present}");
                }
                for (at, (field, recorded, present)) in fields.iter().enumerate() {
                    let and = if at > 0 { ", " } else { "" };
                    write!(f, "{and}`{field}` recorded {recorded}, now {present}")?;
                }
                Ok(())
            }
        }
    }
}

/// The fields in which two texts differ that are JSON objects.
fn differing_fields(recorded: &str, present: &str) -> Vec<(String, String, String)> {
    let object = |text: &str| match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    };
    let (Some(recorded), Some(present)) = (object(recorded), object(present)) else {
        return Vec::new();
    };
    let names: BTreeSet<&String> = recorded.keys().chain(present.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
    let field = |name: &String| {
        let (recorded, present) = (recorded.get(name), present.get(name));
        (recorded != present).then(|| (name.clone(), shown(recorded), shown(present)))
    };
    names.into_iter().filter_map(field).collect()
}

/// The parts of a run by their names, each as a text that is another one if the part is another one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setup(BTreeMap<String, String>);

impl Setup {
    /// Adds a part, in the place of one of the same name.
    pub(crate) fn set(&mut self, name: impl Into<String>, part: String) {
        self.0.insert(name.into(), part);
    }

    /// Adds several parts of one kind, numbered from 1.
    pub(crate) fn number(&mut self, kind: &str, parts: impl IntoIterator<Item = String>) {
        for (at, part) in parts.into_iter().enumerate() {
            self.set(format!("{kind} {}", at + 1), part);
        }
    }

    /// In what `present` differs from this one, which was recorded.
    pub(crate) fn changes_to(&self, present: &Self) -> Vec<Change> {
        let names: BTreeSet<&String> = self.0.keys().chain(present.0.keys()).collect();
        let change = |name: &String| {
            let (recorded, present) = (self.0.get(name), present.0.get(name));
            (recorded != present).then(|| Change {
                name: name.clone(),
                recorded: recorded.cloned(),
                present: present.cloned(),
            })
        };
        names.into_iter().filter_map(change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(parts: &[(&str, &str)]) -> Setup {
        let mut setup = Setup::default();
        for (name, part) in parts {
            setup.set(*name, (*part).to_owned());
        }
        setup
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        let recorded = setup(&[
            ("loader", r#"{"batch_size":32,"seed":1}"#),
            ("optimizer", "Adam"),
            ("same", "1.5"),
            ("gone", "x"),
        ]);
        let present = setup(&[
            ("loader", r#"{"batch_size":64,"seed":1,"drop_last":true}"#),
            ("optimizer", "Sgd"),
            ("same", "1.5"),
            ("new", "y"),
        ]);
        assert_eq!(recorded.changes_to(&recorded), []);
        let changes = recorded.changes_to(&present);
        let texts: Vec<_> = changes.iter().map(Change::to_string).collect();
        assert_eq!(
            texts,
            [
                "gone: recorded x, now absent",
                "loader: `batch_size` recorded 32, now 64, `drop_last` recorded absent, now true",
                "new: not recorded, now y",
                "optimizer: recorded Adam, now Sgd",
            ]
        );
    }
}
