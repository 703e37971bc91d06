//! Percentile intervals from resampling.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::statistics::interval::Interval;

/// The resamples, and the seed from which they are drawn.
const RESAMPLES: usize = 2000;
const SEED: u64 = 0xB007_5712;

/// A statistic of `values` with the 95 % percentile interval over 2,000 resamples drawn with a fixed
/// seed. Fewer than two values have no interval.
pub fn bootstrap_95(values: &[f64], statistic: fn(&[f64]) -> f64) -> Interval {
    let mean = statistic(values);
    if values.len() < 2 {
        return Interval {
            mean,
            ..Interval::UNKNOWN
        };
    }
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut resample = vec![0.0; values.len()];
    let mut found = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        for value in &mut resample {
            // The product's upper half: uniform up to 2⁻⁶⁴ · n.
            let at = (u128::from(random.next_u64()) * values.len() as u128) >> 64;
            *value = values[at as usize];
        }
        found.push(statistic(&resample));
    }
    found.sort_by(f64::total_cmp);
    Interval {
        mean,
        low: percentile(&found, 0.025),
        high: percentile(&found, 0.975),
    }
}

/// With linear interpolation, as NumPy's default.
fn percentile(ascending: &[f64], share: f64) -> f64 {
    let place = share * (ascending.len() - 1) as f64;
    let below = ascending[place.floor() as usize];
    let above = ascending[place.ceil() as usize];
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::moments::{interquartile_mean, mean, probability_of_improvement};

    const VALUES: [f64; 14] = [
        2.0, 2.0, 6.0, 5.0, 9.0, 5.0, 1.0, 2.0, 7.0, 2.0, 3.0, 7.0, 5.0, 1.0,
    ];

    #[test]
    fn the_percentile_interval_is_near_that_of_scipy() {
        // scipy.stats.bootstrap(method="percentile", n_resamples=200_000), and rliable's interval.
        let interval = bootstrap_95(&VALUES, mean);
        assert!((interval.low - 2.857).abs() < 0.15, "{interval:?}");
        assert!((interval.high - 5.429).abs() < 0.15, "{interval:?}");
        let middle = bootstrap_95(&VALUES, interquartile_mean);
        assert!((middle.low - 2.25).abs() < 0.2, "{middle:?}");
        assert!((middle.high - 5.75).abs() < 0.3, "{middle:?}");
    }

    #[test]
    fn it_is_the_same_again_and_one_value_has_no_interval() {
        let again = || bootstrap_95(&VALUES, probability_of_improvement);
        assert_eq!(again(), again());
        assert_eq!((again().low, again().high), (1.0, 1.0));
        let one = bootstrap_95(&[3.0], mean);
        assert!(one.mean == 3.0 && one.low.is_nan() && one.high.is_nan());
    }
}
