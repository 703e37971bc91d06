//! Tied parameters whose places hold different numbers.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

const SOURCE: &str = "places of tied parameters that differ from the first place";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let first = |path: &str| history.params.iter().find(|param| param.path == path);
    let stale: Vec<&str> = (history.params.iter())
        .filter(|param| {
            let first = param.tied_to.as_deref().and_then(first);
            first.is_some_and(|first| !first.last.is_same(&param.last))
        })
        .map(|param| param.path.as_str())
        .collect();
    if stale.is_empty() {
        return Vec::new();
    }
    let text = "These parameters are tied to another place of the model, and hold other numbers than it: Burn's optimizers step only the first place.";
    let change = "tie the places again after each step: `TiedWeightsConfig` of `burn-tricks-nn`";
    vec![
        Finding::new(FindingKind::TiedStale, Severity::Fault, text)
            .measured(stale.len() as f64, 0.0, SOURCE)
            .at(stale)
            .with([Prescription::change(change)]),
    ]
}
