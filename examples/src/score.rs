//! How well probabilities fit labels.

use burn::tensor::Tensor;

/// The score of a set of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The share of samples whose most probable class is the right one.
    pub accuracy: f64,
    /// The mean negative logarithm of the right class's probability, which counts as 1e-7 at least.
    pub loss: f64,
}

/// As in "accuracy 97.2 %, loss 0.067".
impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "accuracy {:.1} %, loss {:.3}",
            100.0 * self.accuracy,
            self.loss
        )
    }
}

impl Score {
    /// The score of `probabilities`, `[samples, classes]`, each row of sum 1. Reads the device.
    pub fn of(probabilities: Tensor<2>, labels: &[u8]) -> Self {
        let [samples, classes] = probabilities.dims();
        assert_eq!(samples, labels.len(), "one label per row");
        let values: Vec<f64> = probabilities.into_data().iter::<f64>().collect();
        let (mut right, mut loss) = (0usize, 0.0);
        for (row, label) in values.chunks(classes).zip(labels) {
            let probability = row[usize::from(*label)];
            // NaN stays NaN, and is right of nothing.
            loss -= if probability < 1e-7 {
                1e-7f64
            } else {
                probability
            }
            .ln();
            let best = row.iter().copied().fold(f64::NAN, f64::max);
            let first = row.iter().position(|value| *value == best);
            right += usize::from(first == Some(usize::from(*label)));
        }
        Self {
            accuracy: right as f64 / samples as f64,
            loss: loss / samples as f64,
        }
    }

    /// What is scored on the labels `test` without a model: the accuracy of predicting the commonest
    /// class of the labels `train` (of several, the first), the loss of predicting their frequencies.
    pub fn without_model(train: &[u8], test: &[u8]) -> Self {
        let mut counts = [0usize; 256];
        for label in train {
            counts[usize::from(*label)] += 1;
        }
        let most = counts.iter().max();
        let commonest = counts.iter().position(|count| Some(count) == most);
        let is_commonest = |label: &&u8| Some(usize::from(**label)) == commonest;
        let loss = |label: &u8| {
            let frequency = counts[usize::from(*label)] as f64 / train.len() as f64;
            -frequency.max(1e-7).ln()
        };
        let samples = test.len() as f64;
        Self {
            accuracy: test.iter().filter(is_commonest).count() as f64 / samples,
            loss: test.iter().map(loss).sum::<f64>() / samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn accuracy_and_loss_are_means_over_samples() {
        let rows = Tensor::<2>::from_data([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], &Device::flex());
        let score = Score::of(rows, &[0, 1]);
        assert_eq!(score.accuracy, 0.5);
        let expected = -(0.5f64.ln() + 0.1f64.ln()) / 2.0;
        assert!((score.loss - expected).abs() < 1e-6, "{score:?}");
    }

    #[test]
    fn without_a_model_the_class_frequencies_predict() {
        let score = Score::without_model(&[2, 2, 0, 7], &[2, 0, 0, 1]);
        assert_eq!(score.accuracy, 0.25);
        let expected = -(0.5f64.ln() + 2.0 * 0.25f64.ln() + 1e-7f64.ln()) / 4.0;
        assert!((score.loss - expected).abs() < 1e-12, "{score:?}");
    }

    #[test]
    fn a_probability_of_zero_is_finite_and_a_nan_is_wrong() {
        let rows = Tensor::<2>::from_data([[0.0, 1.0]], &Device::flex());
        assert!((Score::of(rows, &[0]).loss - 16.118).abs() < 1e-3);
        let rows = Tensor::<2>::from_data([[f32::NAN, f32::NAN]], &Device::flex());
        let score = Score::of(rows, &[0]);
        assert!(score.loss.is_nan() && score.accuracy == 0.0, "{score:?}");
    }
}
