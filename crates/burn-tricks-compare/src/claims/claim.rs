//! A sentence about what a change does.

use serde::{Deserialize, Serialize};

/// A sentence about what a change does, and the rows of comparisons that can tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The sentence.
    pub sentence: String,
    /// What is asked of each row: the name of a metric, `speed` or `cost`. Of several, the first that the
    /// comparison asks, so that one claim can be held against an accuracy and an error of a regression.
    pub questions: Vec<String>,
    /// What the sentence says of the answers.
    pub expected: Expected,
    /// Where it is looked for.
    pub rows: Vec<ClaimRow>,
    /// What to add where the sentence is told, such as how it is understood.
    #[serde(default)]
    pub note: String,
}

/// A row of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRow {
    /// The name under which the comparison is given.
    pub task: String,
    /// The variant.
    pub variant: String,
}

/// What a sentence says of a variant against its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// The variant is better.
    Better,
    /// The variant, which lacks what the sentence recommends, is worse.
    Worse,
    /// The variant is better, or equivalent within the margin.
    NotWorse,
    /// The metric of the variant varies less from seed to seed.
    LessSpread,
}
