//! The number of skipped steps, shared between the code that skips steps and the code that depends on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of optimizer steps that were skipped. Clones are handles to one number: a guard that skips a step
/// adds 1 to it, and a schedule that keeps its learning rate for skipped steps reads it.
#[derive(Debug, Clone, Default)]
pub struct SkipCount(Arc<AtomicU64>);

impl SkipCount {
    /// A count of zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of skipped steps.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Adds 1 for another skipped step.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// Sets the number, when a run is resumed.
    pub fn set(&self, skipped: u64) {
        self.0.store(skipped, Ordering::Release);
    }
}
