//! Why a checkpoint cannot be written or read.

use crate::change::Change;
use crate::damage::Damage;
use crate::part::PartKind;
use crate::part_error::PartError;
use burn_tricks_core::ConfigError;
use std::fmt::Display;
use std::path::PathBuf;

/// Why a checkpoint cannot be written or read.
#[non_exhaustive]
pub enum CheckpointError {
    /// `keep` is 0: no checkpoint was to be kept.
    Config(ConfigError),
    /// The folder, or a file in it, cannot be made, read, written or removed. The error names it.
    Io(std::io::Error),
    /// There are checkpoints, but all of them are damaged.
    NoneComplete {
        /// Where they are.
        folder: PathBuf,
        /// Their steps, and what is wrong with each.
        damaged: Vec<(usize, Damage)>,
    },
    /// The file was written by another version of this crate.
    Version {
        /// The file.
        path: PathBuf,
        /// The version of its format. This crate writes and reads 1.
        got: String,
    },
    /// The folder has a complete checkpoint of the step that was to be saved, or of a later step: the checkpoint is
    /// another run's, or this run was not resumed.
    NotAfter {
        /// The folder.
        folder: PathBuf,
        /// The step that was to be saved.
        step: usize,
        /// The newest complete one.
        newest: usize,
    },
    /// Another process saves in this folder, or another [`Checkpoints`](crate::Checkpoints) value of this process
    /// does.
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process's id, if it can be read.
        process: Option<u32>,
    },
    /// Two parts of a checkpoint have one name.
    SameName {
        /// The name.
        name: String,
    },
    /// A part cannot be written.
    Unwritable {
        /// The name of the part.
        name: String,
        /// What is wrong.
        error: Box<PartError>,
    },
    /// The checkpoint has no part of that name.
    NoPart {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// The names that there are.
        has: Vec<String>,
    },
    /// A configuration is not the one that the checkpoint was written with.
    Changed {
        /// The file.
        path: PathBuf,
        /// The difference.
        change: Change,
    },
    /// The part of that name is of another kind, such as a model's record where a state was asked for.
    OtherKind {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// What was asked for.
        wanted: PartKind,
        /// What it is.
        got: PartKind,
    },
    /// The part does not fit what it is loaded into: another architecture, another struct.
    Unfit {
        /// The file.
        path: PathBuf,
        /// The name of the part.
        name: String,
        /// What is wrong.
        error: Box<PartError>,
    },
}

impl Display for CheckpointError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Io(error) => {
                write!(f, "a checkpoint cannot be read or written: {error}")
            }
            Self::NoneComplete { folder, damaged } => {
                write!(f, "all checkpoints in {} are damaged (", folder.display())?;
                for (at, (step, problem)) in damaged.iter().enumerate() {
                    let and = if at > 0 { "; " } else { "" };
                    write!(f, "{and}step {step}: {problem}")?;
                }
                write!(
                    f,
                    "): restore a file, or move them to another folder to start a new run here"
                )
            }
            Self::Version { path, got } => write!(
                f,
                "{} has version {got} of the file format, and this program reads version 1: load the checkpoint \
                 with the version of burn-tricks-checkpoint that wrote it",
                path.display()
            ),
            Self::NotAfter {
                folder,
                step,
                newest,
            } => write!(
                f,
                "the checkpoint of step {step} cannot be saved: {} has one of step {newest}; resume from it \
                 with `newest`, or use another folder",
                folder.display()
            ),
            Self::InUse { folder, process } => {
                let folder = folder.display();
                match process {
                    Some(process) if *process == std::process::id() => {
                        return write!(
                            f,
                            "this program saves checkpoints in {folder} already, by another `Checkpoints` or session (or a \
                             program with the same process id in another container does): drop that one first, or use \
                             another folder"
                        );
                    }
                    Some(process) => write!(f, "process {process} saves checkpoints in {folder}")?,
                    None => write!(f, "another process saves checkpoints in {folder}")?,
                }
                write!(f, ": wait until it ends, or use another folder")
            }
            Self::SameName { name } => write!(
                f,
                "two parts of a checkpoint have the name `{name}`: give one of them another name"
            ),
            Self::Unwritable { name, error } => {
                write!(f, "`{name}` cannot be saved in a checkpoint: {error}")
            }
            Self::NoPart { path, name, has } => {
                write!(f, "{} has no part `{name}`", path.display())?;
                match &**has {
                    [] => write!(f, ", and no other"),
                    has => write!(f, ": its parts are `{}`", has.join("`, `")),
                }
            }
            Self::Changed { path, change } => write!(
                f,
                "{} was written with another configuration ({change}): undo the change, or use another folder",
                path.display()
            ),
            Self::OtherKind {
                path,
                name,
                wanted,
                got,
            } => write!(
                f,
                "`{name}` in {} is {got}, and was to be loaded as {wanted}",
                path.display()
            ),
            Self::Unfit { path, name, error } => {
                write!(f, "`{name}` in {} does not fit: {error}", path.display())
            }
        }
    }
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
impl std::fmt::Debug for CheckpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CheckpointError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Unwritable { error, .. } | Self::Unfit { error, .. } => Some(&**error),
            _ => None,
        }
    }
}

impl From<ConfigError> for CheckpointError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<std::io::Error> for CheckpointError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
