//! How far predicted probabilities are from frequencies, and what is done about it.

pub(crate) mod calibration_error;
pub(crate) mod reliability_diagram;
pub(crate) mod temperature;
