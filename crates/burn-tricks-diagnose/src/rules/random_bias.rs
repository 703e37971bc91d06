//! Biases that begin at random on the scale of the weights.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::param::ParamHistory;
use crate::rules::initial::initial;
use burn_tricks_core::ParamRole;

/// The default of Burn and PyTorch is a deviation of 0.58/√n for n inputs; He's and Xavier's initialisation of the
/// weight, which Burn applies to the bias too, is above this factor.
const FACTOR: f64 = 0.8;

/// The deviation of a bias over that of the signal that the weight makes of inputs of size 1, from which the bias drowns
/// the signal.
const DROWNS: f64 = 5.0;

const SOURCE: &str = "deviation of the initial bias times the root of the inputs, 0 in He et al. (2015); threshold chosen by us";

const DROWNING: &str = "deviation of the initial bias over that of the weight times the root of its inputs, 0 in He et al. (2015); threshold chosen by us";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    if history.begins_trained() {
        return Vec::new();
    }
    // The last bias may begin with the logarithms of how often the classes occur, and switches no unit on or off.
    let columns = history.outputs.as_ref().map(|outputs| outputs.columns);
    let last = history.params.last().map(|param| &param.path);
    let is_last = |param: &ParamHistory| {
        Some(&param.path) == last && columns.is_some_and(|columns| columns == param.elements())
    };
    let biases =
        (history.params.iter()).filter(|param| param.role == ParamRole::Bias && !is_last(param));
    let (mut worst, mut drowning) = (0.0_f64, 0.0_f64);
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
        let Some((weight, fan_in)) = weight.and_then(|weight| Some((weight, weight.fan_in?)))
        else {
            continue;
        };
        let root = (fan_in as f64).sqrt();
        let size = bias.initial.deviation * root;
        if size > FACTOR {
            worst = worst.max(size);
            drowning = drowning.max(bias.initial.deviation / (weight.initial.deviation * root));
            paths.push(bias.path.as_str());
        }
    }
    if paths.is_empty() {
        return Vec::new();
    }
    let (severity, text) = if drowning > DROWNS {
        let text = "These biases begin with random numbers far larger than the signal that the weights make of the inputs: units are on or off whatever the input is.";
        (Severity::Warning, text)
    } else {
        let text = "These biases begin with random numbers as large as the weights. Burn initialises a bias by the formula of its weight.";
        (Severity::Note, text)
    };
    let finding = Finding::new(FindingKind::RandomBias, severity, text).at(paths);
    let finding = if drowning > DROWNS {
        finding.measured(drowning, DROWNS, DROWNING)
    } else {
        finding.measured(worst, FACTOR, SOURCE)
    };
    vec![finding.with([initial(history)])]
}
