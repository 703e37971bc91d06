//! Why a launch failed.

use crate::session::session_error::SessionError;
use crate::session::session_result::SessionResult;
use std::fmt::{Debug, Display};

/// Why [`Session::launch`](crate::Session::launch) failed, and what was trained until then.
///
/// If you need only the cause, use `?` in a function that returns a [`SessionError`].
///
/// ```
/// # use burn_tricks_train::{SessionResult, LaunchError, SessionError, Trick};
/// # use burn::module::Module;
/// fn rescued<M: Module, H: Trick<M>>(
///     launched: Result<SessionResult<M, H>, LaunchError<M, H>>,
/// ) -> Result<M, SessionError> {
///     match launched {
///         Ok(finished) => finished.best_model(),
///         Err(LaunchError { cause: SessionError::MissingMetric(_), partial: Some(partial), .. }) => {
///             Ok(partial.last_model())
///         }
///         Err(error) => Err(error.into()),
///     }
/// }
/// ```
#[non_exhaustive]
pub struct LaunchError<M, H> {
    /// Why it failed.
    pub cause: SessionError,
    /// What was trained until the failure; none if the training had not begun.
    pub partial: Option<Box<SessionResult<M, H>>>,
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
impl<M, H> Debug for LaunchError<M, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, f)
    }
}

impl<M, H> Display for LaunchError<M, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.partial {
            None => write!(f, "the training did not begin: {}", self.cause),
            Some(partial) => {
                write!(f, "the training failed")?;
                if let Some(epoch) = partial.last_epoch {
                    write!(f, " after epoch {epoch}")?;
                }
                write!(f, ": {}", self.cause)
            }
        }
    }
}

impl<M, H> std::error::Error for LaunchError<M, H> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source() // its text is part of this one's
    }
}

impl<M, H> From<SessionError> for LaunchError<M, H> {
    fn from(cause: SessionError) -> Self {
        Self {
            cause,
            partial: None,
        }
    }
}

impl<M, H> From<std::io::Error> for LaunchError<M, H> {
    fn from(error: std::io::Error) -> Self {
        SessionError::from(error).into()
    }
}

impl<M, H> From<LaunchError<M, H>> for SessionError {
    fn from(error: LaunchError<M, H>) -> Self {
        error.cause
    }
}
