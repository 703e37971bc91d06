//! Biases that begin at random on the scale of the weights.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

use burn_tricks_core::ParamRole;

/// The default of Burn and PyTorch is a deviation of 0.58/√n for n inputs; He's and Xavier's initialisation of the
/// weight, which Burn applies to the bias too, is above this factor.
const FACTOR: f64 = 0.8;

const SOURCE: &str = "deviation of the initial bias times the root of the inputs; a bias begins at 0 in He et al. (2015)";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let biases = history
        .params
        .iter()
        .filter(|param| param.role == ParamRole::Bias);
    let mut worst: f64 = 0.0;
    let mut paths = Vec::new();
    for bias in biases.filter(|bias| bias.elements() >= 8) {
        let weight = bias
            .path
            .strip_suffix("bias")
            .map(|prefix| format!("{prefix}weight"));
        let weight = history
            .params
            .iter()
            .find(|param| Some(&param.path) == weight.as_ref());
        let Some(fan_in) = weight.and_then(|weight| weight.fan_in) else {
            continue;
        };
        let size = bias.initial.deviation * (fan_in as f64).sqrt();
        if size > FACTOR {
            worst = worst.max(size);
            paths.push(bias.path.as_str());
        }
    }
    if paths.is_empty() {
        return Vec::new();
    }
    let text = "These biases begin with random numbers as large as the weights. Burn initialises a bias by the formula of its weight.";
    vec![
        Finding::new(FindingKind::RandomBias, Severity::Note, text)
            .at(paths)
            .measured(worst, FACTOR, SOURCE)
            .with([Prescription::InitWeights]),
    ]
}
