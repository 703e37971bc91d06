//! What is wrong with a checkpoint that is not complete.

use std::fmt::Display;
use std::path::PathBuf;

/// What is wrong with a checkpoint that is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// Its file was removed while the folder was read.
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Its file is truncated or changed, or is not a checkpoint of the step in its name.
    NotWhole {
        /// The file.
        path: PathBuf,
    },
}

impl Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { path } => write!(f, "{} is not there", path.display()),
            Self::NotWhole { path } => {
                write!(f, "{} is damaged or not a checkpoint", path.display())
            }
        }
    }
}
