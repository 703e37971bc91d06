//! State that is recorded as bytes, and the error of loading it.

use burn::store::RecordError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;

/// Why a saved state cannot be resumed from.
#[non_exhaustive]
pub enum StateError {
    /// The state is not of the expected kind.
    Unfit(String),
    /// Burn cannot read the record in the state.
    Record(RecordError),
    /// The state of one of the tricks of a run cannot be loaded.
    OfTrick {
        /// The number of the trick among all tricks of the run, from 1.
        place: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        error: Box<StateError>,
    },
}

impl StateError {
    /// The same error for a trick with `before` tricks in front of it. `name` is used if the error does not
    /// name a trick yet.
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

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
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

/// A state as bytes; floats are exact to the last bit.
///
/// # Panics
///
/// If `state` cannot be serialised, for example a map of unknown length.
pub fn state_to_bytes<S: Serialize + ?Sized>(state: &S) -> Vec<u8> {
    postcard::to_allocvec(state).expect("a state can be written to memory")
}

/// The state that [`state_to_bytes`] wrote.
///
/// # Errors
///
/// If the bytes are not those of an `S`, or if more bytes follow.
pub fn state_from_bytes<S: DeserializeOwned>(bytes: &[u8]) -> Result<S, StateError> {
    match postcard::take_from_bytes(bytes)? {
        (state, []) => Ok(state),
        (_, rest) => Err(format!("{} bytes follow its end", rest.len()).into()),
    }
}

/// The states of several parts as one state, in their order.
pub fn parts_to_bytes(parts: &[Option<Vec<u8>>]) -> Vec<u8> {
    state_to_bytes(parts)
}

/// The states that [`parts_to_bytes`] wrote, of `count` parts.
///
/// # Errors
///
/// If the bytes hold more or fewer states. `what` is the name of the parts in the error text, in the plural.
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
