//! A network that is one linear map.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

/// The deviation from linearity up to which it is rounding, relative to the outputs.
pub(crate) const ROUNDING: f64 = 1e-4;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let layers = history
        .params
        .iter()
        .filter(|param| param.is_weight())
        .count();
    let Some(nonlinearity) = history
        .nonlinearity
        .filter(|bend| *bend < ROUNDING && layers >= 2)
    else {
        return Vec::new();
    };
    let severity = match history.outcome() {
        // Two linear maps that give their inputs back find the principal components.
        _ if history.gives_back() => Severity::Note,
        Outcome::Learned => Severity::Warning,
        _ => Severity::Fault,
    };
    let text = format!(
        "The network of {layers} layers is one linear map of its inputs: there is no non-linearity between the layers."
    );
    vec![
        Finding::new(FindingKind::LinearNetwork, severity, text)
            .measured(
                nonlinearity,
                ROUNDING,
                "deviation from linearity relative to the outputs; f32 rounding",
            )
            .with([Prescription::Activation {
                name: "ReLU".to_owned(),
            }]),
    ]
}
