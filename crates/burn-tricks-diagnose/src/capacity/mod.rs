//! Data against capacity: what the same model makes of other data.

#[allow(clippy::module_inception)]
pub(crate) mod capacity;
pub(crate) mod capacity_test;
