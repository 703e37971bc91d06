//! A model that does not fit its training data, without another cause.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

/// Fewer steps than this say nothing about what a model can fit.
const STEPS: usize = 50;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    if history.outcome() != Outcome::Stuck || history.steps_taken < STEPS {
        return Vec::new();
    }
    let value = match (history.last_loss(), history.first_loss()) {
        (Some(last), Some(first)) => last / first,
        _ => history.last_accuracy().unwrap_or(0.0),
    };
    let text = "The network is no better than a constant prediction, and no other cause was found: it may be too small, or the inputs may say nothing about the targets.";
    vec![
        Finding::new(FindingKind::Underfitting, Severity::Warning, text)
            .measured(value, 0.9, "last loss over the first; clinic")
            .with([
                Prescription::Larger,
                Prescription::ScaleLr { factor: 10.0 },
                Prescription::TrainLonger { factor: 10.0 },
                Prescription::change("see whether the network can fit one batch; if it cannot, look at inputs, loss and outputs"),
            ]),
    ]
}
