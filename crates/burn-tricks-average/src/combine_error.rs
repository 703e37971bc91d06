//! Why several models cannot be combined.

use burn::store::RecordError;
use burn_tricks_core::{ConfigError, Mismatch};
use std::fmt::Display;
use std::path::PathBuf;

/// Why several models cannot be averaged, or be the members of an ensemble. Models count from 0.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum CombineError {
    /// There is no model.
    Empty,
    /// A model has another architecture than the first.
    DifferentArchitecture {
        /// The model.
        model: usize,
        /// The first difference.
        mismatch: Mismatch,
    },
    /// Two members of an ensemble hold the same parameter: one is a clone of the other, so an optimizer would
    /// train only one of them.
    SharedParameter {
        /// The path of the parameter in the later member.
        path: String,
        /// The earlier member.
        first: usize,
        /// The later member.
        second: usize,
    },
    /// The weights of an ensemble are not one number of at least 0 per member, with a positive sum.
    Config(ConfigError),
    /// No model has a finite score.
    NoFiniteScore {
        /// The scores, in the order of the models.
        scores: Vec<f64>,
    },
    /// A file cannot be read as a checkpoint of the model.
    File {
        /// The file.
        path: PathBuf,
        /// Burn's error.
        error: RecordError,
    },
}

impl Display for CombineError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => write!(f, "at least one model is needed, got none"),
            Self::DifferentArchitecture { model, mismatch } => {
                write!(
                    f,
                    "model {model} and model 0: {mismatch}: models that are combined must be made by one \
                     configuration"
                )
            }
            Self::SharedParameter {
                path,
                first,
                second,
            } => write!(
                f,
                "members {first} and {second} share the parameter `{path}`: is one a clone of the \
                 other?"
            ),
            Self::Config(error) => write!(f, "{error}"),
            Self::NoFiniteScore { scores } => {
                let scores: Vec<_> = scores.iter().map(|score| format!("{score:?}")).collect();
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

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for CombineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CombineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::DifferentArchitecture { mismatch, .. } => Some(mismatch),
            Self::Config(error) => Some(error),
            Self::File { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<ConfigError> for CombineError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
