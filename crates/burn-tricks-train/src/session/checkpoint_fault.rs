//! What is wrong with a checkpoint of a session.

use burn::store::RecordError;
use burn_tricks_checkpoint::Damage;
use burn_tricks_optim::OptimizerRecordError;
use std::fmt::Display;
use std::path::PathBuf;

/// What is wrong with a checkpoint of a session.
#[non_exhaustive]
pub enum CheckpointFault {
    /// One of its files is missing or damaged.
    Damage(Damage),
    /// Burn cannot read or load a record in it.
    Record {
        /// The record's file.
        path: PathBuf,
        /// Why not.
        error: RecordError,
    },
    /// The optimizer's record does not fit the model.
    Optimizer(OptimizerRecordError),
    /// The schedule or the optimizer panicked when it was given its record.
    Panicked {
        /// Which of them: `schedule` or `optimizer`.
        what: &'static str,
        /// The message of the panic.
        message: String,
    },
}

impl Display for CheckpointFault {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damage(damage) => write!(f, "{damage}"),
            Self::Record { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Optimizer(error) => write!(f, "{error}"),
            Self::Panicked { what, message } => {
                write!(
                    f,
                    "the {what} panicked when it loaded its record: {message}"
                )
            }
        }
    }
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
impl std::fmt::Debug for CheckpointFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CheckpointFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Record { error, .. } => Some(error),
            Self::Optimizer(error) => Some(error),
            Self::Damage(_) | Self::Panicked { .. } => None,
        }
    }
}
