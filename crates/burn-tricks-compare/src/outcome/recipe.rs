//! What is compared with what.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A way to train, the *variant*, and what it is compared with.
///
/// A recipe with a baseline is a row of the comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Name of the variant.
    pub name: String,
    /// Name of the variant it is a single change from, `None` if it is not compared with another.
    #[serde(default)]
    pub baseline: Option<String>,
    /// A few words on what it does.
    #[serde(default)]
    pub about: String,
    /// Every choice of the run, as JSON. A report shows what differs from the baseline's; a
    /// [`Store`](crate::Store) keeps the runs of other settings apart. `null` where there are none.
    #[serde(default)]
    pub settings: Value,
}

impl Recipe {
    /// A recipe that is compared with no other.
    pub fn baseline(name: &str, about: &str) -> Self {
        Self {
            name: name.to_owned(),
            baseline: None,
            about: about.to_owned(),
            settings: Value::Null,
        }
    }

    /// A recipe that is compared with the one named `baseline`.
    pub fn variant(name: &str, baseline: &str, about: &str) -> Self {
        Self {
            baseline: Some(baseline.to_owned()),
            ..Self::baseline(name, about)
        }
    }

    /// The recipe with every choice of its run.
    pub fn with_settings(self, settings: Value) -> Self {
        Self { settings, ..self }
    }
}
