//! A sample, and the seed for its random augmentation.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A sample, and the seed for its random augmentation: what a batcher of
/// `burn_tricks_train::EpochLoaderConfig::init_seeded` gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeded<I> {
    /// The sample.
    pub item: I,
    /// A number that depends only on the loader's seed, the epoch and the sample's index in the dataset: not on the
    /// batch, the slice, the worker or earlier random numbers. Where samples are [drawn](crate::Draws) by weight or as a
    /// bootstrap sample, the number of the draw takes the place of the index, so that a sample that is drawn twice has
    /// two seeds.
    pub seed: u64,
}

impl<I> Seeded<I> {
    /// The sample at `index` in an epoch, with its [`sample_seed`].
    pub fn new(item: I, loader_seed: u64, epoch: usize, index: usize) -> Self {
        let seed = sample_seed(loader_seed, epoch, index);
        Self { item, seed }
    }
}

/// The seed for the random augmentation of the sample at `index` in an epoch, in a loop that makes its batches
/// itself. It is a position in ChaCha's key stream, which can be reached directly, without the seeds before it.
pub fn sample_seed(loader_seed: u64, epoch: usize, index: usize) -> u64 {
    // Not the generator of the orders, which has the same stream.
    let mut generator = ChaCha8Rng::seed_from_u64(!loader_seed);
    generator.set_stream(epoch as u64);
    generator.set_word_pos(2 * index as u128);
    generator.next_u64()
}
