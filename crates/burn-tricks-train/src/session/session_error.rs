//! Why a session cannot begin, failed, or cannot return a model.

use crate::metric::watched_metric::MissingMetric;
use crate::session::checkpoint_fault::CheckpointFault;
use crate::trick::trick_error::TrickError;
use burn::train::TrainingError;
use burn_tricks_checkpoint::Change;
use burn_tricks_core::{ConfigError, StateError};
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a session cannot begin, failed, or cannot return a model.
#[non_exhaustive]
pub enum SessionError {
    /// A setting of the session has a value that it cannot have: fewer than two checkpoints to keep, say.
    Config(ConfigError),
    /// Checkpoints of the best epochs were to be kept, of a session that is not
    /// [resumable](crate::Session::resumable) and so has none.
    KeepBestOfNone,
    /// No criterion says which epoch is the best, and something needs to know.
    NoCriterion {
        /// What needs it: a trick, or `keep_best_checkpoints`.
        by: String,
    },
    /// What was given to [`declare`](crate::Session::declare) cannot be written as JSON.
    DeclaredNotJson {
        /// Its name.
        name: String,
        /// Why not.
        error: serde_json::Error,
    },
    /// Something was given to [`declare`](crate::Session::declare) under a name under which the session records
    /// something itself.
    DeclaredNameTaken {
        /// The name.
        name: String,
    },
    /// Two metrics of different types have one name. Burn would log both under this name, and a criterion or a
    /// plateau might watch the wrong one.
    SameMetricName {
        /// The name.
        name: String,
        /// The type of the one that was registered first.
        first: &'static str,
        /// The type of the other.
        second: &'static str,
    },
    /// The session is resumable, but has no [clock](crate::Session::with_clock) for the order of samples, and was not
    /// told that the loader [needs none](crate::Session::without_clock). A resumed run would repeat the order of its
    /// first epoch.
    NoClock,
    /// The configuration differs from the one that the checkpoint was written with, and
    /// [`accept_changes`](crate::Session::accept_changes) does not name all differences.
    Changed {
        /// The epoch of the checkpoint.
        epoch: usize,
        /// Each difference that is not accepted.
        changes: Vec<Change>,
    },
    /// The schedule of the learner does not contain the plateau that was passed to
    /// [`reduce_on_plateau`](crate::Session::reduce_on_plateau): the learning rate would never be reduced.
    PlateauNotScheduled {
        /// The metric of the plateau.
        metric: String,
    },
    /// The training ended with an error of a data loader, of a metric, or of writing a checkpoint. (With Burn's
    /// dashboard, a failure to write the last epoch's files is lost for checkpointers other than the session's.)
    Training(Arc<TrainingError>),
    /// A trick failed at the end of an epoch. The checkpoint of that epoch was not written.
    Trick(Arc<TrickError>),
    /// A watched metric had no value.
    MissingMetric(MissingMetric),
    /// The directory of the checkpoints cannot be created, read or written.
    Io(std::io::Error),
    /// Another process, or another session of this process, trains in the directory.
    InUse {
        /// The lock file, which may also exist without being locked.
        lock: PathBuf,
        /// The id of the process, if it can be read.
        process: Option<u32>,
    },
    /// There are checkpoints of several epochs, and none can be resumed from. They may belong to another program, and
    /// a new run would overwrite them.
    NoneComplete {
        /// Where they are.
        folder: PathBuf,
        /// The epochs, and what is wrong with each.
        incomplete: Vec<(usize, CheckpointFault)>,
    },
    /// A state was written by another version of this crate.
    Version {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        got: String,
        /// The version that this crate writes and reads.
        expected: &'static str,
    },
    /// The saved state does not belong to this session, these tricks or this model.
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
        fault: CheckpointFault,
    },
    /// The best epoch is not known.
    BestUnknown {
        /// The metric that determines the best epoch. No epoch had a value that counted, which means a finite value
        /// after the warm-up and within the divergence limit. None if no criterion of the session looks at a metric.
        metric: Option<String>,
    },
    /// The model of an epoch was not kept: [`without_best`](crate::Session::without_best) was called, or the session
    /// is not resumable and the epoch is not the best.
    NotKept {
        /// The epoch.
        epoch: usize,
    },
}

impl Display for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::KeepBestOfNone => write!(
                f,
                "`keep_best_checkpoints` keeps checkpoints, which only a session that is `resumable` writes"
            ),
            Self::NoCriterion { by } => write!(
                f,
                "`{by}` needs a criterion that says which epoch is the best: give the session one that looks at \
                 its metric, with `stop_early`"
            ),
            Self::DeclaredNotJson { name, error } => {
                write!(f, "`{name}` was declared and cannot be recorded: {error}")
            }
            Self::DeclaredNameTaken { name } => write!(
                f,
                "`{name}` was declared and cannot be recorded: the session records something of this name \
                 itself: declare it under another"
            ),
            Self::SameMetricName {
                name,
                first,
                second,
            } => write!(
                f,
                "two metrics have the name `{name}`, {first} and {second}: register one of them, or give one \
                 another name"
            ),
            Self::NoClock => write!(
                f,
                "a resumable session needs the clock of its epoch loader, or its order of samples would \
                 begin anew when it is resumed: give it an `EpochLoader`, or tell it `with_clock(&clock)`, or \
                 `without_clock()` if the loader needs none"
            ),
            Self::Changed { epoch, changes } => {
                write!(
                    f,
                    "the checkpoint of epoch {epoch} was written with another configuration ("
                )?;
                for (at, change) in changes.iter().enumerate() {
                    let and = if at > 0 { "; " } else { "" };
                    write!(f, "{and}{change}")?;
                }
                let names: Vec<_> = changes.iter().map(|change| &change.name).collect();
                write!(
                    f,
                    "): undo it, or `accept_changes({names:?})`, or begin in another directory"
                )
            }
            Self::PlateauNotScheduled { metric } => write!(
                f,
                "the learner's schedule is not the one that `reduce_on_plateau` was given for `{metric}`, and \
                 would never be reduced: give the learner the plateau, or a wrapper around it"
            ),
            Self::Training(error) => write!(f, "{error}"),
            Self::Trick(error) => write!(f, "{error}"),
            Self::MissingMetric(missing) => write!(f, "{missing}"),
            Self::Io(error) => write!(f, "the checkpoints of the run: {error}"),
            Self::InUse { lock, process } => {
                let lock = lock.display();
                match process {
                    Some(id) => write!(f, "process {id} trains there: it has locked {lock}"),
                    None => write!(f, "another process trains there: it has locked {lock}"),
                }
            }
            Self::NoneComplete { folder, incomplete } => {
                let folder = folder.display();
                write!(f, "none of the checkpoints in {folder} is complete (")?;
                for (at, (epoch, problem)) in incomplete.iter().enumerate() {
                    let and = if at > 0 { "; " } else { "" };
                    write!(f, "{and}epoch {epoch}: {problem}")?;
                }
                write!(f, "): move them away to start a new run here")
            }
            Self::Version {
                path,
                got,
                expected,
            } => write!(
                f,
                "{} is a state of version {got}, and this program reads version {expected}",
                path.display()
            ),
            Self::State { epoch, error } => write!(f, "the checkpoint of epoch {epoch}: {error}"),
            Self::Unread { epoch, fault } => {
                write!(f, "the checkpoint of epoch {epoch} cannot be read: {fault}")
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
                "the model of epoch {epoch} was not kept: a session that is not `resumable` keeps that of the \
                 best epoch alone, and none if it was made with `without_best`"
            ),
        }
    }
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
impl std::fmt::Debug for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::DeclaredNotJson { error, .. } => Some(error),
            Self::Io(error) => Some(error),
            Self::Unread { fault, .. } => Some(fault),
            Self::State { error, .. } => Some(error),
            Self::MissingMetric(missing) => Some(missing),
            Self::Trick(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<ConfigError> for SessionError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<std::io::Error> for SessionError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
