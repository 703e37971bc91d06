//! How serious a finding is.

use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// How serious a finding is. The order is from harmless to serious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Nothing is wrong.
    Healthy,
    /// Advice: something unusual, which by itself stops no network from learning.
    Note,
    /// A condition that often makes training worse; it may contribute to a failure.
    Warning,
    /// A condition that stops the network, or a part of it, from learning, or makes a reported number wrong.
    Fault,
}

impl Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Healthy => "healthy",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        })
    }
}
