//! The lines of a store's file.

use std::{fmt, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::outcome::run::TrainingRun;

/// One line: a run and the key of its recipe and context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) run: TrainingRun,
}

impl Line {
    /// What makes it the same run as another line's.
    pub(crate) fn identity(&self) -> (String, u64) {
        (self.key.clone(), self.run.seed)
    }

    /// As bytes, with the end of the line.
    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// A line of a store that cannot be read, as the one that was being written when the machine stopped.
/// Its run counts as not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableLine {
    /// Number of the line, from 1.
    pub line: usize,
    /// Why it cannot be read.
    pub reason: String,
}

impl fmt::Display for UnreadableLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, reason } = self;
        write!(
            f,
            "line {line} cannot be read, and its run is made again: {reason}"
        )
    }
}

/// How each line begins.
const BEGINNING: &[u8] = b"{\"key\":\"";

/// What a store's file holds.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) read: Vec<Line>,
    pub(crate) unreadable: Vec<UnreadableLine>,
    /// The length of the file without a last line that breaks off.
    pub(crate) sound_length: u64,
    /// Whether the last line lacks nothing but its end.
    pub(crate) needs_newline: bool,
}

impl Lines {
    /// Reads the file; an absent one holds nothing.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is some other file: no line of it is a run, and the first does not begin like one.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Self::of(&bytes)
    }

    /// The lines of a file that holds these bytes.
    ///
    /// # Errors
    ///
    /// If it is some other file: no line of it is a run, and the first does not begin like one.
    pub(crate) fn of(bytes: &[u8]) -> io::Result<Self> {
        let mut lines = Self {
            sound_length: bytes.len() as u64,
            ..Self::default()
        };
        for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let is_whole = line.ends_with(b"\n");
            match serde_json::from_slice(line.trim_ascii()) {
                Ok(read) => {
                    lines.read.push(read);
                    lines.needs_newline = !is_whole;
                }
                Err(_) if line.trim_ascii().is_empty() && is_whole => {}
                Err(error) => {
                    lines.unreadable.push(UnreadableLine {
                        line: at + 1,
                        reason: error.to_string(),
                    });
                    if !is_whole {
                        lines.sound_length -= line.len() as u64;
                    }
                }
            }
        }
        // A store may hold nothing but a first line that breaks off, or lines of another version.
        let is_begun = bytes.starts_with(BEGINNING) || BEGINNING.starts_with(bytes);
        if lines.read.is_empty() && !lines.unreadable.is_empty() && !is_begun {
            let message = "it holds something else, and no run";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(lines)
    }
}
