#![doc = include_str!("../README.md")]

mod change;
mod checkpoint_error;
mod checkpoints;
pub mod file;
mod finite_numbers;
pub mod lock;
mod part;
mod saved;
mod step;

pub use change::Change;
pub use checkpoint_error::CheckpointError;
pub use checkpoints::Checkpoints;
pub use part::{Record, RecordKind};
pub use saved::Saved;
pub use step::Step;
