//! Why runs cannot be compared.

use std::{error::Error, fmt};

/// Why runs cannot be compared; see [`Comparison::init`](crate::Comparison::init).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompareError {
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
    /// There is no run of a variant at all.
    NoRuns {
        /// The variant.
        variant: String,
    },
    /// Of a variant and its baseline, one lacks a run for a seed that the other has.
    MissingRun {
        /// Which of the two lacks the run.
        variant: String,
        /// The seed.
        seed: u64,
        /// Which of the two has it.
        paired_with: String,
    },
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            Self::NoRuns { variant } => write!(f, "{variant:?} has no runs"),
            Self::MissingRun {
                variant,
                seed,
                paired_with,
            } => write!(
                f,
                "{variant:?} has no run with seed {seed}, but {paired_with:?}, with which it is \
                 paired, has one"
            ),
        }
    }
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
impl std::fmt::Debug for CompareError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error for CompareError {}
