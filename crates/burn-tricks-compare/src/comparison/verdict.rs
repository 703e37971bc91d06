//! What the answer to a question is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::statistics::family::Reading;

/// What the comparison of a variant with its baseline shows about one question.
///
/// In JSON, and displayed, it is `helps`, `hurts`, `equivalent`, `equivalent (slightly better)`,
/// `equivalent (slightly worse)` or `undecided`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// The variant is better.
    #[serde(rename = "helps")]
    Helps,
    /// The variant is worse.
    #[serde(rename = "hurts")]
    Hurts,
    /// The two are equal within the margin that was declared before the run.
    #[serde(rename = "equivalent")]
    Equivalent,
    /// The variant is better, by less than the margin.
    #[serde(rename = "equivalent (slightly better)")]
    SlightlyBetter,
    /// The variant is worse, by less than the margin.
    #[serde(rename = "equivalent (slightly worse)")]
    SlightlyWorse,
    /// Neither a difference nor equivalence is shown.
    #[serde(rename = "undecided")]
    Undecided,
}

impl Verdict {
    /// The verdict of a reading, where the variant did better by `gain`.
    pub(crate) fn of(reading: &Reading, gain: f64) -> Self {
        match (reading.is_equivalent(), reading.differs()) {
            (true, true) if gain > 0.0 => Self::SlightlyBetter,
            (true, true) => Self::SlightlyWorse,
            (true, false) => Self::Equivalent,
            (false, true) if gain > 0.0 => Self::Helps,
            (false, true) => Self::Hurts,
            (false, false) => Self::Undecided,
        }
    }

    /// Whether it is equivalence, with or without a slight difference.
    pub fn is_equivalent(self) -> bool {
        matches!(
            self,
            Self::Equivalent | Self::SlightlyBetter | Self::SlightlyWorse
        )
    }

    /// Whether anything is shown.
    pub fn is_decided(self) -> bool {
        self != Self::Undecided
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Helps => "helps",
            Self::Hurts => "hurts",
            Self::Equivalent => "equivalent",
            Self::SlightlyBetter => "equivalent (slightly better)",
            Self::SlightlyWorse => "equivalent (slightly worse)",
            Self::Undecided => "undecided",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(difference_p: f64, equivalence_p: f64, gain: f64) -> Verdict {
        let reading = Reading {
            difference_p,
            equivalence_p,
            difference_look: None,
            equivalence_look: None,
        };
        Verdict::of(&reading, gain)
    }

    #[test]
    fn a_verdict_says_which_of_both_was_shown() {
        assert_eq!(of(0.05, 1.0, 0.01), Verdict::Helps);
        assert_eq!(of(0.05, 0.06, -0.01), Verdict::Hurts);
        assert_eq!(of(0.051, 0.05, -0.01), Verdict::Equivalent);
        assert_eq!(of(0.01, 0.01, 0.01), Verdict::SlightlyBetter);
        assert_eq!(of(0.01, 0.01, -0.01), Verdict::SlightlyWorse);
        assert_eq!(of(0.06, 0.06, 0.01), Verdict::Undecided);
        assert_eq!(of(f64::NAN, f64::NAN, 0.01), Verdict::Undecided);
    }

    #[test]
    fn json_and_display_are_the_same_words() {
        for verdict in [
            Verdict::Helps,
            Verdict::Hurts,
            Verdict::Equivalent,
            Verdict::SlightlyBetter,
            Verdict::SlightlyWorse,
            Verdict::Undecided,
        ] {
            let json = serde_json::to_string(&verdict).unwrap();
            assert_eq!(json, format!("\"{verdict}\""));
            assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
        }
    }
}
