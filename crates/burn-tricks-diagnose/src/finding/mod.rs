//! What a diagnosis says.

#[allow(clippy::module_inception)]
pub(crate) mod finding;
pub(crate) mod kind;
pub(crate) mod prescription;
pub(crate) mod severity;
pub(crate) mod treatment;
