//! Why predictions cannot be calibrated.

use std::fmt::Display;

/// Why predictions cannot be calibrated. Samples count from 0.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum CalibrationError {
    /// There is no sample, or there are fewer than two classes.
    Empty {
        /// The number of samples.
        samples: usize,
        /// The number of classes.
        classes: usize,
    },
    /// There are not as many classes as samples.
    Count {
        /// The number of predictions.
        predictions: usize,
        /// The number of true classes.
        classes: usize,
    },
    /// A true class is none of the columns.
    Class {
        /// The sample.
        sample: usize,
        /// Its class.
        class: i64,
        /// The number of columns.
        columns: usize,
    },
    /// A score is NaN or infinite, or that of the true class is −∞.
    Score {
        /// The sample.
        sample: usize,
        /// The score.
        score: f64,
    },
    /// A row is no distribution of probabilities.
    Probabilities {
        /// The sample.
        sample: usize,
        /// The sum of its row.
        sum: f64,
    },
    /// Each sample is classified right, so the likelihood rises without end as the temperature falls to 0.
    AllRight,
    /// The scores of the true classes are no higher than the mean scores, so the likelihood rises without end as the
    /// temperature rises.
    NoBetterThanChance,
}

impl Display for CalibrationError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty { samples, classes } => write!(
                f,
                "at least one sample and two classes are needed, got {samples} and {classes}"
            ),
            Self::Count {
                predictions,
                classes,
            } => write!(
                f,
                "there must be a true class for each prediction, got {classes} for {predictions}"
            ),
            Self::Class {
                sample,
                class,
                columns,
            } => write!(
                f,
                "sample {sample} is of class {class}, and there are {columns} columns"
            ),
            Self::Score { sample, score } => {
                write!(f, "sample {sample} has a score of {score}")
            }
            Self::Probabilities { sample, sum } => write!(
                f,
                "the probabilities of sample {sample} must lie in [0, 1] and add up to 1, got a sum of {sum}"
            ),
            Self::AllRight => write!(
                f,
                "each sample is classified right, so that no temperature above 0 is the best: validate on more samples"
            ),
            Self::NoBetterThanChance => write!(
                f,
                "the scores are no better than chance on these samples, so that no finite temperature is the best"
            ),
        }
    }
}

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for CalibrationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CalibrationError {}
