//! A diagnosis against what was expected, and the counts of many.

use super::case::{Case, Expect};
use burn_tricks::diagnose::{Diagnosis, Finding, FindingKind, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A diagnosis, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The name of the case.
    pub case: String,
    /// The seed of the run.
    pub seed: u64,
    /// Whether the case is healthy.
    pub healthy: bool,
    /// Whether the run showed what the case says.
    pub shown: bool,
    /// Whether anything was said to be wrong.
    pub accused: bool,
    /// Whether a cause was named, of each set of causes.
    pub named: bool,
    /// Whether a finding that names a cause names the layer at fault; `None` if none is expected or named.
    pub located: Option<bool>,
    /// All that was said, the most serious first.
    pub said: Vec<FindingKind>,
    /// What of it is right or fair.
    pub fair: usize,
    /// What of it the evidence rules out.
    pub ruled_out: Vec<FindingKind>,
}

impl Verdict {
    /// Of a diagnosis. Only warnings and faults count.
    pub fn of(case: &Case, seed: u64, shown: bool, diagnosis: &Diagnosis) -> Self {
        let expect = &case.expect;
        let serious = |finding: &&Finding| finding.severity >= Severity::Warning;
        let findings: Vec<&Finding> = diagnosis.findings.iter().filter(serious).collect();
        let mut seen = BTreeSet::new();
        let kinds = findings.iter().map(|finding| finding.kind);
        let said: Vec<FindingKind> = kinds.filter(|kind| seen.insert(*kind)).collect();
        let named = |set: &&[FindingKind]| said.iter().any(|kind| set.contains(kind));
        let named = !case.is_healthy() && expect.causes.iter().all(named);
        let located = (named && !expect.paths.is_empty()).then(|| locates(expect, &findings));
        let is_fair = |kind: &&FindingKind| expect.allows(**kind);
        let is_ruled_out = |kind: &&FindingKind| expect.not.contains(kind);
        Self {
            case: case.name.to_owned(),
            seed,
            healthy: case.is_healthy(),
            shown,
            accused: !said.is_empty(),
            named,
            located,
            fair: said.iter().filter(is_fair).count(),
            ruled_out: said.iter().filter(is_ruled_out).copied().collect(),
            said,
        }
    }
}

/// Whether a finding that names a cause has a path at or within one that is expected.
fn locates(expect: &Expect, findings: &[&Finding]) -> bool {
    let names = |finding: &&&Finding| expect.is_cause(finding.kind);
    let mut paths = findings
        .iter()
        .filter(names)
        .flat_map(|finding| &finding.paths);
    paths.any(|path| {
        expect.paths.iter().any(|expected| {
            let rest = path.strip_prefix(expected);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', ' ']))
        })
    })
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// So many.
    pub of: usize,
    /// Of so many.
    pub all: usize,
}

impl Share {
    /// One more, and one more of them if it is so.
    pub fn count(&mut self, is: bool) {
        self.of += usize::from(is);
        self.all += 1;
    }
}

impl std::ops::Add for Share {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            of: self.of + other.of,
            all: self.all + other.all,
        }
    }
}

/// As in "19 of 20 (95 %)".
impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.all == 0 {
            return f.pad("-");
        }
        let percent = 100.0 * self.of as f64 / self.all as f64;
        f.pad(&format!("{} of {} ({percent:.0} %)", self.of, self.all))
    }
}

/// The counts of many verdicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Faulty runs that are accused.
    pub sensitivity: Share,
    /// Faulty runs of which a cause is named.
    pub named: Share,
    /// Runs whose named cause is at the right layer.
    pub located: Share,
    /// Healthy runs that are not accused.
    pub specificity: Share,
    /// What is said that is right or fair.
    pub precision: Share,
    /// Runs of which something is said that the evidence rules out.
    pub ruled_out: Share,
    /// Runs that train as the healthy twin does after a prescription that is more than a text: not of verdicts.
    pub helped: Share,
    /// Faulty programs that train as the healthy twin does in most seeds after a prescription that was carried out without that
    /// twin: not of verdicts.
    pub cured: Share,
}

impl Tally {
    /// Of these verdicts.
    pub fn of<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let mut tally = Self::default();
        for verdict in verdicts {
            if verdict.healthy {
                tally.specificity.count(!verdict.accused);
            } else {
                tally.sensitivity.count(verdict.accused);
                tally.named.count(verdict.named);
            }
            if let Some(located) = verdict.located {
                tally.located.count(located);
            }
            tally.precision.of += verdict.fair;
            tally.precision.all += verdict.said.len();
            tally.ruled_out.count(!verdict.ruled_out.is_empty());
        }
        tally
    }
}
