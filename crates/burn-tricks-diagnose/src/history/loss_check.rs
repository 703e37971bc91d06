//! The loss of a step, and the one that its outputs and targets have.

use serde::{Deserialize, Serialize};

/// The loss that the program handed over for a recorded step, and the mean loss of the declared
/// [`LossKind`](crate::LossKind) that the outputs and the targets of this step have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LossCheck {
    /// The number of the step, from 1.
    pub step: usize,
    /// The rows of the batch.
    pub rows: usize,
    /// The outputs per row.
    pub columns: usize,
    /// The loss that was handed over.
    #[serde(with = "crate::float")]
    pub given: f64,
    /// The mean loss of the outputs and the targets.
    #[serde(with = "crate::float")]
    pub own: f64,
    /// The mean loss over all pairs of an output and a target, of a single output per row: what is computed if outputs
    /// `[rows, 1]` and targets `[1, rows]` are broadcast to `[rows, rows]`.
    #[serde(with = "crate::float")]
    pub crossed: Option<f64>,
    /// The norm of the gradient of the mean loss with respect to a bias that is added to the outputs, or, where a softmax or
    /// a sigmoid makes probabilities of them, to the scores before it.
    #[serde(with = "crate::float")]
    pub gradient: f64,
}
