//! Recipes of several changes: which of them matter, and whether they depend on each other.

pub(crate) mod ablation;
pub(crate) mod combine;
pub(crate) mod interactions;
