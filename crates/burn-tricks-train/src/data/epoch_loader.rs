//! A data loader whose order is a function of the seed and the epoch.

use crate::data::batch_samples::{BatchSamples, Counted, LastBatch};
use crate::data::epoch_batches::{Ahead, Here};
use crate::data::epoch_clock::EpochClock;
use crate::data::epoch_loader_config::EpochLoaderConfig;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::Device;
use burn_tricks_core::ConfigError;
use burn_tricks_data::{Draws, Seeded};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// A sample that an epoch has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn {
    /// Its index in the dataset.
    pub(crate) index: usize,
    /// Its place among the epoch's draws, before shuffling: the index, where each sample is drawn once.
    pub(crate) place: usize,
    pub(crate) epoch: usize,
}

/// Loads a sample.
pub(crate) type Get<I> = dyn Fn(Drawn) -> Result<I, DatasetError> + Send + Sync;

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
    /// The number of samples of the dataset.
    samples: usize,
    /// The places among the epoch's draws that this loader has, before shuffling. Where each sample is drawn once, a
    /// place is an index in the dataset.
    places: Vec<usize>,
    /// The sizes of the batches it gives, shared with its slices and its copies for other devices.
    given: BatchSamples,
    /// The batch that it gave last, shared likewise.
    last: LastBatch,
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
        let get = move |drawn: Drawn| dataset.get(drawn.index);
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
        let get = move |Drawn {
                            index,
                            place,
                            epoch,
                        }| {
            let item = dataset.get(index)?;
            Ok(Seeded::new(item, loader_seed, epoch, place))
        };
        self.loader(samples, get, batcher, device, clock)
    }

    fn loader<I, O>(
        &self,
        samples: usize,
        get: impl Fn(Drawn) -> Result<I, DatasetError> + Send + Sync + 'static,
        batcher: impl Batcher<I, O> + 'static,
        device: &Device,
        clock: &EpochClock,
    ) -> Result<Arc<EpochLoader<I, O>>, ConfigError>
    where
        I: Send + Sync + 'static,
        O: Send + 'static,
    {
        ConfigError::at_least_one("batch_size", self.batch_size)?;
        self.draws.check(samples)?;
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
            if let Draws::Weighted { weights } = &self.draws {
                // As many as there are samples.
                let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
                let checksum = crc32fast::hash(&bytes);
                fields.insert(
                    "draws".to_owned(),
                    format!("Weighted {checksum:08x}").into(),
                );
            }
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
            .field("items", &self.places.len())
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
            samples: self.samples,
            places: self.places.clone(),
            given: self.given.clone(),
            last: self.last.clone(),
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
            samples,
            places: (0..samples).collect(),
            given: BatchSamples::default(),
            last: LastBatch::default(),
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

    /// The batch that it gave last.
    pub(crate) fn last(&self) -> LastBatch {
        self.last.clone()
    }

    /// The first of its places.
    fn first(&self) -> usize {
        self.places.first().copied().unwrap_or(0)
    }

    /// The epoch of the pass that begins.
    fn next_pass(&self) -> usize {
        let pass = self.passes.fetch_add(1, SeqCst) + 1;
        self.clock.get().unwrap_or(pass)
    }

    /// The random generator of an epoch. It depends on the first sample of this loader, so that the slices of several
    /// devices neither shuffle nor draw alike.
    fn generator(&self, epoch: usize) -> ChaCha8Rng {
        let first = self.first();
        let mut generator = ChaCha8Rng::seed_from_u64(self.config.seed);
        generator.set_stream(epoch as u64 ^ (first as u64).rotate_right(32));
        generator
    }

    /// Samples in an epoch.
    fn kept(&self) -> usize {
        let samples = self.places.len();
        if self.config.drop_last {
            samples - samples % self.config.batch_size
        } else {
            samples
        }
    }

    fn batches(&self, mut generator: ChaCha8Rng) -> Vec<Vec<usize>> {
        let mut order = self.places.clone();
        if self.config.shuffle {
            order.shuffle(&mut generator);
        }
        order.truncate(self.kept());
        let batches = order.chunks(self.config.batch_size);
        batches.map(<[usize]>::to_vec).collect()
    }

    /// The indices of the epoch's draws, by their places, unless each place is its index.
    fn draws(&self, epoch: usize) -> Option<Arc<[usize]>> {
        let config = &self.config;
        if config.draws == Draws::EachOnce {
            return None;
        }
        let draws = config.draws.indices(self.samples, config.seed, epoch);
        Some(draws.expect("checked in `init`").into())
    }

    fn make(
        &self,
        places: &[usize],
        draws: Option<&[usize]>,
        epoch: usize,
    ) -> Result<O, DatasetError> {
        let items = places.iter().map(|place| {
            let (place, index) = (*place, draws.map_or(*place, |draws| draws[*place]));
            (self.get)(Drawn {
                index,
                place,
                epoch,
            })
        });
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
        let draws = self.draws(epoch);
        let progress = Progress::new(0, self.kept(), Some("items".to_owned()));
        let inner: Box<dyn DataLoaderIterator<O> + 'a> = match self.config.workers {
            0 => Box::new(Here {
                make: move |places: &[usize]| self.make(places, draws.as_deref(), epoch),
                batches: batches.into_iter(),
                progress,
            }),
            workers => {
                let loader = Arc::new(self.clone());
                let make = move |places: &[usize]| loader.make(places, draws.as_deref(), epoch);
                Box::new(Ahead::new(make, batches, workers, progress))
            }
        };
        Box::new(Counted {
            inner,
            given: self.given(),
            device: self.device.clone(),
            part: self.first(),
            last: self.last(),
            epoch,
            batches: 0,
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
        let samples = self.places.len();
        // Burn divides `num_items` among the slices. Whoever has the last has the samples that an epoch of the
        // whole leaves out, which would else be in no epoch of any.
        let end = if end >= self.kept() { samples } else { end };
        let slice = Self {
            places: self.places[start.min(end)..end].to_vec(),
            ..self.clone()
        };
        let left = slice.places.len();
        assert!(
            slice.kept() > 0 || left == 0,
            "a slice of {left} samples has no batch of {}, and `drop_last` leaves out shorter ones: \
             make `batch_size` smaller, it is that of each device",
            self.config.batch_size
        );
        Arc::new(slice)
    }
}
