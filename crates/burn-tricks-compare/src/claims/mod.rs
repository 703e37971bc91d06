//! Sentences about what a change does, held against what was measured.

pub(crate) mod claim;
pub(crate) mod finding;
pub(crate) mod markdown;
