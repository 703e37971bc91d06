//! Penalties in the loss that keep weights small, and constraints after the step that bound, fix or tie
//! weights.

pub(crate) mod activity_penalty;
pub(crate) mod clamp_weights;
pub(crate) mod max_norm;
pub(crate) mod penalty;
pub(crate) mod tied_weights;
pub(crate) mod unit_constraint;
pub(crate) mod unit_norm;
