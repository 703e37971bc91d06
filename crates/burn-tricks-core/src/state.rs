//! State that is recorded as bytes, and why it cannot be loaded.

use burn::store::RecordError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;

/// Why a saved state cannot be resumed from.
#[non_exhaustive]
pub enum StateError {
    /// It is not of the kind expected.
    Unfit(String),
    /// Burn cannot read the record in it.
    Record(RecordError),
    /// It is the state of one of the tricks of a run.
    OfTrick {
        /// The number of the trick, from 1 among all of the run.
        place: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        error: Box<StateError>,
    },
}

impl StateError {
    /// The same error, of a trick before which there are `before` others: of the trick `name`, if it is not
    /// known yet which of several it was.
    pub fn of_trick(self, before: usize, name: impl FnOnce() -> String) -> Self {
        match self {
            Self::OfTrick { place, name, error } => Self::OfTrick {
                place: before + place,
                name,
                error,
            },
            error => Self::OfTrick {
                place: before + 1,
                name: name(),
                error: Box::new(error),
            },
        }
    }
}

impl Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unfit(reason) => write!(f, "the saved state does not fit: {reason}"),
            Self::Record(error) => write!(f, "the saved state does not fit: {error}"),
            Self::OfTrick { place, name, error } => write!(f, "trick {place} ({name}): {error}"),
        }
    }
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
impl std::fmt::Debug for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for StateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unfit(_) => None,
            Self::Record(error) => Some(error),
            Self::OfTrick { error, .. } => Some(error),
        }
    }
}

impl From<&str> for StateError {
    fn from(reason: &str) -> Self {
        Self::Unfit(reason.to_owned())
    }
}

impl From<String> for StateError {
    fn from(reason: String) -> Self {
        Self::Unfit(reason)
    }
}

impl From<RecordError> for StateError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<postcard::Error> for StateError {
    fn from(error: postcard::Error) -> Self {
        Self::Unfit(error.to_string())
    }
}

/// A state as bytes, floats to the last bit.
///
/// # Panics
///
/// If `state` cannot be serialised, such as a map whose length is not known.
pub fn state_to_bytes<S: Serialize + ?Sized>(state: &S) -> Vec<u8> {
    postcard::to_allocvec(state).expect("a state can be written to memory")
}

/// The state that [`state_to_bytes`] wrote.
///
/// # Errors
///
/// If the bytes are not those of an `S`, or more follow.
pub fn state_from_bytes<S: DeserializeOwned>(bytes: &[u8]) -> Result<S, StateError> {
    match postcard::take_from_bytes(bytes)? {
        (state, []) => Ok(state),
        (_, rest) => Err(format!("{} bytes follow its end", rest.len()).into()),
    }
}

/// The states of several parts as one, in their order.
pub fn parts_to_bytes(parts: &[Option<Vec<u8>>]) -> Vec<u8> {
    state_to_bytes(parts)
}

/// The states that [`parts_to_bytes`] wrote, of `count` parts.
///
/// # Errors
///
/// If the bytes hold the states of more or fewer; `what` names the parts in the text, in the plural.
pub fn bytes_to_parts(
    bytes: &[u8],
    count: usize,
    what: &str,
) -> Result<Vec<Option<Vec<u8>>>, StateError> {
    let parts: Vec<Option<Vec<u8>>> = state_from_bytes(bytes)?;
    match parts.len() {
        saved if saved == count => Ok(parts),
        saved => Err(format!("the state is that of {saved} {what}, and there are {count}").into()),
    }
}
