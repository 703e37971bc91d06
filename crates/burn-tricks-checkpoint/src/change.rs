//! A difference between a configuration and the one that a checkpoint was written with.

use serde_json::Value;
use std::fmt::Display;

/// A part of the configuration that differs from the one that the checkpoint was written with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The name of the part: your own name, or a name that a session of `burn-tricks-train` gives, such as
    /// `epoch loader 1`, ``criterion on `Loss` `` or `trick 2`.
    pub name: String,
    /// What the checkpoint was written with; none if it had no such part.
    pub recorded: Option<String>,
    /// The present value; none if there is no such part now.
    pub present: Option<String>,
}

impl Change {
    /// Of the part `name`, `recorded` and now `present`.
    pub fn new(name: impl Into<String>, recorded: Option<String>, present: Option<String>) -> Self {
        Self {
            name: name.into(),
            recorded,
            present,
        }
    }
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
    let mut both = recorded.clone();
    both.extend(present.clone());
    let shown = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
    let field = |name: &String| {
        let (recorded, present) = (recorded.get(name), present.get(name));
        (recorded != present).then(|| (name.clone(), shown(recorded), shown(present)))
    };
    both.keys().filter_map(field).collect()
}
