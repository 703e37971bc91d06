//! Why runs cannot be compared.

use std::{error::Error, fmt};

use crate::outcome::protocol::ProtocolError;

/// Why runs cannot be compared; see [`Comparison::init`](crate::Comparison::init).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompareError {
    /// The protocol makes no sense.
    Protocol(ProtocolError),
    /// Two recipes have the same name.
    DuplicateRecipe {
        /// The name.
        name: String,
    },
    /// A recipe's baseline is not the name of another recipe.
    UnknownBaseline {
        /// The recipe.
        recipe: String,
        /// What it names as its baseline.
        baseline: String,
    },
    /// A run is of a variant that no recipe describes.
    UnknownVariant {
        /// The variant.
        variant: String,
        /// Seed of the run.
        seed: u64,
    },
    /// There are two runs of a variant with the same seed.
    DuplicateRun {
        /// The variant.
        variant: String,
        /// The seed.
        seed: u64,
    },
    /// A run that did not fail lacks what the protocol asks for.
    NotMeasured {
        /// The variant.
        variant: String,
        /// The seed.
        seed: u64,
        /// The metric, or `arrival`.
        what: String,
    },
    /// A run that did not fail has a value that cannot be, such as a share above 1.
    Impossible {
        /// The variant.
        variant: String,
        /// The seed.
        seed: u64,
        /// What cannot be, in a sentence.
        what: String,
    },
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => write!(f, "{error}"),
            Self::DuplicateRecipe { name } => write!(f, "two recipes are named {name:?}"),
            Self::UnknownBaseline { recipe, baseline } => write!(
                f,
                "the baseline of {recipe:?} is {baseline:?}, which is not another recipe"
            ),
            Self::UnknownVariant { variant, seed } => write!(
                f,
                "the run with seed {seed} is of {variant:?}, which no recipe describes"
            ),
            Self::DuplicateRun { variant, seed } => {
                write!(f, "{variant:?} has two runs with seed {seed}")
            }
            Self::NotMeasured {
                variant,
                seed,
                what,
            } => write!(
                f,
                "the run of {variant:?} with seed {seed} does not say its {what:?}, which the protocol \
                 asks for"
            ),
            Self::Impossible {
                variant,
                seed,
                what,
            } => write!(f, "the run of {variant:?} with seed {seed}: {what}"),
        }
    }
}

as_displayed!(CompareError);

impl Error for CompareError {}

impl From<ProtocolError> for CompareError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}
