//! One thing that was found.

use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::position::BatchPosition;
use serde::{Deserialize, Serialize};

/// One observation about a training that a rule makes: the kind of fault, the parameters concerned, the number that shows
/// it, and what to try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was found.
    pub kind: FindingKind,
    /// How serious it is.
    pub severity: Severity,
    /// The parameters or probes concerned, by path; empty if the finding concerns the whole training.
    pub paths: Vec<String>,
    /// The optimizer step (counted from 1) at which it was found; `None` if it concerns the whole training.
    pub step: Option<usize>,
    /// The epoch and the batch of that step, if the doctor was told.
    pub position: Option<BatchPosition>,
    /// The measured number.
    #[serde(with = "crate::float")]
    pub value: f64,
    /// The number at which the finding begins.
    #[serde(with = "crate::float")]
    pub threshold: f64,
    /// What the number is, and where the threshold comes from.
    pub source: String,
    /// What was found, in one or two sentences.
    pub text: String,
    /// What to try, the best-supported change first.
    pub prescriptions: Vec<Prescription>,
}

impl Finding {
    pub(crate) fn new(kind: FindingKind, severity: Severity, text: impl Into<String>) -> Self {
        Self {
            kind,
            severity,
            paths: Vec::new(),
            step: None,
            position: None,
            value: 0.0,
            threshold: 0.0,
            source: String::new(),
            text: text.into(),
            prescriptions: Vec::new(),
        }
    }

    pub(crate) fn at<S: Into<String>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.paths = paths.into_iter().map(Into::into).collect();
        self
    }

    pub(crate) fn in_step(mut self, step: usize) -> Self {
        self.step = Some(step);
        self
    }

    pub(crate) fn measured(
        mut self,
        value: f64,
        threshold: f64,
        source: impl Into<String>,
    ) -> Self {
        self.value = value;
        self.threshold = threshold;
        self.source = source.into();
        self
    }

    pub(crate) fn with(mut self, prescriptions: impl IntoIterator<Item = Prescription>) -> Self {
        self.prescriptions = prescriptions.into_iter().collect();
        self
    }
}
