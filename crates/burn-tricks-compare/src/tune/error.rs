//! Why recipes could not be tuned.

use std::{fmt, io};

use serde_json::Value;

/// Why recipes could not be tuned.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum TuningError {
    /// A recipe has no positive number at the setting.
    NoNumber {
        /// The recipe.
        recipe: String,
        /// The setting.
        setting: String,
        /// What it has there.
        got: Option<Value>,
    },
    /// A multiple that is not a positive number.
    Factor {
        /// The multiple.
        factor: f64,
    },
    /// Seeds of the tuning are among those that are compared.
    ComparedSeed {
        /// The first seed of the tuning.
        first: u64,
        /// The first that is compared.
        compared: u64,
    },
    /// The runner was stopped, or a run failed and it fails fast.
    Stopped {
        /// The runs that there are by then.
        runs: usize,
        /// The run that failed, and why, if the runner fails fast.
        failed: Option<String>,
    },
    /// A worker's command could not be made, or a run not be stored.
    Io {
        /// The kind of the error.
        kind: io::ErrorKind,
        /// What the system says.
        message: String,
    },
}

impl fmt::Display for TuningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber {
                recipe,
                setting,
                got: Some(got),
            } => write!(
                f,
                "`{setting}` of {recipe:?} must be a positive number to be tuned, got {got}"
            ),
            Self::NoNumber {
                recipe,
                setting,
                got: None,
            } => write!(f, "{recipe:?} has no setting `{setting}` to tune"),
            Self::Factor { factor } => write!(
                f,
                "the candidates must be positive multiples of a recipe's own value, got {factor}"
            ),
            Self::ComparedSeed { first, compared } => write!(
                f,
                "the seeds of the tuning, from {first} on, are among those that are compared, from \
                 {compared} on"
            ),
            Self::Stopped { runs, failed } => {
                write!(f, "the tuning was stopped after {runs} runs")?;
                match failed {
                    Some(failed) => write!(f, ": {failed}"),
                    None => Ok(()),
                }
            }
            Self::Io { message, .. } => f.write_str(message),
        }
    }
}

as_displayed!(TuningError);

impl std::error::Error for TuningError {}

impl From<io::Error> for TuningError {
    fn from(error: io::Error) -> Self {
        Self::Io {
            kind: error.kind(),
            message: error.to_string(),
        }
    }
}
