//! Data that a resumed run sees in the same order: the epoch loader and its clock.

pub(crate) mod batch_samples;
pub(crate) mod epoch_batches;
pub(crate) mod epoch_clock;
pub(crate) mod epoch_loader;
pub(crate) mod epoch_loader_config;
pub(crate) mod session_loader;
