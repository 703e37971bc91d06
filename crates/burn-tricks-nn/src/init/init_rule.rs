//! A distribution for a part of a module.

use crate::init::weight_init::WeightInit;
use serde::{Deserialize, Serialize};

/// A distribution for a part of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitRule {
    /// The path of the part, as in records: `blocks.*.second`, where `*` stands for one part of a path and `**`
    /// for any number of parts, also for none.
    pub path: String,
    /// The distribution of the weights of its layers. If the part has no layers, it is the distribution of the
    /// parameters that the part holds itself; if the part is a parameter, of that parameter.
    pub weights: WeightInit,
}

impl InitRule {
    /// Whether `path` lies at or below the rule's path, part by part.
    pub(crate) fn is_above(&self, path: &str) -> bool {
        self.levels_above(path).is_some()
    }

    /// How many parts `path` lies below the rule's path, 0 if it is the same path; `None` if it lies elsewhere.
    pub(crate) fn levels_above(&self, path: &str) -> Option<usize> {
        let parts = |path| str::split(path, '.').collect::<Vec<_>>();
        levels(&parts(&self.path), &parts(path))
    }
}

/// [`InitRule::levels_above`], of the parts of both paths.
fn levels(rule: &[&str], path: &[&str]) -> Option<usize> {
    let Some((expected, rest)) = rule.split_first() else {
        return Some(path.len());
    };
    if *expected == "**" {
        let mut deepest_first = (0..=path.len()).rev();
        return deepest_first.find_map(|skipped| levels(rest, &path[skipped..]));
    }
    let (part, below) = path.split_first()?;
    let fits = *expected == "*" || expected == part;
    fits.then(|| levels(rest, below))?
}
