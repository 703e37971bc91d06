//! Parameters that require no gradient.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

const SOURCE: &str = "frozen weights; only a part that was trained before is meant to be frozen";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let frozen: Vec<&str> = (history.params.iter())
        .filter(|param| !param.requires_grad && param.is_weight())
        .map(|param| param.path.as_str())
        .collect();
    if frozen.is_empty() || history.steps.is_empty() {
        return Vec::new();
    }
    let severity = match history.outcome() {
        Outcome::Stuck | Outcome::Partial => Severity::Warning,
        Outcome::Learned | Outcome::Unknown => Severity::Note,
    };
    let text = "These weights are frozen and keep their first values.";
    let change = "call `unfreeze` on the model, or load trained weights for the frozen layers";
    vec![
        Finding::new(FindingKind::Frozen, severity, text)
            .measured(frozen.len() as f64, 0.0, SOURCE)
            .at(frozen)
            .with([Prescription::change(change)]),
    ]
}
