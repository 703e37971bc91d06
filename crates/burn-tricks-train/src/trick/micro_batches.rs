//! The micro-batches since the last optimizer step.

use crate::lock::lock;
use std::sync::{Arc, Mutex};

/// The sum of the weights of the micro-batches whose gradients Burn is accumulating. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MicroBatches(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// The largest weight of a micro-batch, in this window or an earlier one.
    largest: f64,
    window: Option<Window>,
}

/// The micro-batches since the last step, of which there is at least one.
#[derive(Debug)]
struct Window {
    /// A power of two, by which all weights are divided.
    unit: f64,
    /// The sum of the weights, in units.
    total: f64,
}

impl MicroBatches {
    /// Another micro-batch of this weight. By the result its gradients are multiplied: the weight divided by a power of
    /// two that is at least the largest weight up to the first one of the window. Batches of 32 samples are therefore not
    /// multiplied at all, and no gradient becomes larger, but for a batch that is larger than all before. Powers of two
    /// leave all digits as they are, so that it does not matter to the mean which one it is.
    pub(crate) fn add(&self, weight: f64) -> f64 {
        let Seen { largest, window } = &mut *lock(&self.0);
        *largest = largest.max(weight);
        let window = window.get_or_insert(Window {
            unit: 1.0,
            total: 0.0,
        });
        if window.total == 0.0 && weight > 0.0 {
            window.unit = largest.log2().ceil().exp2();
        }
        let units = weight / window.unit;
        window.total += units;
        units
    }

    /// What their sum is multiplied by to become their mean, if it is to; none since then.
    pub(crate) fn take_share(&self) -> Option<f64> {
        let total = lock(&self.0).window.take()?.total;
        // Without a sample there is no gradient but zero.
        Some(if total > 0.0 { 1.0 / total } else { 0.0 }).filter(|share| *share != 1.0)
    }

    /// Forgets a window that was never stepped.
    pub(crate) fn clear(&self) {
        lock(&self.0).window = None;
    }
}
