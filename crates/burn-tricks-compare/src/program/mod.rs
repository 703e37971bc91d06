//! A whole program: command line, workers, reports.

pub(crate) mod compare;
pub(crate) mod failures;
pub(crate) mod lab;
pub(crate) mod main;
pub(crate) mod options;
pub(crate) mod peak_memory;
pub(crate) mod reporter;
pub(crate) mod reports;
pub(crate) mod study;
pub(crate) mod worker;
