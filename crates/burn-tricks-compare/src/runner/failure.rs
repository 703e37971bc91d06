//! Why a worker failed.

use std::{fmt, io, process::ExitStatus};

/// Why a worker failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be started.
    Start(io::Error),
    /// Whether it still runs could not be found out.
    Wait(io::Error),
    /// It ended with a failure.
    Exited(ExitStatus),
    /// It ended well, without the result.
    NoResult,
    /// It printed a result that it was not asked for, or one for the second time.
    UnexpectedResult { variant: String, seed: u64 },
    /// It printed a line that begins like a result and cannot be read.
    UnreadableResult {
        line: String,
        error: serde_json::Error,
    },
    /// It did nothing wrong: the runner was to stop.
    Stopped,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the worker could not be started: {error}"),
            Self::Wait(error) => write!(f, "the worker could not be waited for: {error}"),
            Self::Exited(status) => write!(f, "the worker ended with {status}"),
            Self::NoResult => write!(f, "the worker ended without a result"),
            Self::UnexpectedResult { variant, seed } => write!(
                f,
                "the worker gave a result that was not asked for, of {variant:?} with seed {seed}"
            ),
            Self::UnreadableResult { line, error } => write!(
                f,
                "the worker gave a result that cannot be read, {line:?}: {error}"
            ),
            Self::Stopped => write!(f, "the worker was stopped"),
        }
    }
}
