//! The data loaders that a session trains with.

use crate::data::epoch_clock::EpochClock;
use crate::data::epoch_loader::EpochLoader;
use burn::data::dataloader::DataLoader;
use std::sync::Arc;

/// A data loader for the training split: an `Arc` of an [`EpochLoader`], from which the session takes the clock, or
/// any `Arc<dyn DataLoader>` of Burn's. Do not implement this trait yourself.
#[diagnostic::on_unimplemented(
    note = "cast a loader of another type: `loader as Arc<dyn DataLoader<_>>`"
)]
pub trait SessionLoader<B>: sealed::Sealed {
    /// The loader as Burn takes it, and the clock that its order depends on, if it is known.
    fn into_parts(self) -> (Arc<dyn DataLoader<B>>, Option<EpochClock>);
}

mod sealed {
    pub trait Sealed {}
}

impl<I, O> sealed::Sealed for Arc<EpochLoader<I, O>> {}

impl<I: Send + Sync + 'static, O: Send + 'static> SessionLoader<O> for Arc<EpochLoader<I, O>> {
    fn into_parts(self) -> (Arc<dyn DataLoader<O>>, Option<EpochClock>) {
        let clock = self.clock().clone();
        (self, Some(clock))
    }
}

impl<B> sealed::Sealed for Arc<dyn DataLoader<B>> {}

impl<B> SessionLoader<B> for Arc<dyn DataLoader<B>> {
    fn into_parts(self) -> (Arc<dyn DataLoader<B>>, Option<EpochClock>) {
        (self, None)
    }
}
