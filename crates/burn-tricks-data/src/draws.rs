//! Which samples an epoch has.

use burn_tricks_core::{Bootstrap, ConfigError};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::fmt::Arguments;

/// Which samples an epoch has: each once, a bootstrap sample, or samples drawn by weight. It is a setting of
/// `burn_tricks_train::EpochLoaderConfig`; a loop of your own calls [`indices`](Self::indices).
///
/// Every epoch has as many draws as the dataset has samples. What is drawn depends on nothing but the seed and the
/// epoch.
///
/// # Example
///
/// Each class is drawn equally often, whatever its number of samples:
///
/// ```
/// use burn_tricks_data::Draws;
///
/// let labels = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]; // of the samples in the order of the dataset
/// let draws = Draws::class_balanced(labels);
/// let (seed, epoch) = (42, 1);
/// let of_epoch = draws.indices(labels.len(), seed, epoch)?;
/// assert_eq!(of_epoch.len(), 10); // about five times sample 9, the only one of class 1
/// # Ok::<(), burn_tricks_data::ConfigError>(())
/// ```
///
/// # Differences
///
/// [`Weighted`](Self::Weighted) is PyTorch's `WeightedRandomSampler` with replacement and as many draws as samples.
/// PyTorch has no distributed form of it; the slices of an epoch loader for several devices divide one list of draws
/// among them.
///
/// # Suggested values
///
/// Class-balanced draws show rare samples again and again: add augmentations, or take
/// [class weights](crate::balanced_class_weights) instead. One [`Bootstrap`](Self::Bootstrap) for each member of a
/// bagged ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Draws {
    /// Every sample once.
    EachOnce,
    /// The samples of [`Bootstrap::new`] for this seed: the same in every epoch of the run.
    Bootstrap {
        /// The seed of the bootstrap sample, not that of the order.
        seed: u64,
    },
    /// Draws with replacement, new ones in each epoch: a sample is drawn with a probability in proportion to its
    /// weight.
    Weighted {
        /// A weight of at least 0 for each sample, in the order of the dataset. Only their ratios matter.
        weights: Vec<f64>,
    },
}

impl Draws {
    /// Weighted draws in which each class that has samples is equally probable. `labels` are those of the samples, in
    /// the order of the dataset; any numbers will do.
    pub fn class_balanced(labels: impl IntoIterator<Item = usize>) -> Self {
        let labels: Vec<usize> = labels.into_iter().collect();
        let mut sorted = labels.clone();
        sorted.sort_unstable();
        // A list of counts by label would be as long as the largest label.
        let up_to = |label: usize| sorted.partition_point(|other| *other <= label);
        let below = |label: usize| sorted.partition_point(|other| *other < label);
        let weights = labels
            .iter()
            .map(|label| 1.0 / (up_to(*label) - below(*label)) as f64);
        Self::Weighted {
            weights: weights.collect(),
        }
    }

    /// Whether a dataset of so many samples can be drawn from.
    ///
    /// # Errors
    ///
    /// If the weights are not one finite number of at least 0 for each sample, with a positive sum.
    pub fn check(&self, samples: usize) -> Result<(), ConfigError> {
        let Self::Weighted { weights } = self else {
            return Ok(());
        };
        let requirement = "be one finite number of at least 0 for each sample, with a positive sum";
        let error = |got: Arguments<'_>| Err(ConfigError::new("weights", requirement, got));
        if weights.len() != samples {
            let count = weights.len();
            return error(format_args!("{count} weights for {samples} samples"));
        }
        let is_bad = |weight: &f64| !(weight.is_finite() && *weight >= 0.0);
        if let Some(at) = weights.iter().position(is_bad) {
            return error(format_args!("{:?} for sample {at}", weights[at]));
        }
        let sum: f64 = weights.iter().sum();
        if samples > 0 && !(sum.is_finite() && sum > 0.0) {
            return error(format_args!("a sum of {sum:?}"));
        }
        Ok(())
    }

    /// The indices of the samples of an epoch, in the order in which they are drawn.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    pub fn indices(
        &self,
        samples: usize,
        seed: u64,
        epoch: usize,
    ) -> Result<Vec<usize>, ConfigError> {
        self.check(samples)?;
        Ok(match self {
            Self::EachOnce => (0..samples).collect(),
            Self::Bootstrap { seed } => Bootstrap::new(samples, *seed).indices().to_vec(),
            Self::Weighted { weights } => by_weight(weights, seed, epoch),
        })
    }
}

/// As many indices as there are weights.
fn by_weight(weights: &[f64], seed: u64, epoch: usize) -> Vec<usize> {
    let mut sum = 0.0;
    let up_to = weights.iter().map(|weight| {
        sum += weight;
        sum
    });
    let up_to: Vec<f64> = up_to.collect();
    // Neither the generator of the orders nor that of the samples' seeds, which have the same stream.
    let mut generator = ChaCha8Rng::seed_from_u64(seed.rotate_left(32) ^ 0x5eed_d4a3);
    generator.set_stream(epoch as u64);
    let draws = weights.iter().map(|_| {
        // Below the sum also where the product is rounded up to it.
        let at = (generator.random::<f64>() * sum).min(sum.next_down());
        up_to.partition_point(|up_to| *up_to <= at)
    });
    draws.collect()
}
