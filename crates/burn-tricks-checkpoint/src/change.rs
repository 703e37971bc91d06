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
    /// Of two JSON objects, and of two structs of one name as `Debug` shows them, only the fields that differ: the first three.
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
                for (at, (field, recorded, present)) in fields.iter().take(SHOWN).enumerate() {
                    let and = if at > 0 { ", " } else { "" };
                    write!(f, "{and}`{field}` recorded {recorded}, now {present}")?;
                }
                match fields.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, ", and {more} more"),
                }
            }
        }
    }
}

/// How many fields that differ are shown.
const SHOWN: usize = 3;

/// The values of fields, as texts, by name.
type Fields = Vec<(String, String)>;

/// The fields in which two texts differ that are JSON objects, or structs of one name as `Debug` shows them.
fn differing_fields(recorded: &str, present: &str) -> Vec<(String, String, String)> {
    let pair = match (json_fields(recorded), json_fields(present)) {
        (Some(recorded), Some(present)) => Some((recorded, present)),
        _ => match (debug_fields(recorded), debug_fields(present)) {
            (Some((one, recorded)), Some((other, present))) if one == other => {
                Some((recorded, present))
            }
            _ => None,
        },
    };
    let Some((recorded, present)) = pair else {
        return Vec::new();
    };
    let value = |fields: &Fields, name: &str| {
        let field = fields.iter().find(|(field, _)| field == name);
        field.map_or("absent".to_owned(), |(_, value)| value.clone())
    };
    let mut names: Vec<_> = recorded
        .iter()
        .chain(&present)
        .map(|(name, _)| name)
        .collect();
    names.sort_by_key(|name| by_number(name));
    names.dedup();
    let mut differing = Vec::new();
    for name in names {
        let (recorded, present) = (value(&recorded, name), value(&present, name));
        if recorded == present {
            continue;
        }
        let inside = differing_fields(&recorded, &present);
        if inside.is_empty() {
            differing.push((name.clone(), recorded, present));
        } else {
            let inside = inside.into_iter();
            differing
                .extend(inside.map(|(field, one, other)| (format!("{name}.{field}"), one, other)));
        }
    }
    differing
}

/// So that `step 128` comes before `step 1024`.
fn by_number(name: &str) -> (&str, u64, &str) {
    let text = name.trim_end_matches(|last: char| last.is_ascii_digit());
    (text, name[text.len()..].parse().unwrap_or_default(), name)
}

fn json_fields(text: &str) -> Option<Fields> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => {
            let fields = fields.into_iter();
            Some(
                fields
                    .map(|(name, value)| (name, value.to_string()))
                    .collect(),
            )
        }
        _ => None,
    }
}

/// The name and the fields of a struct, from a text such as `Clip { max_norm: 1.0, parts: [1, 2] }`.
fn debug_fields(text: &str) -> Option<(&str, Fields)> {
    let (name, fields) = text.strip_suffix(" }")?.split_once(" { ")?;
    if !name
        .chars()
        .all(|letter| letter.is_alphanumeric() || letter == '_')
    {
        return None;
    }
    let (mut depth, mut quoted, mut begin, mut parts) = (0_i32, false, 0, Vec::new());
    let mut letters = fields.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quoted => drop(letters.next()),
            '"' => quoted = !quoted,
            _ if quoted => (),
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&fields[begin..at]);
                begin = at + 1;
            }
            _ => (),
        }
    }
    parts.push(&fields[begin..]);
    let field = |part: &str| {
        let (name, value) = part.trim().split_once(": ")?;
        Some((name.to_owned(), value.to_owned()))
    };
    let fields = parts.into_iter().map(field).collect::<Option<_>>()?;
    Some((name, fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(recorded: &str, present: &str) -> String {
        let texts = [recorded, present].map(|text| Some(text.to_owned()));
        let [recorded, present] = texts;
        Change::new("part", recorded, present).to_string()
    }

    #[test]
    fn numbered_fields_stand_in_the_order_of_their_numbers_and_only_three_are_shown() {
        let rates = |rate: f64| {
            let rates = (0..12).map(|power| (format!("step {}", 1 << power), rate.into()));
            Value::Object(rates.collect()).to_string()
        };
        assert_eq!(
            shown(&rates(0.1), &rates(0.2)),
            "part: `step 1` recorded 0.1, now 0.2, `step 2` recorded 0.1, now 0.2, `step 4` recorded 0.1, now 0.2, \
             and 9 more"
        );
        let two = |rate: f64| format!(r#"{{"step 1024":{rate},"step 128":{rate}}}"#);
        assert_eq!(
            shown(&two(0.1), &two(0.2)),
            "part: `step 128` recorded 0.1, now 0.2, `step 1024` recorded 0.1, now 0.2"
        );
    }

    #[test]
    fn of_two_structs_only_the_fields_that_differ_are_shown() {
        let clip = |most: f64, text: &str| {
            format!(
                "Clip {{ max_norm: {most:?}, name: {text:?}, norm: Lp {{ p: 2.0, q: [1, 2] }} }}"
            )
        };
        assert_eq!(
            shown(&clip(1.0, "a, } b\""), &clip(2.0, "a, } b\"")),
            "part: `max_norm` recorded 1.0, now 2.0"
        );
        assert_eq!(
            shown(
                "Stop { config: Config { patience: 9, goal: Minimize }, seen: 1 }",
                "Stop { config: Config { patience: 3, goal: Minimize }, seen: 1 }"
            ),
            "part: `config.patience` recorded 9, now 3"
        );
        assert_eq!(
            shown("Clip { max_norm: 1.0 }", "Other { max_norm: 2.0 }"),
            "part: recorded Clip { max_norm: 1.0 }, now Other { max_norm: 2.0 }"
        );
        assert_eq!(shown("Adam", "Sgd"), "part: recorded Adam, now Sgd");
    }
}
