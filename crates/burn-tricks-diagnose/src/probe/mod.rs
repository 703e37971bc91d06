//! Looking at activations, and at the gradients that come back through them.

mod measured;
#[allow(clippy::module_inception)]
mod probe;

pub use probe::Probe;
pub(crate) use probe::{neutral, unrecorded};
