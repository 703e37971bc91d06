//! The micro-batches since the last optimizer step.

use crate::lock::lock;
use std::sync::{Arc, Mutex};

/// The sum of the weights of the micro-batches whose gradients Burn is accumulating. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MicroBatches(Arc<Mutex<Option<f64>>>);

impl MicroBatches {
    /// Another of this weight.
    pub(crate) fn add(&self, weight: f64) {
        *lock(&self.0).get_or_insert(0.0) += weight;
    }

    /// What their sum is multiplied by to become their mean, if it is to; none since then.
    pub(crate) fn take_share(&self) -> Option<f64> {
        let total = lock(&self.0).take()?;
        // Without a sample there is no gradient but zero.
        Some(if total > 0.0 { 1.0 / total } else { 0.0 }).filter(|share| *share != 1.0)
    }

    /// Forgets a window that was never stepped.
    pub(crate) fn clear(&self) {
        *lock(&self.0) = None;
    }
}
