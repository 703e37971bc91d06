//! Why a session cannot begin, failed, or cannot return a model.

use crate::metric::split_metric::MissingMetric;
use crate::session::checkpoint_fault::CheckpointFault;
use crate::trick::trick_error::TrickError;
use burn::train::TrainingError;
use burn_tricks_checkpoint::{Change, PartError};
use burn_tricks_core::{ConfigError, StateError};
use burn_tricks_grad::GradientOrderError;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a session cannot begin, failed, or cannot return a model.
#[non_exhaustive]
pub enum SessionError {
    /// A setting of the session has a value that is not allowed, such as fewer than two checkpoints to keep.
    Config(ConfigError),
    /// [`keep_best_checkpoints`](crate::Session::keep_best_checkpoints) was called for a session that writes no
    /// checkpoints, since it is not [resumable](crate::Session::resumable).
    KeepBestOfNone,
    /// A trick that must see the gradients first, such as a `LossScaler`, comes after another trick that sees them.
    GradientOrder(GradientOrderError),
    /// No criterion determines the best epoch, and a trick or a setting needs it.
    NoCriterion {
        /// What needs it: a trick, or `keep_best_checkpoints`.
        by: String,
    },
    /// What was given to [`declare`](crate::Session::declare) cannot be written as JSON.
    DeclaredNotJson {
        /// Its name.
        name: String,
        /// Why not.
        error: Box<PartError>,
    },
    /// Something was given to [`declare`](crate::Session::declare) under a name under which the session records
    /// something itself.
    DeclaredNameTaken {
        /// The name.
        name: String,
    },
    /// Two metrics of different types have one name. Burn would log both under this name, and a criterion or a
    /// plateau might read the wrong one.
    SameMetricName {
        /// The name.
        name: String,
        /// The type of the one that was registered first.
        first: &'static str,
        /// The type of the other.
        second: &'static str,
    },
    /// The name of a metric contains `/`, or `\` on Windows, and cannot be the name of the file to which Burn logs the metric
    /// by default. Such a name is refused with every logger.
    MetricName {
        /// The name.
        name: String,
    },
    /// The [`EpochLoader`](crate::EpochLoader) of the training split has no samples (`num_items` is 0): nothing would be
    /// trained. Another loader is not asked, since it may not know.
    NoSamples,
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
    /// A metric that a criterion or a plateau reads had no value. The checkpoint of that epoch was not written.
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
    /// There are checkpoints of several epochs, and none can be resumed from; or a checkpoint newer than those that can
    /// be resumed from was written by no session, as those of Burn's own checkpointers are. A run would overwrite them.
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
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::KeepBestOfNone => write!(
                f,
                "`keep_best_checkpoints` needs a session that writes checkpoints: call `resumable` too"
            ),
            Self::GradientOrder(error) => write!(f, "{error}"),
            Self::NoCriterion { by } => write!(
                f,
                "`{by}` needs to know which epoch is the best: call `stop_early` with a criterion that looks at its \
                 metric, such as `EarlyStopping`"
            ),
            Self::DeclaredNotJson { name, error } => {
                write!(f, "`{name}` was declared and cannot be recorded: {error}")
            }
            Self::DeclaredNameTaken { name } => write!(
                f,
                "`{name}` was declared and cannot be recorded, since the session itself records something under this \
                 name: declare it under another name"
            ),
            Self::SameMetricName {
                name,
                first,
                second,
            } => write!(
                f,
                "two metrics have the name `{name}`, {first} and {second}: register only one of them, or give one \
                 of them another name"
            ),
            Self::MetricName { name } => write!(
                f,
                "a metric has the name `{name}`, which cannot be the name of the file to which Burn logs it: give it a \
                 name without `/` and `\\`"
            ),
            Self::NoSamples => write!(
                f,
                "the training set has no samples, so nothing would be trained: train on a loader of a dataset that is \
                 not empty"
            ),
            Self::NoClock => write!(
                f,
                "a resumable session needs the clock of its data loader, or a resumed run would repeat the order of \
                 samples of its first epoch: train with an `EpochLoader`, or call `with_clock(&clock)`, or call \
                 `without_clock()` if the order of samples does not depend on the epoch"
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
                    "): undo the changes, or call `accept_changes({names:?})`, or use another directory"
                )
            }
            Self::PlateauNotScheduled { metric } => write!(
                f,
                "the learner's schedule does not contain the plateau that was passed to `reduce_on_plateau` with \
                 `{metric}`, so the learning rate would never be reduced: pass the same schedule, a clone of it, or a \
                 wrapper around it to the learner"
            ),
            Self::Training(error) => write!(f, "{error}"),
            Self::Trick(error) => write!(f, "{error}"),
            Self::MissingMetric(missing) => write!(f, "{missing}"),
            Self::Io(error) => {
                write!(f, "a file of the run cannot be read or written: {error}")
            }
            Self::InUse { lock, process } => {
                let lock = lock.display();
                match process {
                    Some(id) if *id == std::process::id() => {
                        return write!(
                            f,
                            "another session of this program (or of one in another container, with the same process id) \
                             trains in this directory and has locked {lock}: wait until it ends, or use another directory"
                        );
                    }
                    Some(id) => write!(
                        f,
                        "process {id} trains in this directory and has locked {lock}"
                    )?,
                    None => write!(
                        f,
                        "another process trains in this directory and has locked {lock}"
                    )?,
                }
                write!(f, ": wait until it ends, or use another directory")
            }
            Self::NoneComplete { folder, incomplete } => {
                let folder = folder.display();
                write!(
                    f,
                    "checkpoints in {folder} are not complete, and a run would overwrite them ("
                )?;
                for (at, (epoch, problem)) in incomplete.iter().enumerate() {
                    let and = if at > 0 { "; " } else { "" };
                    write!(f, "{and}epoch {epoch}: {problem}")?;
                }
                write!(
                    f,
                    "): restore the files, or move them to another folder to run here without them"
                )
            }
            Self::Version {
                path,
                got,
                expected,
            } => write!(
                f,
                "{} has version {got} of the file format, and this program reads version {expected}: resume the run \
                 with the version of burn-tricks-train that wrote it",
                path.display()
            ),
            Self::State { epoch, error } => write!(
                f,
                "the run cannot be resumed from the checkpoint of epoch {epoch}: {error}"
            ),
            Self::Unread { epoch, fault } => {
                write!(f, "the checkpoint of epoch {epoch} cannot be read: {fault}")
            }
            Self::BestUnknown { metric: None } => write!(
                f,
                "the best epoch is unknown, since the session has no `stop_early` with a criterion that looks at its \
                 metric, such as `EarlyStopping`: use `last_model` for the model of the last epoch"
            ),
            Self::BestUnknown {
                metric: Some(metric),
            } => write!(
                f,
                "the best epoch is unknown, since no epoch had a value of `{metric}` that counts, which is a finite \
                 value after the warm-up and within the divergence limit: use `last_model` for the model of the last \
                 epoch"
            ),
            Self::NotKept { epoch } => write!(
                f,
                "the model of epoch {epoch} was not kept: a session that is not `resumable` keeps only the model of \
                 the best epoch, and with `without_best` not even that"
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
            Self::GradientOrder(error) => Some(error),
            Self::DeclaredNotJson { error, .. } => Some(&**error),
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

impl From<GradientOrderError> for SessionError {
    fn from(error: GradientOrderError) -> Self {
        Self::GradientOrder(error)
    }
}

impl From<std::io::Error> for SessionError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
