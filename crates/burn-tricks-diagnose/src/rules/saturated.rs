//! Activations at the flat ends of a sigmoid or a hyperbolic tangent.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{InitScheme, Prescription};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

use crate::history::probe::{ProbeHistory, ProbeStep};

/// The share of activations at the flat ends.
const SHARE: f64 = 0.5;

const SOURCE: &str = "share of activations within 0.01 of the ends; share as DeepDiagnosis (2022)";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let shares = history
        .probes
        .iter()
        .filter_map(|probe| Some((probe, share(probe)?)));
    let saturated: Vec<_> = shares.filter(|(_, share)| *share > SHARE).collect();
    let Some(most) = saturated.iter().map(|(_, share)| *share).reduce(f64::max) else {
        return Vec::new();
    };
    let severity = match history.outcome() {
        Outcome::Learned => Severity::Note,
        Outcome::Partial | Outcome::Unknown => Severity::Warning,
        Outcome::Stuck => Severity::Fault,
    };
    let text =
        "Most activations are at the flat ends of their function, where its slope is nearly 0.";
    vec![
        Finding::new(FindingKind::Saturated, severity, text)
            .at(saturated.iter().map(|(probe, _)| probe.name.as_str()))
            .measured(most, SHARE, SOURCE)
            .with([
                // Only a sigmoid and a hyperbolic tangent have such ends.
                Prescription::InitWeights {
                    scheme: InitScheme::Xavier,
                },
                Prescription::ScaleInputs,
                Prescription::NormLayers,
                Prescription::Activation {
                    name: "ReLU".to_owned(),
                },
            ]),
    ]
}

/// The share at the flat ends, for activations that look like those of a sigmoid or a hyperbolic tangent: within
/// their range, and near an end of it.
fn share(probe: &ProbeHistory) -> Option<f64> {
    let is_sigmoid =
        |at: &ProbeStep| at.min >= 0.0 && at.max <= 1.0 && (at.max > 0.95 || at.max < 0.05);
    let is_tanh = |at: &ProbeStep| at.min < 0.0 && at.min >= -1.0 && at.max <= 1.0;
    let last = probe.steps.last()?;
    // The exact zeros of a ReLU are no flat end of a sigmoid.
    if probe.steps.iter().all(is_sigmoid) && last.zeros == 0.0 {
        Some(last.near_zero + last.beyond_one)
    } else if probe.steps.iter().all(is_tanh) {
        Some(last.beyond_one)
    } else {
        None
    }
}
