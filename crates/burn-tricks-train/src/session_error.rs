//! Why a session cannot begin, or cannot give back a model.

use crate::StateError;
use std::fmt::Display;

/// Why a session cannot begin, or cannot give back a model.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// Fewer than two checkpoints were to be kept.
    Keep {
        /// How many.
        got: usize,
    },
    /// The directory of the checkpoints cannot be made or read.
    Io(std::io::Error),
    /// A saved state is not one of this session and these tricks.
    State {
        /// The epoch.
        epoch: usize,
        /// What is wrong.
        error: StateError,
    },
    /// The best epoch's checkpoint cannot be read.
    Unread {
        /// The epoch.
        epoch: usize,
        /// What is wrong.
        reason: String,
    },
    /// There is no checkpoint of the best epoch: the session was not resumable.
    NotResumable,
}

impl Display for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keep { got } => write!(f, "`keep` must be at least 2, got {got}"),
            Self::Io(error) => write!(f, "the checkpoints of the run: {error}"),
            Self::State { epoch, error } => write!(f, "the checkpoint of epoch {epoch}: {error}"),
            Self::Unread { epoch, reason } => {
                write!(
                    f,
                    "the checkpoint of epoch {epoch} cannot be read: {reason}"
                )
            }
            Self::NotResumable => write!(
                f,
                "there is no checkpoint of the best epoch: `resumable` was not called"
            ),
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::State { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<std::io::Error> for SessionError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
