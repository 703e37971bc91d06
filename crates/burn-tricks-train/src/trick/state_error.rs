//! Why a saved state cannot be resumed from.

use burn::store::RecordError;
use std::fmt::Display;

/// Why a saved state cannot be resumed from.
#[derive(Debug)]
#[non_exhaustive]
pub enum StateError {
    /// It is not of the kind expected.
    Unfit(String),
    /// Burn cannot read the record in it.
    Record(RecordError),
}

impl Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unfit(reason) => write!(f, "the saved state does not fit: {reason}"),
            Self::Record(error) => write!(f, "the saved state does not fit: {error}"),
        }
    }
}

impl std::error::Error for StateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unfit(_) => None,
            Self::Record(error) => Some(error),
        }
    }
}

impl From<&str> for StateError {
    fn from(reason: &str) -> Self {
        Self::Unfit(reason.to_owned())
    }
}

impl From<String> for StateError {
    fn from(reason: String) -> Self {
        Self::Unfit(reason)
    }
}

impl From<RecordError> for StateError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<postcard::Error> for StateError {
    fn from(error: postcard::Error) -> Self {
        Self::Unfit(error.to_string())
    }
}

impl From<serde_json::Error> for StateError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unfit(error.to_string())
    }
}
