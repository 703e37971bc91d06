//! The random generators of the samples of a batch.

use rand::{Rng, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The random generators of the samples of a batch, for one [`Augmentation`](crate::Augmentation).
///
/// A sample's generator depends on the sample's seed and on the place of the augmentation in its chain: not on the
/// other samples of the batch. So a sample is augmented in the same way in every batch that it could be in, and an
/// augmentation that is added at the end of a chain changes nothing of what the others draw.
///
/// ```
/// use burn_tricks_data::SampleSeeds;
/// use rand::RngExt as _;
///
/// let (batch, alone) = ([7, 8], [8]);
/// let of = |seeds: &[u64], sample| SampleSeeds::new(seeds, 0).generator(sample).random::<f64>();
/// assert_eq!(of(&batch, 1), of(&alone, 0), "seed 8 in both");
/// assert_ne!(of(&batch, 0), of(&batch, 1));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SampleSeeds<'a> {
    seeds: &'a [u64],
    place: u64,
}

impl<'a> SampleSeeds<'a> {
    /// Of samples with these seeds, for the augmentation at a `place` of a chain, counted from 0.
    pub fn new(seeds: &'a [u64], place: usize) -> Self {
        Self {
            seeds,
            place: place as u64,
        }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.seeds.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.seeds.is_empty()
    }

    /// The random generator of a sample, at its beginning.
    ///
    /// # Panics
    ///
    /// If there are not more than `sample` samples.
    pub fn generator(&self, sample: usize) -> impl Rng + use<> {
        // Stream 0 is that of whoever seeds a generator with the sample's seed itself.
        let mut generator = ChaCha8Rng::seed_from_u64(self.seeds[sample]);
        generator.set_stream(self.place + 1);
        generator
    }

    /// The random generators of all samples.
    pub fn generators(&self) -> impl Iterator<Item = impl Rng + use<>> + use<'a> {
        let seeds = *self;
        (0..seeds.len()).map(move |sample| seeds.generator(sample))
    }

    /// A random generator for what the whole batch shares, from the seed of its first sample, with a stream of its own.
    pub(crate) fn batch_generator(&self) -> Option<impl Rng + use<>> {
        let mut generator = ChaCha8Rng::seed_from_u64(*self.seeds.first()?);
        generator.set_stream(!self.place);
        Some(generator)
    }

    /// # Panics
    ///
    /// If a batch of so many images is not a batch of these samples.
    pub(crate) fn assert_len(&self, images: usize) {
        let samples = self.len();
        assert_eq!(
            images, samples,
            "a batch of {samples} samples must have one image each, got {images} images"
        );
    }
}
