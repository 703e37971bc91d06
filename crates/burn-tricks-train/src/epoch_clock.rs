//! Which epoch it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The number of the present epoch, from 1, shared by whoever needs to know: the loader that orders the
/// samples, a schedule. A [`Session`](crate::Session) moves it on, in the training's own thread, after
/// each epoch's validation; in a resumed run it begins at the epoch that comes next.
///
/// ```
/// use burn_tricks_train::EpochClock;
///
/// let clock = EpochClock::new();
/// let seen_by_the_loader = clock.clone();
/// assert_eq!(seen_by_the_loader.epoch(), 1);
/// clock.set(2); // a hand-written loop does it itself
/// assert_eq!(seen_by_the_loader.epoch(), 2);
/// ```
#[derive(Debug, Clone, Default)]
pub struct EpochClock(Arc<AtomicUsize>); // 0: nobody has set it

impl EpochClock {
    /// At the first epoch.
    pub fn new() -> Self {
        Self::default()
    }

    /// The present epoch.
    pub fn epoch(&self) -> usize {
        self.get().unwrap_or(1)
    }

    /// Moves it. Epochs count from 1, as which 0 is taken.
    pub fn set(&self, epoch: usize) {
        self.0.store(epoch.max(1), SeqCst);
    }

    /// The present epoch, if anybody has set it.
    pub(crate) fn get(&self) -> Option<usize> {
        match self.0.load(SeqCst) {
            0 => None,
            epoch => Some(epoch),
        }
    }
}
