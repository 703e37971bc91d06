//! Why a trick failed at the end of an epoch.

use burn::store::RecordError;
use burn_tricks_core::StateError;
use std::error::Error;
use std::fmt::{Debug, Display};

/// Why a trick failed at the end of an epoch. If several tricks are combined, the error says which one failed:
/// ``trick 2 (SaveBest): the metric `Loss` has no value``.
pub struct TrickError {
    /// The trick, from 1 among all of the run, and its name.
    trick: Option<(usize, String)>,
    cause: Box<dyn Error + Send + Sync>,
}

impl TrickError {
    /// An error with this cause, which is an error or a text.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            trick: None,
            cause: cause.into(),
        }
    }

    /// The number of the trick that failed, from 1, if it is known.
    pub fn position(&self) -> Option<usize> {
        self.trick.as_ref().map(|(position, _)| *position)
    }

    /// The same error, of a trick before which there are `before` others: of the trick `name`, if it is not
    /// known yet which of several it was.
    pub(crate) fn of_trick(mut self, before: usize, name: impl FnOnce() -> String) -> Self {
        self.trick = Some(match self.trick {
            Some((position, name)) => (before + position, name),
            None => (before + 1, name()),
        });
        self
    }
}

impl Display for TrickError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((position, name)) = &self.trick {
            write!(f, "trick {position} ({name}): ")?;
        }
        write!(f, "{}", self.cause)
    }
}

/// As `Display`: `main` shows it so.
impl Debug for TrickError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, f)
    }
}

impl Error for TrickError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

impl From<&str> for TrickError {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for TrickError {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<std::io::Error> for TrickError {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}

/// If the error names a trick, this error is that trick's.
impl From<StateError> for TrickError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::OfTrick {
                position,
                name,
                error,
            } => Self::new(error).of_trick(position.saturating_sub(1), || name),
            error => Self::new(error),
        }
    }
}

impl From<RecordError> for TrickError {
    fn from(error: RecordError) -> Self {
        Self::new(error)
    }
}
