//! What became of the runs of a comparison.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::run::RunResult;

/// The runs of a comparison: those that finished, and those that failed.
///
/// Made of a `Vec<RunResult>` where none failed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runs {
    /// What the finished runs measured.
    pub finished: Vec<RunResult>,
    /// The runs that gave no result.
    pub failed: Vec<FailedRun>,
}

impl From<Vec<RunResult>> for Runs {
    fn from(finished: Vec<RunResult>) -> Self {
        Self {
            finished,
            failed: Vec::new(),
        }
    }
}

/// A run that gave no result, and why.
///
/// A run that diverged but ended is not one of these: its [`RunResult`] holds NaN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRun {
    /// Name of the variant, as in its [`Recipe`](crate::Recipe).
    pub variant: String,
    /// Seed of the run.
    pub seed: u64,
    /// What went wrong, such as `the worker ended with exit status: 101`.
    pub reason: String,
    /// The last lines, at most 20, of the worker's standard error.
    pub stderr: String,
}

impl fmt::Display for FailedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            variant,
            seed,
            reason,
            stderr,
        } = self;
        write!(f, "{variant:?} failed with seed {seed}: {reason}")?;
        if !stderr.is_empty() {
            write!(f, "\nits standard error ended with:\n{stderr}")?;
        }
        Ok(())
    }
}
