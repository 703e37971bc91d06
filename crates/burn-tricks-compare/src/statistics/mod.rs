//! The statistics of a paired comparison, as functions of numbers alone.
//!
//! Nothing here knows what a run, a recipe or a metric is.

pub(crate) mod bootstrap;
pub(crate) mod family;
pub(crate) mod holm;
pub(crate) mod interval;
pub(crate) mod looks;
pub(crate) mod moments;
pub(crate) mod need;
pub(crate) mod paired_test;
pub(crate) mod proportions;
pub(crate) mod sign_flips;
pub(crate) mod student;
