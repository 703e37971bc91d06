//! How to draw initial weights anew.

use crate::finding::prescription::{InitScheme, Prescription};
use crate::history::History;
use crate::history::probe::{Activation, ProbeHistory, ProbeStep};

/// The passes from which a probe is one of a recurrent network's.
pub(crate) const PASSES: usize = 10;

/// The size of a value that is near the end of the range of a hyperbolic tangent.
const NEAR: f64 = 0.9;

/// Initial weights for the activations of the network, as far as probes have seen them: He's where a ReLU was seen, or nothing.
pub(crate) fn initial(history: &History) -> Prescription {
    let seen = || history.probes.iter().filter_map(function);
    let scheme = if seen().next().is_some() && seen().all(|of| of != Activation::Relu) {
        InitScheme::Xavier
    } else {
        InitScheme::He
    };
    Prescription::InitWeights { scheme }
}

/// The function whose values a probe has seen. Small values of any other function are within the range of a hyperbolic
/// tangent too: only those that come near its ends are taken for its.
fn function(probe: &ProbeHistory) -> Option<Activation> {
    let largest = |at: &ProbeStep| at.max.max(-at.min);
    let is_near = probe.steps.iter().any(|at| largest(at) > NEAR);
    let is_within = probe.steps.iter().all(|at| largest(at) <= 1.0);
    (probe.activation()).filter(|of| *of != Activation::Tanh || is_near && is_within)
}

/// Whether a probe is passed in every time step.
pub(crate) fn is_recurrent(history: &History) -> bool {
    let last = format!("[{}]", PASSES - 1);
    history
        .probes
        .iter()
        .any(|probe| probe.name.ends_with(&last))
}
