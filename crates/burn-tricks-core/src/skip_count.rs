//! How many steps were skipped, shared between who skips them and who must know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of optimizer steps that were skipped. Clones are handles to one number: a guard that skips steps
/// adds to it, a schedule that is to keep its rate for them looks at it.
#[derive(Debug, Clone, Default)]
pub struct SkipCount(Arc<AtomicU64>);

impl SkipCount {
    /// Zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Another step was skipped.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// Sets the number, as a resumed run has it.
    pub fn set(&self, skipped: u64) {
        self.0.store(skipped, Ordering::Release);
    }
}
