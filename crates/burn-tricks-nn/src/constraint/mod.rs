//! Penalties in the loss that keep weights small, and constraints after the step that bound, fix or tie
//! weights.

pub mod clamp_weights;
pub mod max_norm;
pub mod penalty;
pub mod tied_weights;
pub(crate) mod unit_constraint;
pub mod unit_norm;
