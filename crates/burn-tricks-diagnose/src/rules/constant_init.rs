//! Weights that begin with one value, so that the units of a layer stay equal.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::severity::Severity;
use crate::history::History;

use crate::history::param::ParamHistory;
use crate::rules::initial::initial;

const SOURCE: &str = "standard deviation of the initial weights; Goodfellow et al., Deep Learning (2016), 8.4: units must begin differently";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let weights: Vec<&ParamHistory> = (history.params.iter())
        .filter(|param| param.is_weight() && param.tied_to.is_none())
        .collect();
    // The units of the output layer become different by their targets.
    let Some((_, hidden)) = weights.split_last() else {
        return Vec::new();
    };
    let constant = |param: &&&ParamHistory| {
        let is_constant = param.initial.min == param.initial.max && param.initial.non_finite == 0.0;
        let units = param.units.unwrap_or(0);
        // A branch of a residual block may begin with zeros: the weights after it make it move.
        let escaped = param.initial.max == 0.0
            && param
                .steps
                .iter()
                .any(|at| at.gradient > 0.0 && at.step <= 20);
        is_constant && units >= 2 && param.elements() >= 2 && !escaped
    };
    let paths: Vec<&str> = (hidden.iter())
        .filter(constant)
        .map(|param| param.path.as_str())
        .collect();
    if paths.is_empty() {
        return Vec::new();
    }
    let text = "All initial weights of these layers are equal. The units of such a layer calculate the same and get the same gradient; if the weights are 0, layers before and after it may get no gradient at all.";
    vec![
        Finding::new(FindingKind::ConstantInit, Severity::Fault, text)
            .at(paths)
            .measured(0.0, 0.0, SOURCE)
            .with([initial(history)]),
    ]
}
