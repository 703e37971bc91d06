//! The micro-batches since the last optimizer step.

use crate::lock::lock;
use std::sync::{Arc, Mutex};

/// The sum of the weights of the micro-batches whose gradients Burn is accumulating. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MicroBatches(Arc<Mutex<Option<Window>>>);

/// The micro-batches so far, of which there is at least one.
#[derive(Debug)]
struct Window {
    /// A power of two, by which all weights are divided.
    unit: f64,
    /// The sum of the weights, in units.
    total: f64,
}

impl MicroBatches {
    /// Another micro-batch of this weight. By the result its gradients are multiplied: the weight divided by a power of
    /// two that is about the weight of the first one. Batches of 32 samples are therefore not multiplied at all, and no
    /// gradient of half precision becomes infinite. Powers of two leave all digits as they are, so that it does not
    /// matter to the mean which micro-batch is the first.
    pub(crate) fn add(&self, weight: f64) -> f64 {
        let mut begun = lock(&self.0);
        let window = begun.get_or_insert(Window {
            unit: 1.0,
            total: 0.0,
        });
        if window.total == 0.0 && weight > 0.0 {
            window.unit = weight.log2().ceil().exp2();
        }
        let units = weight / window.unit;
        window.total += units;
        units
    }

    /// What their sum is multiplied by to become their mean, if it is to; none since then.
    pub(crate) fn take_share(&self) -> Option<f64> {
        let total = lock(&self.0).take()?.total;
        // Without a sample there is no gradient but zero.
        Some(if total > 0.0 { 1.0 / total } else { 0.0 }).filter(|share| *share != 1.0)
    }

    /// Forgets a window that was never stepped.
    pub(crate) fn clear(&self) {
        *lock(&self.0) = None;
    }
}
