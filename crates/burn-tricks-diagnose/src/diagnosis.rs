//! All that was found.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::rules::findings;
use serde::{Deserialize, Serialize};

/// All findings about a training, the most serious first, and the measurements behind them.
///
/// Its `Display` is a table for the terminal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The findings, the most serious first. There is always one: a healthy training has one finding of the kind
    /// [`Healthy`](FindingKind::Healthy), perhaps next to notes.
    pub findings: Vec<Finding>,
    /// What was measured.
    pub history: History,
}

impl Diagnosis {
    /// What the rules say about this history: also about one that was read from JSON.
    pub fn from_history(history: History) -> Self {
        let mut findings = findings(&history);
        for finding in &mut findings {
            let positions = &history.positions;
            let place = (finding.step)
                .and_then(|step| positions.binary_search_by_key(&step, |of| of.step).ok());
            finding.position = place.map(|place| positions[place]);
        }
        Self { findings, history }
    }

    /// Whether there is neither a warning nor a fault.
    pub fn is_healthy(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.severity < Severity::Warning)
    }

    /// The findings of this kind.
    pub fn of_kind(&self, kind: FindingKind) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.kind == kind)
    }

    /// Whether there is a finding of this kind that is at least a warning.
    pub fn accuses(&self, kind: FindingKind) -> bool {
        self.of_kind(kind)
            .any(|finding| finding.severity >= Severity::Warning)
    }

    /// The diagnosis as JSON. Numbers that are NaN or infinite are written as the texts `"NaN"`, `"inf"` and
    /// `"-inf"`.
    ///
    /// ```
    /// # use burn::nn::LinearConfig;
    /// # use burn::tensor::Device;
    /// use burn_tricks_diagnose::{Diagnosis, DoctorConfig};
    ///
    /// # let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
    /// let diagnosis = DoctorConfig::new().init(&model)?.diagnose(&model);
    /// let json = diagnosis.to_json();
    /// assert_eq!(serde_json::from_str::<Diagnosis>(&json).unwrap().to_json(), json);
    /// # Ok::<(), burn_tricks_core::ConfigError>(())
    /// ```
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and numbers have a JSON form")
    }
}
