//! Why models cannot be averaged.

use burn::store::RecordError;
use burn_tricks_core::Mismatch;
use std::fmt::Display;
use std::path::PathBuf;

/// Why models cannot be averaged. Models count from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AverageError {
    /// There is no model.
    Empty,
    /// A model has another architecture than the first.
    DifferentArchitecture {
        /// The model.
        model: usize,
        /// Where it differs.
        mismatch: Mismatch,
    },
    /// No model has a finite score.
    NoFiniteScore {
        /// The scores, in the order of the models.
        scores: Vec<String>,
    },
    /// A file cannot be read as a checkpoint of the model.
    File {
        /// The file.
        path: PathBuf,
        /// What Burn says.
        error: RecordError,
    },
}

impl Display for AverageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => write!(f, "an average needs at least one model, got none"),
            Self::DifferentArchitecture { model, mismatch } => {
                write!(f, "model {model} and model 0: {mismatch}")
            }
            Self::NoFiniteScore { scores } => {
                write!(
                    f,
                    "a soup needs a model with a finite score, got {}",
                    scores.join(", ")
                )
            }
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for AverageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::DifferentArchitecture { mismatch, .. } => Some(mismatch),
            Self::File { error, .. } => Some(error),
            _ => None,
        }
    }
}
