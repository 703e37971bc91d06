//! The configuration of the data loader whose order is a function of the seed and the epoch.

use burn_tricks_core::Config;
use burn_tricks_data::Draws;

/// Configuration of [`EpochLoader`](crate::EpochLoader), a data loader whose order is a function of the seed and the epoch.
///
/// Burn's loaders shuffle with a random generator that advances from epoch to epoch and cannot be saved: a resumed
/// run gets the orders of the first epochs again. With several workers, their batches come in the order in which the
/// workers finish. With this loader each epoch has one order, in every pass, after any number of restarts and with
/// any number of workers.
///
/// # Example
///
/// ```
/// use burn::data::dataloader::{DataLoader, batcher::Batcher};
/// use burn::data::dataset::InMemDataset;
/// use burn::tensor::Device;
/// use burn_tricks_train::{EpochClock, EpochLoaderConfig};
/// use std::sync::Arc;
///
/// #[derive(Clone)]
/// struct Numbers;
///
/// impl Batcher<u32, Vec<u32>> for Numbers {
///     fn batch(&self, items: Vec<u32>, _device: &Device) -> Vec<u32> {
///         items
///     }
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let clock = EpochClock::new();
/// let dataset = InMemDataset::new((0..10).collect());
/// let loader = EpochLoaderConfig::new(4, 42) // batches of 4, seed 42
///     .with_workers(2)
///     .init(dataset, Numbers, &Device::flex(), &clock)?;
/// clock.set(1);
/// let epoch = || -> Vec<Vec<u32>> { loader.iter().map(|batch| batch.unwrap()).collect() };
/// let first = epoch();
/// assert_eq!(first, epoch(), "the same epoch");
/// clock.set(2);
/// assert_ne!(first, epoch(), "the next");
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Pass the loader to [`Session::new`](crate::Session::new), which takes the clock from it, or to Burn's
/// `SupervisedTraining::new`. Several loaders may share a clock. As long as the clock is not set, each pass through the
/// loader counts as the next epoch: the orders are right in a run from its beginning, but not in a resumed run.
/// Therefore a resumable session refuses to launch without a clock. A hand-written loop sets the clock itself.
///
/// At the start of each epoch the loader also seeds the device ([`EpochLoaderConfig::reseed_device`]), so that
/// dropout draws the same masks as in an uninterrupted run. The seed is computed from the loader's seed, the epoch
/// and, for the slice of one of several devices, its first sample, so that slices do not draw alike. Burn has one
/// random generator per backend and process, so run one training at a time.
///
/// With [`drop_last`](EpochLoaderConfig::drop_last), `num_items`, the progress and the last accumulation of Burn's
/// `Learner` count only the samples that are kept. The number of steps of a run is
/// `Run::of_batches(epochs, loader.num_items(), batch_size, accumulate)`.
///
/// # Weighted and bootstrap samples
///
/// With [`Draws::class_balanced`] each class is drawn equally often, whatever its number of samples:
///
/// ```
/// use burn_tricks_data::Draws;
/// use burn_tricks_train::EpochLoaderConfig;
///
/// let labels = [0, 0, 0, 1]; // of the samples in the order of the dataset
/// let config = EpochLoaderConfig::new(128, 42).with_draws(Draws::class_balanced(labels));
/// ```
///
/// Every epoch then has as many draws as the dataset has samples, and each of several devices has a part of them. The
/// seed of a sample, for its augmentation, is that of its place in the list of draws: a sample that is drawn twice in
/// an epoch is augmented in two ways.
///
/// # Augmentation
///
/// [`burn_tricks_data::Augmentations`] has mixup, cutmix, erasing, crops and flips of whole batches. For your own:
/// Burn's `Mapper` and `Batcher` get neither the epoch nor the index of a sample. If they draw random numbers from
/// `rand::rng()`, from a generator of their own or, with workers, from the device, a resumed run gets other numbers.
/// [`init_seeded`](EpochLoaderConfig::init_seeded) gives the batcher each sample with a seed:
///
/// ```
/// use burn::data::dataloader::{DataLoader, batcher::Batcher};
/// use burn::data::dataset::InMemDataset;
/// use burn::tensor::Device;
/// use burn_tricks_train::{EpochClock, EpochLoaderConfig, Seeded};
/// use rand::{RngExt as _, SeedableRng as _};
/// use rand_chacha::ChaCha8Rng;
///
/// struct Jittered;
///
/// impl Batcher<Seeded<f32>, Vec<f32>> for Jittered {
///     fn batch(&self, items: Vec<Seeded<f32>>, _device: &Device) -> Vec<f32> {
///         let jittered = items.into_iter().map(|Seeded { item, seed }| {
///             let mut generator = ChaCha8Rng::seed_from_u64(seed);
///             item + generator.random_range(-0.1..0.1)
///         });
///         jittered.collect()
///     }
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let clock = EpochClock::new();
/// let dataset = InMemDataset::new(vec![1.0, 2.0, 3.0]);
/// let loader = EpochLoaderConfig::new(2, 42)
///     .with_workers(2)
///     .init_seeded(dataset, Jittered, &Device::flex(), &clock)?;
/// clock.set(7); // the samples of epoch 7 do not depend on the epochs before
/// let epoch = || -> Vec<Vec<f32>> { loader.iter().map(|batch| batch.unwrap()).collect() };
/// assert_eq!(epoch(), epoch());
/// # Ok(())
/// # }
/// ```
///
/// | part of Burn's data loading | resumes exactly |
/// | --- | --- |
/// | `DataLoaderBuilder` with `shuffle` | no: its generator advances from epoch to epoch and is not saved |
/// | `SamplerDataset`, with or without `with_seed` | no: it draws anew at each `get`, in the order of the calls |
/// | `MapperDataset`, a `Batcher`, with `rand::rng()` or a generator of their own | no: see above |
/// | a `Batcher` that draws from the device (`Tensor::random`) | without workers, on a device that is seeded at each epoch |
/// | `ShuffledDataset`, `SelectionDataset` with a seed | yes: one order, drawn when it is made; without a seed, no |
/// | `PartialDataset`, `ComposedDataset`, `WindowsDataset`, a `MapperDataset` without random numbers | yes |
///
/// In place of a `SamplerDataset`, set [`draws`](Self::draws).
///
/// # Cost
///
/// A permutation of indices per epoch, and a list of the draws if they are weighted or a bootstrap sample. Each worker
/// is a thread that lives for one epoch, and makes at most three batches ahead.
///
/// # Differences
///
/// PyTorch's `DistributedSampler` needs a call of `set_epoch` in each epoch. PyTorch's `DataLoader` keeps the order
/// of batches with any number of workers, as here, and its `drop_last` is the same. PyTorch seeds the workers, so the
/// random numbers of augmentation depend on the number of workers; here augmentation is seeded per sample. If the
/// batcher panics in a worker, the panic occurs again where its batch is taken.
#[derive(Config, Debug, PartialEq)]
pub struct EpochLoaderConfig {
    /// Samples in a batch, at least 1; the last batch of an epoch may have fewer.
    pub batch_size: usize,
    /// The seed from which the orders of all epochs follow.
    pub seed: u64,
    /// Which samples an epoch has. Default: every sample once.
    #[config(default = "Draws::EachOnce")]
    pub draws: Draws,
    /// Whether samples are shuffled. Default: yes.
    #[config(default = true)]
    pub shuffle: bool,
    /// Whether the last batch of an epoch is left out if it is short: batch norm cannot train on a batch of one
    /// sample. With shuffling, each epoch leaves out other samples; without shuffling, always the last samples of the
    /// dataset. Each of several devices has batches of its own. A device with fewer samples than one batch would
    /// train on no sample, so the training does not begin (`slice` panics). Default: no.
    #[config(default = false)]
    pub drop_last: bool,
    /// Threads that make batches ahead. Default: 0, which makes each batch when it is needed, without a thread.
    #[config(default = 0)]
    pub workers: usize,
    /// Whether the device is seeded at the start of each epoch. Default: yes.
    #[config(default = true)]
    pub reseed_device: bool,
}

impl EpochLoaderConfig {
    /// A configuration for validation: every sample in the order of the dataset, without seeding the device.
    pub fn in_order(batch_size: usize) -> Self {
        Self::new(batch_size, 0)
            .with_shuffle(false)
            .with_reseed_device(false)
    }
}
