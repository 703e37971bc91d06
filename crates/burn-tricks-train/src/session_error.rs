//! Why a session cannot begin, or cannot give back a model.

use crate::StateError;
use std::fmt::Display;
use std::path::PathBuf;

/// Why a session cannot begin, or cannot give back a model.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// Fewer than two checkpoints were to be kept.
    Keep {
        /// How many.
        got: usize,
    },
    /// The directory of the checkpoints cannot be made, read or written.
    Io(std::io::Error),
    /// There are checkpoints of several epochs, and none can be resumed from. They may be another
    /// program's: a session would overwrite them.
    NoneComplete {
        /// Where they are.
        folder: PathBuf,
        /// The epochs, and what is wrong with each.
        incomplete: Vec<(usize, String)>,
    },
    /// A state was written by another version of this crate.
    Version {
        /// The file.
        path: PathBuf,
        /// The version of its format. This crate writes and reads 1.
        got: String,
    },
    /// What was saved is not of this session, these tricks or this model.
    State {
        /// The epoch.
        epoch: usize,
        /// What is wrong.
        error: StateError,
    },
    /// A checkpoint cannot be read.
    Unread {
        /// The epoch.
        epoch: usize,
        /// What is wrong.
        reason: String,
    },
    /// Which epoch was the best is not known.
    BestUnknown {
        /// The metric that was watched for it, of which no epoch had a value that counted: that was finite,
        /// after the warm-up and within the divergence limit. None if no criterion of the session looks at
        /// a metric.
        metric: Option<String>,
    },
    /// The model of the best epoch was not kept: the session was neither `resumable` nor told to
    /// `keep_best`.
    NotKept {
        /// The epoch.
        epoch: usize,
    },
}

impl Display for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keep { got } => write!(f, "`keep` must be at least 2, got {got}"),
            Self::Io(error) => write!(f, "the checkpoints of the run: {error}"),
            Self::NoneComplete { folder, incomplete } => {
                let folder = folder.display();
                write!(f, "none of the checkpoints in {folder} is complete (")?;
                for (at, (epoch, problem)) in incomplete.iter().enumerate() {
                    let and = if at > 0 { "; " } else { "" };
                    write!(f, "{and}epoch {epoch}: {problem}")?;
                }
                write!(f, "): move them away to begin anew")
            }
            Self::Version { path, got } => write!(
                f,
                "{} is a state of version {got}, and this is a program of version 1",
                path.display()
            ),
            Self::State { epoch, error } => write!(f, "the checkpoint of epoch {epoch}: {error}"),
            Self::Unread { epoch, reason } => {
                write!(
                    f,
                    "the checkpoint of epoch {epoch} cannot be read: {reason}"
                )
            }
            Self::BestUnknown { metric: None } => write!(
                f,
                "which epoch was the best is not known: no `stop_early` with a criterion that looks at its \
                 metric, as `EarlyStopping` does (`last_model` is the last one)"
            ),
            Self::BestUnknown {
                metric: Some(metric),
            } => write!(
                f,
                "which epoch was the best is not known: none had a value of `{metric}` that counted, finite, \
                 after the warm-up and within the divergence limit (`last_model` is the last one)"
            ),
            Self::NotKept { epoch } => write!(
                f,
                "the model of epoch {epoch}, the best, was not kept: the session needs `resumable` or \
                 `keep_best`"
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
