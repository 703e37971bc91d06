//! Parameters that require no gradient.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;
use crate::history::param::ParamHistory;

const SOURCE: &str = "frozen weights; only a part that was trained before is meant to be frozen";

/// Fewer weights than this do not tell the initialiser they came from.
const ENOUGH: usize = 64;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let frozen: Vec<&str> = (history.params.iter())
        .filter(|param| !param.requires_grad && param.is_weight())
        .map(|param| param.path.as_str())
        .collect();
    if frozen.is_empty() || history.steps.is_empty() {
        return Vec::new();
    }
    let frozen_params = history.params.iter().filter(|param| !param.requires_grad);
    let told: Vec<bool> = frozen_params
        .filter(|param| param.is_weight())
        .filter_map(is_fresh)
        .collect();
    let untrained = told.iter().filter(|is_fresh| **is_fresh).count();
    let severity = match history.outcome() {
        Outcome::Stuck | Outcome::Partial => Severity::Warning,
        // A layer that was trained may still have that deviation, but hardly each of them.
        _ if untrained > 0 && untrained == told.len() => Severity::Warning,
        Outcome::Learned | Outcome::Unknown => Severity::Note,
    };
    let text = if untrained > 0 {
        format!(
            "These weights are frozen and keep their first values. {untrained} of them have the deviation that an initialiser draws for their shape: they were perhaps not trained before."
        )
    } else {
        "These weights are frozen and keep their first values.".to_owned()
    };
    let change = "call `unfreeze` on the model, or load trained weights for the frozen layers";
    vec![
        Finding::new(FindingKind::Frozen, severity, text)
            .measured(frozen.len() as f64, 0.0, SOURCE)
            .at(frozen)
            .with([Prescription::change(change)]),
    ]
}

/// Whether the deviation is, within the error of so many draws, that of one of the usual initialisers, and the mean is 0
/// within its own: those of a layer that was trained seldom are. `None` if there are too few weights to tell. The
/// initialisers are the default of Burn and PyTorch, LeCun's, He's and Glorot's.
fn is_fresh(param: &ParamHistory) -> Option<bool> {
    let (fan_in, fan_out) = (param.fan_in? as f64, param.fan_out? as f64);
    if param.elements() < ENOUGH {
        return None;
    }
    let count = param.elements() as f64;
    // Four standard errors, of normal draws.
    let error = 4.0 * (0.5 / count).sqrt();
    let variances = [
        1.0 / (3.0 * fan_in),
        1.0 / fan_in,
        2.0 / fan_in,
        2.0 / (fan_in + fan_out),
    ];
    let fits = |variance: &f64| (param.initial.deviation / variance.sqrt() - 1.0).abs() < error;
    let is_centred = param.initial.mean.abs() < 4.0 * param.initial.deviation / count.sqrt();
    Some(is_centred && variances.iter().any(fits))
}
