//! What is wrong with a checkpoint that is not complete.

use std::fmt::Display;
use std::path::PathBuf;

/// What is wrong with a checkpoint that is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// A file of the checkpoint is missing.
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file of the checkpoint is truncated or changed, or is not a checkpoint of the step or epoch in its name.
    NotWhole {
        /// The file.
        path: PathBuf,
    },
}

impl Display for Damage {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { path } => write!(f, "{} is missing", path.display()),
            Self::NotWhole { path } => {
                write!(
                    f,
                    "{} is damaged, or is not a checkpoint of the step or epoch in its name",
                    path.display()
                )
            }
        }
    }
}
