//! Worker processes: one or several runs each, some at a time.

pub(crate) mod expected;
pub(crate) mod failure;
pub(crate) mod progress;
#[expect(clippy::module_inception, reason = "the room is named after its value")]
pub(crate) mod runner;
pub(crate) mod worker;
