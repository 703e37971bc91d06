//! A data loader whose order is a function of the seed and the epoch.
//!
//! Burn's loaders shuffle with a generator that lives and moves on: a run that is resumed shuffles as the
//! first epochs did, and with several workers batches come in the order in which workers finish. Here
//! epoch e has one order, whoever asks, however often, after however many restarts, with any number of
//! workers.
//!
//! # Example
//!
//! ```
//! use burn::data::dataloader::{DataLoader, batcher::Batcher};
//! use burn::data::dataset::InMemDataset;
//! use burn::tensor::Device;
//! use burn_tricks_train::{EpochClock, EpochLoaderConfig};
//! use std::sync::Arc;
//!
//! #[derive(Clone)]
//! struct Numbers;
//!
//! impl Batcher<u32, Vec<u32>> for Numbers {
//!     fn batch(&self, items: Vec<u32>, _device: &Device) -> Vec<u32> {
//!         items
//!     }
//! }
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let clock = EpochClock::new();
//! let dataset = InMemDataset::new((0..10).collect());
//! let loader = EpochLoaderConfig::new(4, 42) // batches of 4, seed 42
//!     .with_workers(2)
//!     .init(dataset, Numbers, &Device::flex(), &clock)?;
//! clock.set(1);
//! let epoch = || -> Vec<Vec<u32>> { loader.iter().map(|batch| batch.unwrap()).collect() };
//! let first = epoch();
//! assert_eq!(first, epoch(), "the same epoch");
//! clock.set(2);
//! assert_ne!(first, epoch(), "the next");
//! # Ok(())
//! # }
//! ```
//!
//! # Where it stands
//!
//! In `SupervisedTraining::new`, with the clock that the session is given
//! ([`with_clock`](crate::Session::with_clock)). While nobody sets the clock, each pass through the loader
//! counts as the next epoch: the orders are those of a run from its beginning, but not those of a resumed one.
//!
//! At the start of each epoch it also seeds the device with a number made of the seed and the epoch
//! ([`EpochLoaderConfig::reseed_device`]), so that dropout draws what it drew before the run was
//! interrupted. Burn's generator is one per backend and process: one training at a time.
//!
//! # Cost
//!
//! A permutation of indices per epoch. Each worker is a thread for the time of an epoch, at most three
//! batches ahead.
//!
//! # Differences
//!
//! PyTorch's `DistributedSampler` has a `set_epoch` that must not be forgotten; its `DataLoader` keeps the
//! order of batches with any number of workers, as here. Batches drawn by a batcher from the device's
//! generator (random augmentation) come out as drawn only without workers. A batcher that panics in a
//! worker panics where its batch is asked for.

use crate::EpochClock;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::Device;
use burn_tricks_core::{Config, ConfigError};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

/// Configuration of an epoch-seeded loader.
#[derive(Config, Debug, PartialEq, Eq)]
pub struct EpochLoaderConfig {
    /// Samples in a batch, at least 1; the last batch of an epoch may have fewer.
    pub batch_size: usize,
    /// The seed of all orders.
    pub seed: u64,
    /// Whether samples are shuffled. Default: yes.
    #[config(default = true)]
    pub shuffle: bool,
    /// Threads that make batches ahead. Default: 0, batches are made where they are asked for.
    #[config(default = 0)]
    pub workers: usize,
    /// Whether the device is seeded at the start of each epoch. Default: yes.
    #[config(default = true)]
    pub reseed_device: bool,
}

impl EpochLoaderConfig {
    /// The loader of `dataset`. Its batches are made on `device`, until Burn moves it.
    ///
    /// # Errors
    ///
    /// If `batch_size` is 0.
    pub fn init<I, O>(
        &self,
        dataset: impl Dataset<I> + 'static,
        batcher: impl Batcher<I, O> + 'static,
        device: &Device,
        clock: &EpochClock,
    ) -> Result<Arc<dyn DataLoader<O>>, ConfigError>
    where
        I: Send + Sync + 'static,
        O: Send + 'static,
    {
        ConfigError::at_least_one("batch_size", self.batch_size)?;
        let indices = (0..dataset.len()).collect();
        Ok(Arc::new(EpochLoader {
            config: self.clone(),
            dataset: Arc::new(dataset),
            batcher: Arc::new(batcher),
            device: device.clone(),
            clock: clock.clone(),
            passes: AtomicUsize::new(0),
            indices,
        }))
    }
}

struct EpochLoader<I, O> {
    config: EpochLoaderConfig,
    dataset: Arc<dyn Dataset<I>>,
    batcher: Arc<dyn Batcher<I, O>>,
    device: Device,
    clock: EpochClock,
    /// Passes begun, which count as epochs while nobody sets the clock.
    passes: AtomicUsize,
    /// The samples that this loader has, before shuffling.
    indices: Vec<usize>,
}

impl<I, O> Clone for EpochLoader<I, O> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            dataset: self.dataset.clone(),
            batcher: self.batcher.clone(),
            device: self.device.clone(),
            clock: self.clock.clone(),
            passes: AtomicUsize::new(self.passes.load(SeqCst)),
            indices: self.indices.clone(),
        }
    }
}

impl<I, O> EpochLoader<I, O> {
    /// The epoch of the pass that begins.
    fn next_pass(&self) -> u64 {
        let pass = self.passes.fetch_add(1, SeqCst) + 1;
        self.clock.get().unwrap_or(pass) as u64
    }

    /// The generator of an epoch, for the samples from `first` on: slices, which several devices have,
    /// are not shuffled alike.
    fn generator(&self, epoch: u64, first: usize) -> ChaCha8Rng {
        let mut generator = ChaCha8Rng::seed_from_u64(self.config.seed);
        generator.set_stream(epoch ^ (first as u64).rotate_right(32));
        generator
    }

    fn batches(&self, mut generator: ChaCha8Rng) -> Vec<Vec<usize>> {
        let mut order = self.indices.clone();
        if self.config.shuffle {
            order.shuffle(&mut generator);
        }
        let batches = order.chunks(self.config.batch_size);
        batches.map(<[usize]>::to_vec).collect()
    }

    fn make(&self, indices: &[usize]) -> Result<O, DatasetError> {
        let items = indices.iter().map(|index| self.dataset.get(*index));
        let items: Vec<I> = items.collect::<Result<_, _>>()?;
        Ok(self.batcher.batch(items, &self.device))
    }
}

impl<I: Send + Sync + 'static, O: Send + 'static> DataLoader<O> for EpochLoader<I, O> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<O> + 'a> {
        let epoch = self.next_pass();
        let device_seed = self.generator(epoch, 0).next_u64();
        if self.config.reseed_device {
            self.device.seed(device_seed);
        }
        let first = self.indices.first().copied().unwrap_or(0);
        let mut generator = self.generator(epoch, first);
        generator.next_u64(); // of the whole, the device's seed
        let batches = self.batches(generator);
        let progress = Progress::new(0, self.indices.len(), Some("items".to_owned()));
        match self.config.workers {
            0 => Box::new(Here {
                loader: self,
                batches: batches.into_iter(),
                progress,
            }),
            workers => Box::new(Ahead::new(self, batches, workers, progress)),
        }
    }

    fn num_items(&self) -> usize {
        self.indices.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<O>> {
        Arc::new(Self {
            device: device.clone(),
            ..self.clone()
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<O>> {
        let end = end.min(self.indices.len());
        Arc::new(Self {
            indices: self.indices[start.min(end)..end].to_vec(),
            ..self.clone()
        })
    }
}

/// Batches made when they are asked for.
struct Here<'a, I, O> {
    loader: &'a EpochLoader<I, O>,
    batches: std::vec::IntoIter<Vec<usize>>,
    progress: Progress,
}

impl<I, O> Iterator for Here<'_, I, O> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let indices = self.batches.next()?;
        self.progress.items_processed += indices.len();
        Some(self.loader.make(&indices))
    }
}

impl<I, O> DataLoaderIterator<O> for Here<'_, I, O> {
    fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

/// A batch, and how many samples it has.
type Made<O> = (Result<O, DatasetError>, usize);

/// Batches made by threads: worker w of n makes the batches w, w + n, ..., and they are taken in turn.
struct Ahead<O> {
    workers: Vec<Worker<O>>,
    next: usize,
    left: usize,
    progress: Progress,
}

struct Worker<O> {
    receiver: mpsc::Receiver<Made<O>>,
    thread: Option<JoinHandle<()>>,
}

impl<O: Send + 'static> Ahead<O> {
    fn new<I: Send + Sync + 'static>(
        loader: &EpochLoader<I, O>,
        batches: Vec<Vec<usize>>,
        workers: usize,
        progress: Progress,
    ) -> Self {
        let workers = workers.min(batches.len());
        let worker = |at: usize| {
            let (sender, receiver) = mpsc::sync_channel(2);
            let mine: Vec<_> = batches.iter().skip(at).step_by(workers).cloned().collect();
            let loader = loader.clone();
            let thread = std::thread::spawn(move || {
                for indices in mine {
                    // Nobody listens any more when the epoch was broken off.
                    if sender.send((loader.make(&indices), indices.len())).is_err() {
                        return;
                    }
                }
            });
            Worker {
                receiver,
                thread: Some(thread),
            }
        };
        Self {
            workers: (0..workers).map(worker).collect(),
            next: 0,
            left: batches.len(),
            progress,
        }
    }
}

impl<O> Iterator for Ahead<O> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let worker = &mut self.workers[self.next];
        let Ok((batch, samples)) = worker.receiver.recv() else {
            // It owes a batch and is gone: the batcher panicked, and so does whoever asked for it.
            match worker.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => unreachable!("a worker makes all its batches or panics"),
            }
        };
        self.next = (self.next + 1) % self.workers.len();
        self.progress.items_processed += samples;
        Some(batch)
    }
}

impl<O> DataLoaderIterator<O> for Ahead<O> {
    fn progress(&self) -> Progress {
        self.progress.clone()
    }
}
