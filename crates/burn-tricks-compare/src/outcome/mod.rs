//! What is compared: recipes, the metrics of a run, and what a run measured.

pub(crate) mod examination;
pub(crate) mod impossible;
pub(crate) mod metric;
pub(crate) mod protocol;
pub(crate) mod recipe;
pub(crate) mod run;
