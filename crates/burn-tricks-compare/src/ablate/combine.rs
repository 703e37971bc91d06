//! Several changes of one recipe at once.

use std::fmt;

use serde_json::{Map, Value};

use crate::{
    changes::{Change, changes},
    outcome::recipe::Recipe,
};

/// The settings of `base` with the changes of several recipes at once. Each part is a pair of a recipe
/// and its baseline, and its change is the difference between the settings of the two.
///
/// # Errors
///
/// If two of them set the same place to different values, or one changes nothing.
pub fn combine(base: &Recipe, parts: &[(&Recipe, &Recipe)]) -> Result<Value, CombineRecipesError> {
    let mut settings = base.settings.clone();
    let mut done: Vec<(&str, Change)> = Vec::new();
    for (part, baseline) in parts {
        let changed = changes(&baseline.settings, &part.settings);
        if changed.is_empty() {
            let part = part.name.clone();
            return Err(CombineRecipesError::ChangesNothing { part });
        }
        for change in changed {
            let clash = done.iter().find(|(_, other)| {
                overlap(other, &change) && (other.place != change.place || other.to != change.to)
            });
            if let Some((first, _)) = clash {
                return Err(CombineRecipesError::Clash {
                    first: (*first).to_owned(),
                    second: part.name.clone(),
                    setting: change.path(),
                });
            }
            set(&mut settings, &change);
            done.push((&part.name, change));
        }
    }
    Ok(settings)
}

/// Whether one place holds the other.
fn overlap(one: &Change, other: &Change) -> bool {
    let common = one.place.len().min(other.place.len());
    one.place[..common] == other.place[..common]
}

fn set(settings: &mut Value, change: &Change) {
    let mut place = settings;
    let Some((last, fields)) = change.place.split_last() else {
        *place = change.to.clone().unwrap_or(Value::Null);
        return;
    };
    for field in fields {
        place = object(place).entry(field).or_insert(Value::Null);
    }
    match &change.to {
        Some(to) => object(place).insert(last.clone(), to.clone()),
        None => object(place).remove(last),
    };
}

/// The fields of the value, which becomes an object if it is none.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it is one now")
}

/// Changes that cannot be made at once.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CombineRecipesError {
    /// Two changes give the same setting different values.
    Clash {
        /// The name of the first change.
        first: String,
        /// The name of the second change.
        second: String,
        /// The setting.
        setting: String,
    },
    /// A change does not change any setting.
    ChangesNothing {
        /// Its name.
        part: String,
    },
    /// What it is to be made to has the settings of a change already.
    AlreadyThere {
        /// The name of the change.
        part: String,
        /// What has its settings, as in `momentum with clip`.
        whole: String,
    },
    /// Too few changes to take apart.
    TooFew {
        /// How many there are.
        parts: usize,
    },
    /// A change is named twice.
    Twice {
        /// Its name.
        part: String,
    },
}

impl fmt::Display for CombineRecipesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clash {
                first,
                second,
                setting,
            } => write!(
                f,
                "{first:?} and {second:?} both set `{setting}`, and cannot be combined"
            ),
            Self::ChangesNothing { part } => {
                write!(
                    f,
                    "{part:?} has the settings of its baseline: there is no change to combine. What a recipe changes \
                     must stand in its settings (`Recipe::with_settings`)"
                )
            }
            Self::AlreadyThere { part, whole } => write!(
                f,
                "{part:?} changes nothing of {whole}, which has its settings already. Make the changes to another \
                 recipe (`--onto`), or leave it out"
            ),
            Self::TooFew { parts } => write!(f, "at least two changes are needed, got {parts}"),
            Self::Twice { part } => write!(f, "{part:?} is named twice"),
        }
    }
}

as_displayed!(CombineRecipesError);

impl std::error::Error for CombineRecipesError {}

/// At least two changes, none of them twice.
pub(crate) fn check(parts: &[(&Recipe, &Recipe)]) -> Result<(), CombineRecipesError> {
    if parts.len() < 2 {
        return Err(CombineRecipesError::TooFew { parts: parts.len() });
    }
    for (at, (part, _)) in parts.iter().enumerate() {
        if parts[..at].iter().any(|(other, _)| other.name == part.name) {
            let part = part.name.clone();
            return Err(CombineRecipesError::Twice { part });
        }
    }
    Ok(())
}
