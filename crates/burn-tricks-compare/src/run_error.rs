//! Why a worker failed.

use std::{error::Error, fmt, io, process::ExitStatus};

/// Why a worker failed, and which.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunError {
    /// Label of the [`Job`](crate::Job).
    pub label: String,
    /// Seeds of the job.
    pub seeds: Vec<u64>,
    /// What went wrong.
    pub kind: RunErrorKind,
    /// How the worker ended, `None` if it could not be started or the runner had to kill it.
    pub status: Option<ExitStatus>,
    /// The last lines, at most 20, of the worker's standard error.
    pub stderr: String,
}

/// What went wrong with a worker.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunErrorKind {
    /// It could not be started.
    Start(io::Error),
    /// Whether it still runs could not be found out.
    Wait(io::Error),
    /// It ended with a failure.
    Failed,
    /// It ended without a result for these seeds.
    MissingResults(Vec<u64>),
    /// It printed a result that it was not asked for, or one for the second time.
    UnexpectedResult {
        /// Variant of the result.
        variant: String,
        /// Seed of the result.
        seed: u64,
    },
    /// It printed a line that begins like a result and cannot be read.
    UnreadableResult {
        /// The line.
        line: String,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

impl fmt::Display for RunErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "could not be started: {error}"),
            Self::Wait(error) => write!(f, "could not be waited for: {error}"),
            Self::Failed => write!(f, "failed"),
            Self::MissingResults(seeds) => {
                write!(f, "gave no result for {}", Seeds(seeds))
            }
            Self::UnexpectedResult { variant, seed } => write!(
                f,
                "gave a result that was not asked for, of {variant:?} with seed {seed}"
            ),
            Self::UnreadableResult { line, error } => {
                write!(f, "gave a result that cannot be read, {line:?}: {error}")
            }
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds = Seeds(&self.seeds);
        write!(f, "the worker for {:?}, {seeds}, {}", self.label, self.kind)?;
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        if !self.stderr.is_empty() {
            write!(f, "\nits standard error ended with:\n{}", self.stderr)?;
        }
        Ok(())
    }
}

impl Error for RunError {}

struct Seeds<'a>(&'a [u64]);

impl fmt::Display for Seeds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            [] => "no seeds",
            [_] => "seed ",
            _ => "seeds ",
        })?;
        for (index, seed) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{seed}")?;
        }
        Ok(())
    }
}
