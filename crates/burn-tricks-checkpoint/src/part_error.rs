//! Why a part of a checkpoint cannot be written, or loaded.

use burn::store::RecordError;
use burn_tricks_optim::OptimizerRecordError;
use std::fmt::Display;

/// Why a part of a checkpoint cannot be written, or does not fit what it is loaded into.
#[non_exhaustive]
pub enum PartError {
    /// Burn cannot write the record, or cannot load it, for example into another architecture.
    Record(RecordError),
    /// The record is not one of this optimizer for this model.
    Optimizer(OptimizerRecordError),
    /// The record is of another kind of schedule.
    OtherSchedule {
        /// The kinds of schedule and the numbers in the record, such as "`Cosine`" and "`steps` = 50".
        recorded: Vec<String>,
        /// Those of the schedule after it has loaded the record.
        loaded: Vec<String>,
    },
    /// A value that is to be written as JSON holds NaN or an infinity, which JSON does not have.
    NotFinite {
        /// The path of the field, such as `layers.2.rate`. Empty if the value itself is the number.
        field: String,
        /// The number.
        number: f64,
    },
    /// A state cannot be written as JSON, or read as what is asked for.
    Json(serde_json::Error),
}

impl Display for PartError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(error) => write!(f, "{error}"),
            Self::Optimizer(error) => write!(f, "{error}"),
            Self::OtherSchedule { recorded, loaded } => write!(
                f,
                "the record is of another kind of schedule: it has {}, and this schedule {} after loading it: configure \
                 the schedule as it was when it was saved",
                listed(recorded),
                listed(loaded)
            ),
            Self::NotFinite { field, number } => {
                match &**field {
                    "" => write!(f, "the value is {number}")?,
                    field => write!(f, "`{field}` is {number}")?,
                }
                write!(
                    f,
                    ", and JSON has only finite numbers: write it as an `Option` or a text"
                )
            }
            Self::Json(error) => write!(f, "{error}"),
        }
    }
}

fn listed(numbers: &[String]) -> String {
    match numbers {
        [] => "no numbers".to_owned(),
        numbers => numbers.join(", "),
    }
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
impl std::fmt::Debug for PartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, f)
    }
}

impl std::error::Error for PartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Record(error) => Some(error),
            Self::Optimizer(error) => Some(error),
            Self::OtherSchedule { .. } | Self::NotFinite { .. } => None,
            Self::Json(error) => Some(error),
        }
    }
}

impl From<RecordError> for PartError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<OptimizerRecordError> for PartError {
    fn from(error: OptimizerRecordError) -> Self {
        Self::Optimizer(error)
    }
}

impl From<serde_json::Error> for PartError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl serde::ser::Error for PartError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Json(serde::ser::Error::custom(message))
    }
}
