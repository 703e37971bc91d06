//! Why members cannot be one ensemble.

use burn_tricks_core::{ConfigError, Mismatch};
use std::fmt::Display;

/// Why members cannot be one ensemble. Members count from 0.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EnsembleError {
    /// There is no member.
    Empty,
    /// Two members hold the same parameter: one is a clone of the other, and training them would
    /// train one of them.
    SharedParameter {
        /// The path of the parameter in the later member.
        path: String,
        /// The earlier member.
        first: usize,
        /// The later member.
        second: usize,
    },
    /// A member has another architecture than the first.
    DifferentArchitecture {
        /// The member.
        member: usize,
        /// Where it differs.
        mismatch: Mismatch,
    },
    /// The weights are not one number of at least 0 per member, with a positive sum.
    Weights(ConfigError),
}

impl Display for EnsembleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => write!(f, "an ensemble needs at least one member, got none"),
            Self::SharedParameter {
                path,
                first,
                second,
            } => write!(
                f,
                "members {first} and {second} share the parameter `{path}`: is one a clone of the \
                 other?"
            ),
            Self::DifferentArchitecture { member, mismatch } => {
                write!(f, "member {member} and member 0: {mismatch}")
            }
            Self::Weights(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for EnsembleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Weights(error) => Some(error),
            Self::DifferentArchitecture { mismatch, .. } => Some(mismatch),
            _ => None,
        }
    }
}
