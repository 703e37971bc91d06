//! How many samples the batches have that a data loader has just given.

use crate::lock::lock;
use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use std::sync::{Arc, Mutex};

/// The numbers of samples of the batches that a loader has given and that were not taken yet. Clones share them.
///
/// Burn's `Learner` takes a batch from the loader and trains on it before it takes the next, and with `multi` it takes
/// one from each device's part of the loader. So the last batch of each part is the one in training, also if somebody
/// else goes through the loader between two steps.
#[derive(Debug, Clone, Default)]
pub(crate) struct BatchSamples(Arc<Mutex<Vec<Given>>>);

/// The last batch of a part of a loader.
#[derive(Debug)]
struct Given {
    device: Device,
    /// The first sample of the part of the loader.
    part: usize,
    samples: usize,
}

/// Why the number of samples of a batch is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// The loader has not given a batch for these devices.
    NotGiven,
    /// Two parts of the loader have given batches of these sizes for one device.
    Ambiguous(usize, usize),
}

impl BatchSamples {
    /// The part of the loader that begins with the sample `part` gives a batch for `device`.
    fn give(&self, device: &Device, part: usize, samples: usize) {
        let mut given = lock(&self.0);
        given.retain(|other| (other.part, &other.device) != (part, device));
        given.push(Given {
            device: device.clone(),
            part,
            samples,
        });
    }

    /// The number of samples of the batch that is trained on a model with these devices.
    pub(crate) fn take(&self, devices: &[Device]) -> Result<usize, Unknown> {
        let mut given = lock(&self.0);
        let is_here = |given: &Given| devices.contains(&given.device);
        let mut here = given.iter().filter(|given| is_here(given));
        let samples = here.next().ok_or(Unknown::NotGiven)?.samples;
        if let Some(other) = here.find(|other| other.samples != samples) {
            return Err(Unknown::Ambiguous(samples, other.samples));
        }
        if let Some(at) = given.iter().position(is_here) {
            given.remove(at);
        }
        Ok(samples)
    }
}

/// The epoch and the batch that a loader has given last, both counted from 1. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastBatch(Arc<Mutex<Option<(usize, usize)>>>);

#[cfg(feature = "diagnose")]
impl LastBatch {
    /// The epoch and the batch; `None` before the first.
    pub(crate) fn get(&self) -> Option<(usize, usize)> {
        *lock(&self.0)
    }
}

/// An iterator that notes the size of each batch, and its number.
pub(crate) struct Counted<'a, O> {
    pub(crate) inner: Box<dyn DataLoaderIterator<O> + 'a>,
    pub(crate) given: BatchSamples,
    pub(crate) device: Device,
    pub(crate) part: usize,
    pub(crate) last: LastBatch,
    pub(crate) epoch: usize,
    /// The batches given so far.
    pub(crate) batches: usize,
}

impl<O> Iterator for Counted<'_, O> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.inner.progress().items_processed;
        let batch = self.inner.next()?;
        let samples = self.inner.progress().items_processed - before;
        self.given.give(&self.device, self.part, samples);
        self.batches += 1;
        *lock(&self.last.0) = Some((self.epoch, self.batches));
        Some(batch)
    }
}

impl<O> DataLoaderIterator<O> for Counted<'_, O> {
    fn progress(&self) -> Progress {
        self.inner.progress()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_batch_of_each_part_counts_once() {
        let (given, here) = (BatchSamples::default(), Device::flex());
        let take = || given.take(&[Device::flex().autodiff()]);
        assert_eq!(take(), Err(Unknown::NotGiven));
        given.give(&here, 0, 4);
        given.give(&here, 0, 3);
        assert_eq!(take(), Ok(3), "the newer of one part");
        assert_eq!(take(), Err(Unknown::NotGiven), "taken");
        // Two workers that share a device, with batches of one size, and of two.
        given.give(&here, 0, 4);
        given.give(&here, 8, 4);
        assert_eq!((take(), take()), (Ok(4), Ok(4)));
        given.give(&here, 0, 4);
        given.give(&here, 8, 1);
        assert_eq!(take(), Err(Unknown::Ambiguous(4, 1)));
        assert_eq!(given.take(&[]), Err(Unknown::NotGiven));
    }
}
