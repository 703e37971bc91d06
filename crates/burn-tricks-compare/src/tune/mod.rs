//! Tuning one number of each recipe, such as its learning rate, before the comparison.

pub(crate) mod error;
pub(crate) mod tuned;
pub(crate) mod tuning;
