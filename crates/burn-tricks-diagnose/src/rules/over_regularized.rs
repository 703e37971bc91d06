//! Weights that a decay or a penalty pulls to 0.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::EVIDENT;
use crate::history::measures::{Outcome, median};

/// The share of its initial norm to which the usual weight has shrunk.
const SHRUNK: f64 = 0.2;

/// The share from which it has shrunk in a network that has learned less than a model that needs no training.
const SMALLER: f64 = 0.7;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let limit = match history.outcome() {
        // Dropout makes weights smaller too.
        _ if history.shortfall(EVIDENT).is_some() && !drops(history) => SMALLER,
        Outcome::Stuck | Outcome::Partial => SHRUNK,
        Outcome::Learned | Outcome::Unknown => return Vec::new(),
    };
    let ratio = |param: &&crate::history::param::ParamHistory| param.last.norm / param.initial.norm;
    let weights = history.weights();
    // The best weight of a single layer may be 0.
    if weights.len() < 2 {
        return Vec::new();
    }
    let ratios = weights.iter().map(ratio).filter(|ratio| ratio.is_finite());
    let Some(shrunk) = median(ratios).filter(|shrunk| *shrunk < limit) else {
        return Vec::new();
    };
    let paths = weights.iter().filter(|param| ratio(param) < limit);
    let paths: Vec<&str> = paths.map(|param| param.path.as_str()).collect();
    let text = format!(
        "The weights have shrunk to {shrunk:.2} of their initial norm and the network has learned little: a weight decay or a penalty is stronger than the loss."
    );
    vec![
        Finding::new(FindingKind::OverRegularized, Severity::Fault, text)
            .at(paths)
            .measured(
                shrunk,
                limit,
                "median over the weights of their last norm over the first; clinic",
            )
            .with([
                Prescription::WeightDecay { decay: 1e-4 },
                Prescription::change("lower the weight decay, or the factor of the penalty"),
            ]),
    ]
}

fn drops(history: &History) -> bool {
    !history.structure.dropout.is_empty()
}
