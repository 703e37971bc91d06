//! A sample, and the seed for its random augmentation.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A sample, and the seed for its random augmentation. See
/// [`EpochLoaderConfig::init_seeded`](crate::EpochLoaderConfig::init_seeded).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeded<I> {
    /// The sample.
    pub item: I,
    /// A number that depends only on the loader's seed, the epoch and the sample's index in the dataset: not on the
    /// batch, the slice, the worker or earlier random numbers.
    pub seed: u64,
}

impl<I> Seeded<I> {
    /// The sample at `index` in an epoch. Its seed is a position in ChaCha's key stream, which can be reached directly.
    pub(crate) fn new(item: I, loader_seed: u64, epoch: u64, index: usize) -> Self {
        // Not the generator of the orders, which has the same stream.
        let mut generator = ChaCha8Rng::seed_from_u64(!loader_seed);
        generator.set_stream(epoch);
        generator.set_word_pos(2 * index as u128);
        let seed = generator.next_u64();
        Self { item, seed }
    }
}
