//! A data loader whose order is a function of the seed and the epoch.

use crate::data::batch_samples::{BatchSamples, Counted};
use crate::data::epoch_batches::{Ahead, Here};
use crate::data::epoch_clock::EpochClock;
use crate::data::epoch_loader_config::EpochLoaderConfig;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::Device;
use burn_tricks_core::ConfigError;
use burn_tricks_data::Seeded;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Loads the sample at an index, in an epoch.
pub(crate) type Get<I> = dyn Fn(usize, u64) -> Result<I, DatasetError> + Send + Sync;

/// A loader made by [`EpochLoaderConfig::init`] or [`init_seeded`](EpochLoaderConfig::init_seeded), for Burn's
/// training or a hand-written loop.
pub struct EpochLoader<I, O> {
    config: EpochLoaderConfig,
    get: Arc<Get<I>>,
    batcher: Arc<dyn Batcher<I, O>>,
    device: Device,
    clock: EpochClock,
    /// The number of passes begun, which count as epochs as long as the clock is not set.
    passes: AtomicUsize,
    /// The samples that this loader has, before shuffling.
    indices: Vec<usize>,
    /// The sizes of the batches it gives, shared with its slices and its copies for other devices.
    given: BatchSamples,
}

impl EpochLoaderConfig {
    /// The loader of `dataset`. Its batches are made on `device`, until Burn moves the loader to another device.
    ///
    /// # Errors
    ///
    /// If `batch_size` is 0, or if with `drop_last` there are fewer samples than one batch takes.
    pub fn init<I, O>(
        &self,
        dataset: impl Dataset<I> + 'static,
        batcher: impl Batcher<I, O> + 'static,
        device: &Device,
        clock: &EpochClock,
    ) -> Result<Arc<EpochLoader<I, O>>, ConfigError>
    where
        I: Send + Sync + 'static,
        O: Send + 'static,
    {
        let samples = dataset.len();
        let get = move |index, _epoch| dataset.get(index);
        self.loader(samples, get, batcher, device, clock)
    }

    /// As [`init`](Self::init), with a seed for each sample and epoch, so that random augmentation is the same when
    /// the run is resumed, with any number of workers. See [Augmentation](Self#augmentation).
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init).
    pub fn init_seeded<I, O>(
        &self,
        dataset: impl Dataset<I> + 'static,
        batcher: impl Batcher<Seeded<I>, O> + 'static,
        device: &Device,
        clock: &EpochClock,
    ) -> Result<Arc<EpochLoader<Seeded<I>, O>>, ConfigError>
    where
        I: Send + Sync + 'static,
        O: Send + 'static,
    {
        let samples = dataset.len();
        let loader_seed = self.seed;
        let get = move |index, epoch| {
            let item = dataset.get(index)?;
            Ok(Seeded::new(item, loader_seed, epoch, index))
        };
        self.loader(samples, get, batcher, device, clock)
    }

    fn loader<I, O>(
        &self,
        samples: usize,
        get: impl Fn(usize, u64) -> Result<I, DatasetError> + Send + Sync + 'static,
        batcher: impl Batcher<I, O> + 'static,
        device: &Device,
        clock: &EpochClock,
    ) -> Result<Arc<EpochLoader<I, O>>, ConfigError>
    where
        I: Send + Sync + 'static,
        O: Send + 'static,
    {
        ConfigError::at_least_one("batch_size", self.batch_size)?;
        if self.drop_last && samples < self.batch_size {
            let requirement =
                "be at most the number of samples with `drop_last`, or no batch is left";
            let got = format_args!("{} of {samples} samples", self.batch_size);
            return Err(ConfigError::new("batch_size", requirement, got));
        }
        clock.add_loader(self.description(samples));
        let (get, batcher) = (Arc::new(get), Arc::new(batcher));
        let loader = EpochLoader::new(self.clone(), samples, get, batcher, device, clock);
        Ok(Arc::new(loader))
    }

    /// Everything that the batches depend on besides the samples themselves, as JSON.
    fn description(&self, items: usize) -> String {
        let mut fields = serde_json::json!(self);
        if let Some(fields) = fields.as_object_mut() {
            fields.remove("workers"); // any number of them makes the same batches
            fields.insert("items".to_owned(), items.into());
        }
        fields.to_string()
    }
}

impl<I, O> Debug for EpochLoader<I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EpochLoader")
            .field("config", &self.config)
            .field("clock", &self.clock)
            .field("items", &self.indices.len())
            .finish_non_exhaustive()
    }
}

impl<I, O> Clone for EpochLoader<I, O> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            get: self.get.clone(),
            batcher: self.batcher.clone(),
            device: self.device.clone(),
            clock: self.clock.clone(),
            passes: AtomicUsize::new(self.passes.load(SeqCst)),
            indices: self.indices.clone(),
            given: self.given.clone(),
        }
    }
}

impl<I, O> EpochLoader<I, O> {
    /// A loader of all of `samples` samples, by a configuration that was checked.
    pub(crate) fn new(
        config: EpochLoaderConfig,
        samples: usize,
        get: Arc<Get<I>>,
        batcher: Arc<dyn Batcher<I, O>>,
        device: &Device,
        clock: &EpochClock,
    ) -> Self {
        Self {
            config,
            get,
            batcher,
            device: device.clone(),
            clock: clock.clone(),
            passes: AtomicUsize::new(0),
            indices: (0..samples).collect(),
            given: BatchSamples::default(),
        }
    }

    /// The clock by which it orders its samples.
    pub fn clock(&self) -> &EpochClock {
        &self.clock
    }

    /// The sizes of the batches in training.
    pub(crate) fn given(&self) -> BatchSamples {
        self.given.clone()
    }

    /// The first of its samples.
    fn first(&self) -> usize {
        self.indices.first().copied().unwrap_or(0)
    }

    /// The epoch of the pass that begins.
    fn next_pass(&self) -> u64 {
        let pass = self.passes.fetch_add(1, SeqCst) + 1;
        self.clock.get().unwrap_or(pass) as u64
    }

    /// The random generator of an epoch. It depends on the first sample of this loader, so that the slices of several
    /// devices neither shuffle nor draw alike.
    fn generator(&self, epoch: u64) -> ChaCha8Rng {
        let first = self.first();
        let mut generator = ChaCha8Rng::seed_from_u64(self.config.seed);
        generator.set_stream(epoch ^ (first as u64).rotate_right(32));
        generator
    }

    /// Samples in an epoch.
    fn kept(&self) -> usize {
        let samples = self.indices.len();
        if self.config.drop_last {
            samples - samples % self.config.batch_size
        } else {
            samples
        }
    }

    fn batches(&self, mut generator: ChaCha8Rng) -> Vec<Vec<usize>> {
        let mut order = self.indices.clone();
        if self.config.shuffle {
            order.shuffle(&mut generator);
        }
        order.truncate(self.kept());
        let batches = order.chunks(self.config.batch_size);
        batches.map(<[usize]>::to_vec).collect()
    }

    fn make(&self, indices: &[usize], epoch: u64) -> Result<O, DatasetError> {
        let items = indices.iter().map(|index| (self.get)(*index, epoch));
        let items: Vec<I> = items.collect::<Result<_, _>>()?;
        Ok(self.batcher.batch(items, &self.device))
    }
}

impl<I: Send + Sync + 'static, O: Send + 'static> DataLoader<O> for EpochLoader<I, O> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<O> + 'a> {
        let epoch = self.next_pass();
        let mut generator = self.generator(epoch);
        let device_seed = generator.next_u64();
        if self.config.reseed_device {
            self.device.seed(device_seed);
        }
        let batches = self.batches(generator);
        let progress = Progress::new(0, self.kept(), Some("items".to_owned()));
        let inner: Box<dyn DataLoaderIterator<O> + 'a> = match self.config.workers {
            0 => Box::new(Here {
                make: move |indices: &[usize]| self.make(indices, epoch),
                batches: batches.into_iter(),
                progress,
            }),
            workers => {
                let loader = Arc::new(self.clone());
                let make = move |indices: &[usize]| loader.make(indices, epoch);
                Box::new(Ahead::new(make, batches, workers, progress))
            }
        };
        Box::new(Counted {
            inner,
            given: self.given(),
            device: self.device.clone(),
            part: self.first(),
        })
    }

    fn num_items(&self) -> usize {
        self.kept()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<O>> {
        Arc::new(Self {
            device: device.clone(),
            ..self.clone()
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<O>> {
        let samples = self.indices.len();
        // Burn divides `num_items` among the slices. Whoever has the last has the samples that an epoch of the
        // whole leaves out, which would else be in no epoch of any.
        let end = if end >= self.kept() { samples } else { end };
        let slice = Self {
            indices: self.indices[start.min(end)..end].to_vec(),
            ..self.clone()
        };
        let left = slice.indices.len();
        assert!(
            slice.kept() > 0 || left == 0,
            "a slice of {left} samples has no batch of {}, and `drop_last` leaves out shorter ones: \
             make `batch_size` smaller, it is that of each device",
            self.config.batch_size
        );
        Arc::new(slice)
    }
}
