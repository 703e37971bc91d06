//! The number of the present epoch.

use crate::lock::lock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// The number of the present epoch, from 1. All that need it share one clock, such as the loader that orders the
/// samples. A [`Session`](crate::Session) advances the clock after each epoch's validation, in the training's own
/// thread; in a resumed run the clock begins at the next epoch. One clock belongs to one run, which may have several: the
/// session records the loaders that were made with each.
///
/// ```
/// use burn_tricks_train::EpochClock;
///
/// let clock = EpochClock::new();
/// let seen_by_the_loader = clock.clone();
/// assert_eq!(seen_by_the_loader.epoch(), 1);
/// clock.set(2); // in a loop of your own; a session advances its clock
/// assert_eq!(seen_by_the_loader.epoch(), 2);
/// ```
#[derive(Debug, Clone, Default)]
pub struct EpochClock(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The epoch; 0 if it was never set.
    epoch: AtomicUsize,
    /// The descriptions of the loaders that were made with this clock, for a session to record.
    loaders: Mutex<Vec<String>>,
}

impl EpochClock {
    /// A clock at the first epoch.
    pub fn new() -> Self {
        Self::default()
    }

    /// The present epoch.
    pub fn epoch(&self) -> usize {
        self.get().unwrap_or(1)
    }

    /// Sets the epoch. Epochs count from 1; 0 is taken as 1.
    pub fn set(&self, epoch: usize) {
        self.0.epoch.store(epoch.max(1), SeqCst);
    }

    /// The present epoch, if it was set.
    pub(crate) fn get(&self) -> Option<usize> {
        match self.0.epoch.load(SeqCst) {
            0 => None,
            epoch => Some(epoch),
        }
    }

    /// Whether `other` is this clock, or a clone of it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A loader was made with this clock.
    pub(crate) fn add_loader(&self, description: String) {
        lock(&self.0.loaders).push(description);
    }

    /// The loaders that were made with this clock, oldest first.
    pub(crate) fn loaders(&self) -> Vec<String> {
        lock(&self.0.loaders).clone()
    }
}
