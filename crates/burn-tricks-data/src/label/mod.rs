//! Labels and targets.

pub(crate) mod label_smoothing;
