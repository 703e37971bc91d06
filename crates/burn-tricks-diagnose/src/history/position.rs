//! Which batch a step was taken on, and the first step whose gradients were not finite.

use serde::{Deserialize, Serialize};

/// The batch on which an optimizer step was taken: the last one, if gradients are accumulated over several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BatchPosition {
    /// The number of the optimizer step, from 1.
    pub step: usize,
    /// The number of the epoch, from 1.
    pub epoch: usize,
    /// The number of the batch within the epoch, from 1.
    pub batch: usize,
}

impl BatchPosition {
    pub(crate) fn new(step: usize, epoch: usize, batch: usize) -> Self {
        Self { step, epoch, batch }
    }
}

/// The first step whose gradients were not finite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FirstNonFinite {
    /// The number of the optimizer step, from 1.
    pub step: usize,
    /// The parameters whose gradients contained NaN or infinity in that step, in the module's own order.
    pub paths: Vec<String>,
}
