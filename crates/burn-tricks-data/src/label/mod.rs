//! Labels and targets.

pub(crate) mod class_weights;
pub(crate) mod label_smoothing;
