//! Dropout that drops too much.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::EVIDENT;
use crate::history::measures::Outcome;

/// The probability above which dropout is unusual: Srivastava et al. (2014) use 0.5 for hidden layers.
const UNUSUAL: u32 = 600;

/// The probability from which networks of the clinic no longer learn.
const TOO_HIGH: u32 = 800;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let layers = &history.structure.dropout;
    let Some(most) = layers
        .iter()
        .map(|layer| layer.per_mille)
        .max()
        .filter(|most| *most > UNUSUAL)
    else {
        return Vec::new();
    };
    let severity = match history.outcome() {
        Outcome::Learned if history.shortfall(EVIDENT).is_none() => Severity::Note,
        Outcome::Stuck if most >= TOO_HIGH => Severity::Fault,
        _ => Severity::Warning,
    };
    let names = layers.iter().filter(|layer| layer.per_mille > UNUSUAL);
    let text = "Dropout drops most of the values of a layer.";
    vec![
        Finding::new(FindingKind::DropoutTooHigh, severity, text)
            .at(names.map(|layer| layer.name.as_str()))
            .measured(
                f64::from(most) / 1000.0,
                f64::from(UNUSUAL) / 1000.0,
                "probability of dropping a value, 0.5 for hidden layers in Srivastava et al. (2014); threshold chosen by us",
            )
            .with([Prescription::Dropout { prob: 0.2 }]),
    ]
}
