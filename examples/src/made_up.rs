//! Samples that are computed, the same each time.

use crate::data::Samples;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::f32::consts::PI;

/// Steps of a sequence of the adding problem: of 30, no recipe learns it in 30 epochs.
pub const STEPS: usize = 10;
/// Its sequences.
const SEQUENCES: usize = 2000;
/// Rows of Friedman's problem.
const ROWS: usize = 1000;
/// Characters of a sample of text.
const WINDOW: usize = 32;
/// A text that everybody knows.
const TEXT: &str = include_str!("../../LICENSE-APACHE");

/// The adding problem (Hochreiter & Schmidhuber, 1997, *Long short-term memory*): each step has a number
/// from [0, 1) and a mark, which is 1 at one step of either half and 0 elsewhere; to predict is the sum of the
/// two marked numbers. Predicting the mean, 1, has an RMSE of √(1/6) = 0.41.
pub fn adding() -> Samples {
    let mut random = ChaCha8Rng::seed_from_u64(1997);
    let mut samples = Samples {
        features: 2 * STEPS,
        ..Samples::default()
    };
    for _ in 0..SEQUENCES {
        let marked = [
            random.random_range(0..STEPS / 2),
            random.random_range(STEPS / 2..STEPS),
        ];
        let mut sum = 0.0;
        for step in 0..STEPS {
            let number: f32 = random.random();
            let is_marked = marked.contains(&step);
            sum += if is_marked { number } else { 0.0 };
            samples.pixels.extend([number, f32::from(is_marked)]);
        }
        samples.numbers.push(sum);
    }
    samples
}

/// Friedman's first problem (1991, *Multivariate adaptive regression splines*, Ann. Stat. 19:1): ten columns
/// from [0, 1), of which `10 sin(π x₁ x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅` follows, and noise of variance 1. No
/// model can be expected to have an RMSE below 1; predicting the mean has one of about 5.
pub fn friedman() -> Samples {
    let mut random = ChaCha8Rng::seed_from_u64(1991);
    let mut samples = Samples {
        features: 10,
        ..Samples::default()
    };
    for _ in 0..ROWS {
        let x: [f32; 10] = std::array::from_fn(|_| random.random());
        // Box and Muller's transform of two numbers, the first from (0, 1].
        let [u, v] = [1.0 - random.random::<f32>(), random.random()];
        let noise = (-2.0 * u.ln()).sqrt() * (2.0 * PI * v).cos();
        let curved = 10.0 * (PI * x[0] * x[1]).sin() + 20.0 * (x[2] - 0.5).powi(2);
        samples
            .numbers
            .push(curved + 10.0 * x[3] + 5.0 * x[4] + noise);
        samples.pixels.extend(x);
    }
    samples
}

/// Windows of a text, each with what follows each of its characters, and the number of different
/// characters. Windows do not overlap.
pub fn characters() -> (Samples, usize) {
    let text: Vec<char> = TEXT.chars().collect();
    let mut vocabulary = text.clone();
    vocabulary.sort_unstable();
    vocabulary.dedup();
    let number = |character: &char| vocabulary.binary_search(character).unwrap_or(0) as u8;
    let text: Vec<u8> = text.iter().map(number).collect();
    let mut samples = Samples {
        features: WINDOW,
        ..Samples::default()
    };
    for window in text.windows(WINDOW + 1).step_by(WINDOW) {
        samples
            .pixels
            .extend(window[..WINDOW].iter().copied().map(f32::from));
        samples.labels.extend(&window[1..]);
    }
    (samples, vocabulary.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_that_of_the_marked_numbers() {
        let adding = adding();
        assert_eq!((adding.len(), adding.numbers.len()), (SEQUENCES, SEQUENCES));
        for (row, sum) in adding.pixels.chunks(2 * STEPS).zip(&adding.numbers) {
            let marked: Vec<usize> = (0..STEPS).filter(|at| row[2 * at + 1] == 1.0).collect();
            assert!(marked.len() == 2 && marked[0] < STEPS / 2 && marked[1] >= STEPS / 2);
            assert_eq!(row[2 * marked[0]] + row[2 * marked[1]], *sum);
        }
    }

    #[test]
    fn friedmans_rows_follow_the_formula_up_to_noise() {
        let friedman = friedman();
        let noise = friedman
            .pixels
            .chunks(10)
            .zip(&friedman.numbers)
            .map(|(x, y)| {
                let curve = 10.0 * (PI * x[0] * x[1]).sin() + 20.0 * (x[2] - 0.5).powi(2);
                f64::from(y - curve - 10.0 * x[3] - 5.0 * x[4])
            });
        let noise: Vec<f64> = noise.collect();
        let mean = noise.iter().sum::<f64>() / ROWS as f64;
        let variance = noise.iter().map(|noise| noise * noise).sum::<f64>() / ROWS as f64;
        // Four standard errors of each.
        assert!(mean.abs() < 4.0 / (ROWS as f64).sqrt(), "{mean}");
        assert!(
            (variance - 1.0).abs() < 4.0 * (2.0 / ROWS as f64).sqrt(),
            "{variance}"
        );
    }

    #[test]
    fn what_follows_a_character_is_the_next_one() {
        let (characters, vocabulary) = characters();
        assert_eq!(characters.labels.len(), characters.pixels.len());
        assert!(
            characters
                .labels
                .iter()
                .all(|label| usize::from(*label) < vocabulary)
        );
        let next = characters.labels.iter().map(|label| f32::from(*label));
        let next: Vec<f32> = next.collect();
        for (at, pair) in characters.pixels.windows(2).enumerate() {
            assert_eq!(pair[1], next[at], "{at}");
        }
    }
}
