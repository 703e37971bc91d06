//! From runs to verdicts.

pub(crate) mod answer;
pub(crate) mod arm;
#[expect(clippy::module_inception, reason = "the room is named after its value")]
pub(crate) mod comparison;
pub(crate) mod error;
pub(crate) mod pair;
pub(crate) mod plan;
pub(crate) mod pool;
pub(crate) mod stability;
pub(crate) mod stages;
pub(crate) mod verdict;
