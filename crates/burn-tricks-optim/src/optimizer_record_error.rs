//! Why an optimizer's record was not loaded.

use burn::store::RecordError;
use std::fmt::{self, Display};
use std::path::PathBuf;

/// Why an optimizer's record does not fit a model or cannot be read.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptimizerRecordError {
    /// Its file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        kind: std::io::ErrorKind,
    },
    /// It is no record, or a damaged one; this is Burn's error.
    NoRecord(RecordError),
    /// An entry of the record is damaged: its name is that of no parameter, or of another than its tensor's,
    /// or it is a rank below 0.
    DamagedEntry {
        /// The name of the entry.
        name: String,
    },
    /// Burn, or the optimizer, panicked on the record.
    Panicked {
        /// The message of the panic.
        message: String,
    },
    /// A state does not have the shape (or the rank, or a float type) that its parameter asks for.
    Mismatch {
        /// The parameter's path in the model.
        path: String,
        /// The part of its state.
        field: String,
        /// The recorded shape: `[1, 2]`.
        recorded: String,
        /// The parameter's shape: `[2, 2]`.
        expected: String,
    },
    /// There are states that belong to no parameter of the model: the model is another one, or its own
    /// record has not been loaded yet.
    UnknownParameters {
        /// The paths that the parameters had, or their numbers.
        unknown: Vec<String>,
        /// The parameters of the model without a state.
        without_state: Vec<String>,
    },
    /// The weights that schedule-free learning evaluates cannot be made of the record.
    NoEvaluationWeights {
        /// Why not.
        reason: String,
    },
    /// The optimizer cannot read these states: they are another optimizer's, or damaged.
    NotRestored {
        /// The paths of their parameters.
        paths: Vec<String>,
    },
}

pub(crate) type Names = Vec<String>;

impl From<RecordError> for OptimizerRecordError {
    fn from(error: RecordError) -> Self {
        Self::NoRecord(error)
    }
}

impl From<burn_pack::Error> for OptimizerRecordError {
    fn from(error: burn_pack::Error) -> Self {
        Self::NoRecord(error.into())
    }
}

impl Display for OptimizerRecordError {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, kind } => write!(
                f,
                "the optimizer's record cannot be read: `{}`: {kind}",
                path.display()
            ),
            Self::NoRecord(error) => write!(f, "the optimizer's record cannot be read: {error}"),
            Self::DamagedEntry { name } => write!(
                f,
                "the optimizer's record cannot be read: its entry `{name}` is damaged: load an earlier \
                 checkpoint"
            ),
            Self::Panicked { message } => write!(
                f,
                "the optimizer's record cannot be read: reading it panicked: {message}: is it the record of \
                 this optimizer, or is the file damaged?"
            ),
            Self::Mismatch {
                path,
                field,
                recorded,
                expected,
            } => write!(
                f,
                "the optimizer's state does not fit the parameter `{path}`: its `{field}` was recorded \
                 as {recorded}, and the parameter is {expected}"
            ),
            Self::UnknownParameters {
                unknown,
                without_state,
            } => {
                write!(
                    f,
                    "the optimizer's record holds states of parameters that the model does not have: {}",
                    listed(unknown)
                )?;
                if !without_state.is_empty() {
                    let without = listed(without_state);
                    write!(f, "; the model has no state for {without}")?;
                }
                f.write_str(" (has the model's own record been loaded first?)")
            }
            Self::NoEvaluationWeights { reason } => write!(
                f,
                "the weights to evaluate cannot be made of the optimizer's record: {reason}"
            ),
            Self::NotRestored { paths } => write!(
                f,
                "this optimizer cannot read the recorded state of {}: it is another optimizer's, or \
                 damaged",
                listed(paths)
            ),
        }
    }
}

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for OptimizerRecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for OptimizerRecordError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoRecord(error) => Some(error),
            _ => None,
        }
    }
}

/// The first few names as text.
fn listed(names: &[String]) -> String {
    const FEW: usize = 5;
    let few: Vec<_> = names
        .iter()
        .take(FEW)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = match names.len().saturating_sub(FEW) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    few.join(", ") + &more
}
