//! The batcher that applies augmentations.

use crate::augmentations::Augmentations;
use crate::seeded::Seeded;
use burn::data::dataloader::batcher::Batcher;
use burn::tensor::Device;

/// A batcher whose batches are augmented, for training. Made by [`Augmentations::batcher`].
#[derive(Debug)]
pub struct Augmented<Inner, B> {
    inner: Inner,
    augmentations: Augmentations<B>,
}

impl<B> Augmentations<B> {
    /// The batcher that makes batches with `inner` and changes them. Needs the feature `dataset`, as Burn's `Batcher`
    /// does.
    pub fn batcher<Inner>(self, inner: Inner) -> Augmented<Inner, B> {
        Augmented {
            inner,
            augmentations: self,
        }
    }
}

impl<I, B, Inner: Batcher<I, B>> Batcher<Seeded<I>, B> for Augmented<Inner, B> {
    fn batch(&self, items: Vec<Seeded<I>>, device: &Device) -> B {
        let (items, seeds): (Vec<I>, Vec<u64>) = items
            .into_iter()
            .map(|Seeded { item, seed }| (item, seed))
            .unzip();
        let batch = self.inner.batch(items, device);
        self.augmentations.apply(batch, &seeds)
    }
}
