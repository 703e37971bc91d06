//! Parameters that require no gradient, and keep their first values.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::EVIDENT;
use crate::history::measures::Outcome;
use crate::history::param::ParamHistory;
use burn_tricks_core::ParamRole;

const SOURCE: &str = "frozen weights; only a part that was trained before is meant to be frozen";

/// Fewer biases may be equal by chance.
const BIASES: usize = 4;

/// By how much the score of a model that needs no network is above that of a network whose frozen layers were trained on something
/// else.
const FAR: f64 = 0.1;

/// Fewer weights than this do not tell the initialiser they came from.
const ENOUGH: usize = 64;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    // One that moves is an average of trained weights, as that of a teacher, or was let go later.
    let frozen_params = history.params.iter().filter(|param| !param.requires_grad);
    let frozen_params: Vec<&ParamHistory> = frozen_params.filter(|param| !param.changed).collect();
    let frozen: Vec<&str> = (frozen_params.iter())
        .filter(|param| param.is_weight())
        .map(|param| param.path.as_str())
        .collect();
    if frozen.is_empty() || history.steps.is_empty() {
        return Vec::new();
    }
    let weights = frozen_params.iter().filter(|param| param.is_weight());
    let weights: Vec<&ParamHistory> = weights.copied().collect();
    let told: Vec<bool> = weights
        .iter()
        .filter_map(|param| is_fresh(&[param]))
        .collect();
    // Small weights tell it together.
    let told = match told[..] {
        [] => is_fresh(&weights).map_or_else(Vec::new, |all| vec![all; weights.len()]),
        _ => told,
    };
    let untrained = told.iter().filter(|is_fresh| **is_fresh).count();
    // Training makes the biases of a layer differ.
    let has_first_bias = frozen_params.iter().any(|param| {
        let is_bias = param.role == ParamRole::Bias && param.elements() >= BIASES;
        is_bias && param.initial.min == param.initial.max && param.layer != "BatchNorm"
    });
    let is_fresh = untrained > 0 && untrained == told.len();
    let severity = match history.outcome() {
        Outcome::Stuck | Outcome::Partial => Severity::Warning,
        _ if has_first_bias => Severity::Warning,
        // A layer that was trained may still have that deviation, and the network has learned as much as other models.
        _ if is_fresh && history.is_at_least(EVIDENT) => Severity::Note,
        _ if is_fresh => Severity::Warning,
        // What they compute does not suit these inputs.
        _ if history.below(FAR).is_some() => Severity::Warning,
        Outcome::Learned | Outcome::Unknown => Severity::Note,
    };
    let text = if has_first_bias {
        "These weights are frozen and keep their first values, and the biases of a frozen layer are all equal: it was perhaps not trained before.".to_owned()
    } else if untrained > 0 {
        format!(
            "These weights are frozen and keep their first values. {untrained} of them have the deviation that an initialiser draws for their shape: they were perhaps not trained before."
        )
    } else {
        "These weights are frozen and keep their first values.".to_owned()
    };
    let unfreeze = Prescription::Unfreeze {
        paths: frozen_params
            .iter()
            .map(|param| param.path.clone())
            .collect(),
    };
    let load = Prescription::change("load trained weights for the frozen layers");
    vec![
        Finding::new(FindingKind::Frozen, severity, text)
            .measured(frozen.len() as f64, 0.0, SOURCE)
            .at(frozen)
            .with([unfreeze, load]),
    ]
}

/// Whether the deviation of these weights is, within the error of so many draws, that of one of the usual initialisers, and
/// the mean is 0 within its own: those of layers that were trained seldom are. `None` if there are too few weights to tell.
/// The initialisers are the default of Burn and PyTorch, LeCun's, He's and Glorot's.
fn is_fresh(params: &[&ParamHistory]) -> Option<bool> {
    let known: Vec<(&ParamHistory, [f64; 4])> = params
        .iter()
        .filter_map(|param| {
            let (fan_in, fan_out) = (param.fan_in? as f64, param.fan_out? as f64);
            let variances = [
                1.0 / (3.0 * fan_in),
                1.0 / fan_in,
                2.0 / fan_in,
                2.0 / (fan_in + fan_out),
            ];
            Some((*param, variances))
        })
        .collect();
    let count: usize = known.iter().map(|(param, _)| param.elements()).sum();
    if count < ENOUGH {
        return None;
    }
    // Four standard errors, of normal draws.
    let error = 4.0 * (0.5 / count as f64).sqrt();
    let sum = |of: &dyn Fn(&ParamHistory, &[f64; 4]) -> f64| {
        let parts = known.iter();
        let parts = parts.map(|(param, variances)| param.elements() as f64 * of(param, variances));
        parts.sum::<f64>() / count as f64
    };
    let fits = |which: usize| {
        let square = sum(&|param, variances| param.initial.deviation.powi(2) / variances[which]);
        let mean = sum(&|param, variances| param.initial.mean / variances[which].sqrt());
        (square.sqrt() - 1.0).abs() < error && mean.abs() < 4.0 * (square / count as f64).sqrt()
    };
    Some((0..4).any(fits))
}
