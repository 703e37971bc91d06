//! Runs on disk, for a comparison that may be killed at any time or is spread over machines.

pub(crate) mod key;
pub(crate) mod lines;
pub(crate) mod merge;
pub(crate) mod program_hash;
pub(crate) mod shard;
#[expect(clippy::module_inception, reason = "the room is named after its value")]
pub(crate) mod store;
