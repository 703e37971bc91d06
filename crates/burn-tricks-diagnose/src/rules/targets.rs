//! Regression targets on another scale than a network gives.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

use crate::finding::prescription::short;

/// The size of a mean or a deviation from which a target is far from standardised.
const FAR: f64 = 10.0;

/// The deviation below which it is.
const TINY: f64 = 1e-3;

const SOURCE: &str = "largest of |mean| and deviation of the target; threshold chosen by us";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(target) = history.train.as_ref().and_then(|train| train.target) else {
        return Vec::new();
    };
    let size = target.mean.abs().max(target.deviation);
    let outcome = history.outcome();
    let (threshold, text) = if target.deviation == 0.0 {
        (TINY, "All targets are equal.".to_owned())
    } else if size > FAR {
        let text = format!(
            "The targets have mean {} and deviation {}. The loss and its gradients have the square of this scale, and the weights must grow to reach it.",
            short(target.mean),
            short(target.deviation)
        );
        (FAR, text)
    } else if size < TINY {
        (
            TINY,
            "The targets are tiny: the network learns them as 0.".to_owned(),
        )
    } else {
        return Vec::new();
    };
    let severity = match outcome {
        Outcome::Learned => Severity::Note,
        Outcome::Stuck => Severity::Fault,
        _ => Severity::Warning,
    };
    vec![
        Finding::new(FindingKind::UnscaledTarget, severity, text)
            .measured(size, threshold, SOURCE)
            .with([Prescription::ScaleTargets, Prescription::ScaleInputs]),
    ]
}
