//! The settings in which the members of the normalised-gradient family differ.

use serde::{Deserialize, Serialize};

/// How long the norm remembers earlier gradients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Memory {
    /// No memory: the norm of the current gradient.
    None,
    /// An endless memory: the root of the sum of all squared norms.
    Sum,
    /// A decaying memory: the root of a decaying mean of squared norms.
    Decay {
        /// The share of the old mean that is kept at each step, in `[0, 1)`.
        beta: f64,
    },
}

/// What the momentum averages or accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum MomentumMemory {
    /// No momentum.
    None,
    /// A decaying mean of gradients, normalised after averaging, as in Adam.
    OfGradient {
        /// The share of the old mean that is kept at each step, in `[0, 1)`.
        beta: f64,
    },
    /// A decaying sum of normalised gradients, as in PyTorch's RMSProp.
    OfUpdate {
        /// The fraction of the last update that is added to the next, in `[0, 1)`.
        mu: f64,
    },
}

/// Where ε ≥ 0 stands in the divisor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Epsilon {
    /// `√v + ε`
    OutsideRoot(f64),
    /// `√(v + ε)`
    InsideRoot(f64),
}
