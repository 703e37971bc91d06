#![doc = include_str!("../README.md")]

mod change;
mod checkpoint_error;
mod checkpoint_folder;
mod checkpoints;
mod damage;
pub mod file;
mod json;
mod lock;
mod part;
mod part_error;
mod saved;
mod step_checkpoint;

pub use burn_tricks_core::ConfigError;
pub use change::Change;
pub use checkpoint_error::CheckpointError;
pub use checkpoints::Checkpoints;
pub use damage::Damage;
pub use json::to_json;
pub use lock::{Lock, LockError};
pub use part::{PartKind, Record};
pub use part_error::PartError;
pub use saved::Saved;
pub use step_checkpoint::StepCheckpoint;
