//! The parts of a checkpoint.

use burn::lr_scheduler::LrSchedulerRecord;
use burn::optim::OptimizerRecord;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};

/// One of Burn's records: `ModuleRecord`, `OptimizerRecord` or `LrSchedulerRecord`.
pub trait Record: Sized + sealed::Sealed {
    /// The kind of record.
    const KIND: PartKind;

    #[doc(hidden)]
    fn encode(self) -> Result<Bytes, RecordError>;

    #[doc(hidden)]
    fn decode(bytes: Bytes) -> Result<Self, RecordError>;
}

mod sealed {
    pub trait Sealed {}
}

/// The kind of a part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PartKind {
    /// A `ModuleRecord`: of a model or an average of weights.
    Module,
    /// An `OptimizerRecord`.
    Optimizer,
    /// An `LrSchedulerRecord`.
    Schedule,
    /// A value.
    State,
    /// Bytes.
    Bytes,
}

impl std::fmt::Display for PartKind {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Module => "a record of a module",
            Self::Optimizer => "a record of an optimizer",
            Self::Schedule => "a record of a schedule",
            Self::State => "a state",
            Self::Bytes => "bytes",
        })
    }
}

macro_rules! record {
    ($record:ty, $kind:ident) => {
        impl sealed::Sealed for $record {}

        impl Record for $record {
            const KIND: PartKind = PartKind::$kind;

            fn encode(self) -> Result<Bytes, RecordError> {
                self.into_bytes()
            }

            fn decode(bytes: Bytes) -> Result<Self, RecordError> {
                Self::from_bytes(bytes)
            }
        }
    };
}

record!(ModuleRecord, Module);
record!(OptimizerRecord, Optimizer);
record!(LrSchedulerRecord, Schedule);

/// The entry of a part in the table of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: PartKind,
    pub(crate) bytes: u64,
}
