//! State that is recorded as bytes, and the error of loading it.

use burn::store::RecordError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::fmt::Display;

/// Why a saved state cannot be resumed from.
#[non_exhaustive]
pub enum StateError {
    /// The bytes are those of another kind of state, or damaged.
    Unreadable(Box<dyn Error + Send + Sync>),
    /// More bytes follow the end of the state: it is another kind of state.
    TooLong {
        /// How many.
        extra: usize,
    },
    /// It is the state of something else.
    NotOf {
        /// The name of what it should be the state of.
        name: String,
    },
    /// It is the state of another number of parts.
    Count {
        /// What the parts are, in the plural: `tricks`.
        what: String,
        /// How many parts were saved.
        saved: usize,
        /// How many there are.
        present: usize,
    },
    /// What it is loaded into has no state.
    Stateless {
        /// What that is: `trick`.
        what: &'static str,
    },
    /// It is the state of something that is not there now.
    Absent {
        /// What that is: `trick`.
        what: &'static str,
    },
    /// No state was saved for something that has one, and that would silently begin anew.
    NotSaved {
        /// What that is: `trick`.
        what: &'static str,
    },
    /// Burn cannot read the record in the state.
    Record(RecordError),
    /// A value in it cannot be resumed from, in the words of the trick that it belongs to. Made from a text, for
    /// tricks and transforms of your own.
    Value(String),
    /// It is the state of one of several named parts.
    Of {
        /// The name of the part.
        name: String,
        /// What is wrong.
        error: Box<StateError>,
    },
    /// The state of one of the tricks of a run cannot be loaded.
    OfTrick {
        /// The number of the trick among all tricks of the run, from 1.
        position: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        error: Box<StateError>,
    },
}

impl StateError {
    /// The same error for a trick with `before` tricks in front of it. `name` is used if the error does not
    /// name a trick yet.
    #[must_use]
    pub fn of_trick(self, before: usize, name: impl FnOnce() -> String) -> Self {
        match self {
            Self::OfTrick {
                position,
                name,
                error,
            } => Self::OfTrick {
                position: before + position,
                name,
                error,
            },
            error => Self::OfTrick {
                position: before + 1,
                name: name(),
                error: Box::new(error),
            },
        }
    }
}

impl Display for StateError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNFIT: &str = "the saved state does not fit";
        match self {
            Self::Unreadable(error) => {
                write!(
                    f,
                    "{UNFIT}: it is that of something else, or damaged ({error})"
                )
            }
            Self::TooLong { extra } => write!(
                f,
                "{UNFIT}: it is that of something else, or damaged ({extra} bytes follow its end)"
            ),
            Self::NotOf { name } => write!(f, "{UNFIT}: it is not the state of `{name}`"),
            Self::Count {
                what,
                saved,
                present,
            } => write!(
                f,
                "{UNFIT}: the state is that of {saved} {what}, and there are {present}"
            ),
            Self::Stateless { what } => write!(f, "{UNFIT}: this {what} has no state"),
            Self::Absent { what } => write!(
                f,
                "{UNFIT}: the state is that of a {what} that is not there now"
            ),
            Self::NotSaved { what } => {
                write!(f, "{UNFIT}: no state was saved for this {what}")
            }
            Self::Record(error) => write!(f, "{UNFIT}: {error}"),
            Self::Value(reason) => write!(f, "{UNFIT}: {reason}"),
            Self::Of { name, error } => write!(f, "{name}: {error}"),
            Self::OfTrick {
                position,
                name,
                error,
            } => write!(f, "trick {position} ({name}): {error}"),
        }
    }
}

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error for StateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(&**error),
            Self::Record(error) => Some(error),
            Self::Of { error, .. } | Self::OfTrick { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<&str> for StateError {
    fn from(reason: &str) -> Self {
        Self::Value(reason.to_owned())
    }
}

impl From<String> for StateError {
    fn from(reason: String) -> Self {
        Self::Value(reason)
    }
}

impl From<RecordError> for StateError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<postcard::Error> for StateError {
    fn from(error: postcard::Error) -> Self {
        Self::Unreadable(Box::new(error))
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
        (_, rest) => Err(StateError::TooLong { extra: rest.len() }),
    }
}

/// The state of the thing of this name, as bytes that begin with the name.
///
/// # Panics
///
/// As [`state_to_bytes`].
pub fn named_state_to_bytes<S: Serialize + ?Sized>(name: &str, state: &S) -> Vec<u8> {
    state_to_bytes(&(name, state))
}

/// The state that [`named_state_to_bytes`] wrote for the thing of this name.
///
/// # Errors
///
/// If the bytes are the state of something else, or damaged: the error says whose state was expected.
pub fn named_state_from_bytes<S: DeserializeOwned>(
    name: &str,
    bytes: &[u8],
) -> Result<S, StateError> {
    let found = postcard::take_from_bytes::<&str>(bytes);
    match found {
        Ok((found, state)) if found == name => {
            let state = state_from_bytes(state);
            state.map_err(|error| StateError::Of {
                name: name.to_owned(),
                error: Box::new(error),
            })
        }
        Ok((found, _)) if is_type_name(found) => Err(StateError::Value(format!(
            "it is the state of `{found}`, and not of `{name}`"
        ))),
        _ => {
            let name = name.to_owned();
            Err(StateError::NotOf { name })
        }
    }
}

/// Whether a text that was read from unknown bytes may be a name.
fn is_type_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric())
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
        saved => Err(StateError::Count {
            what: what.to_owned(),
            saved,
            present: count,
        }),
    }
}
