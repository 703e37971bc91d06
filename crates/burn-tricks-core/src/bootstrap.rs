//! Bootstrap samples of a data set.

/// A bootstrap sample of a data set: as many samples as there are, drawn with replacement. Bagging trains each member of
/// an ensemble on one of its own.
///
/// About 63 % of the samples are in it, some of them several times; the others are out of the bag, and validate the
/// member.
///
/// ```
/// use burn_tricks_core::Bootstrap;
///
/// let sample = Bootstrap::new(1_000, 7);
/// assert_eq!(sample.indices().len(), 1_000);
/// let outside = sample.out_of_bag();
/// assert!((300..440).contains(&outside.len())); // 1,000 / e is 368
/// assert!(outside.iter().all(|index| !sample.indices().contains(index)));
/// assert_eq!(sample, Bootstrap::new(1_000, 7));
/// ```
///
/// With Burn's data sets: `SelectionDataset::from_indices_checked(dataset, sample.indices().to_vec())`.
///
/// # References
///
/// - Breiman, *Bagging predictors*, 1996, <https://doi.org/10.1007/BF00058655>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    indices: Vec<usize>,
}

impl Bootstrap {
    /// The sample of a data set of `samples` samples that belongs to `seed`. It is drawn on the host, and the same on every
    /// machine.
    pub fn new(samples: usize, seed: u64) -> Self {
        // Seeds that differ by what the generator adds to its state at each draw, as those of an ensemble's members do, would
        // otherwise give the same draws, shifted by one.
        let mut state = seed;
        state = split_mix(&mut state);
        let indices = (0..samples).map(|_| below(&mut state, samples as u64));
        Self {
            indices: indices.collect(),
        }
    }

    /// The indices of the samples, in the order in which they were drawn.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The indices that were not drawn, in ascending order.
    pub fn out_of_bag(&self) -> Vec<usize> {
        let mut drawn = vec![false; self.indices.len()];
        for index in &self.indices {
            drawn[*index] = true;
        }
        let outside = drawn.iter().enumerate().filter(|(_, drawn)| !**drawn);
        outside.map(|(index, _)| index).collect()
    }
}

/// A uniform number below `count`, by Lemire's method: the upper half of a product, without the few lower halves that
/// would make some numbers more frequent.
fn below(state: &mut u64, count: u64) -> usize {
    let unfair = count.wrapping_neg() % count;
    loop {
        let product = u128::from(split_mix(state)) * u128::from(count);
        if product as u64 >= unfair {
            return (product >> 64) as usize;
        }
    }
}

/// The next number of Steele, Lea and Flood's SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the reference implementation (<https://prng.di.unimi.it/splitmix64.c>) for the seed 1234567.
    #[test]
    fn the_generator_is_split_mix() {
        let mut state = 1_234_567;
        let numbers: Vec<u64> = (0..3).map(|_| split_mix(&mut state)).collect();
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn each_sample_is_drawn_as_often_as_any_other() {
        let mut counts = [0_u32; 7];
        for seed in 0..20_000 {
            for index in Bootstrap::new(7, seed).indices {
                counts[index] += 1;
            }
        }
        // Binomial: 140,000 draws of probability 1/7, five standard deviations.
        let deviation = (140_000.0_f64 / 7.0 * 6.0 / 7.0).sqrt();
        for count in counts {
            assert!(
                (f64::from(count) - 20_000.0).abs() < 5.0 * deviation,
                "{counts:?}"
            );
        }
        assert!(Bootstrap::new(0, 1).indices().is_empty());
        assert_ne!(Bootstrap::new(50, 1), Bootstrap::new(50, 2));
    }
}
