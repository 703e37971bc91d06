//! How to draw initial weights anew.

use crate::finding::prescription::{InitScheme, Prescription};
use crate::history::History;
use crate::history::probe::Activation;

/// The passes from which a probe is one of a recurrent network's.
pub(crate) const PASSES: usize = 10;

/// Initial weights for the activations of the network, as far as probes have seen them: He's where a ReLU was seen, or nothing.
pub(crate) fn initial(history: &History) -> Prescription {
    let seen = || history.probes.iter().filter_map(|probe| probe.activation());
    let is_bounded = |activation| matches!(activation, Activation::Sigmoid | Activation::Tanh);
    let scheme = if seen().next().is_some() && seen().all(is_bounded) {
        InitScheme::Xavier
    } else {
        InitScheme::He
    };
    Prescription::InitWeights { scheme }
}

/// Whether a probe is passed in every time step.
pub(crate) fn is_recurrent(history: &History) -> bool {
    let last = format!("[{}]", PASSES - 1);
    history
        .probes
        .iter()
        .any(|probe| probe.name.ends_with(&last))
}
