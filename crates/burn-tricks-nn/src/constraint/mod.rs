//! What keeps weights small or equal: penalties in the loss, and constraints after the step.

pub mod clamp_weights;
pub mod max_norm;
pub mod penalty;
pub mod tied_weights;
pub(crate) mod unit_constraint;
pub mod unit_norm;
